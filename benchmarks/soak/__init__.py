"""Hours of a steady life: does the bot keep what it should have given back?"""
