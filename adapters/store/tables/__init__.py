"""What the rows look like, and how they become the frozen values of the core."""
