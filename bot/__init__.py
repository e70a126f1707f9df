"""The program: configuration, wiring, start and stop. Nothing imports it."""
