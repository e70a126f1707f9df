"""The bot as a real process, from a chat message to a pull request, against servers on loopback."""
