"""The conversation: what is said, who may say it, what is done about it. Knows no platform, no database, no HTTP."""
