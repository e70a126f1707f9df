"""From a task to an answer and a pull request."""
