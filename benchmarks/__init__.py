"""How fast the bot is, beside bare bots on the libraries it stands on. See README.md."""
