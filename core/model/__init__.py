"""The words of the house: small frozen values, and the errors."""
