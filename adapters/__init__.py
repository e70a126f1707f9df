"""The outside world: one folder or file for each port of `core.ports`."""
