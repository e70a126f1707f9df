"""Hostile states of a checkout's `.git`, as data; what the bot does with each, and what a naive git does."""
