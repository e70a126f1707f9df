"""Proof that nothing is lost and nothing is doubled: the bot, killed again and again at known points."""
