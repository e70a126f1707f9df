"""How often people are asked: ten runs of different kinds, under the default policy."""
