"""The Store in parts: one module for each protocol that makes it up."""
