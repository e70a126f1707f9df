"""How the tables came to be, step by step. Made by `tortoise makemigrations`, then read by a person."""
