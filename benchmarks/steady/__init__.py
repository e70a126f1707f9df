"""A busy workspace: seventeen events a second from Slack, and five runs at work."""
