"""Secrets: what blacks them out, what they are sealed with, and where they are kept sealed."""

from __future__ import annotations

from adapters.secrets.redactor import MIN_LENGTH, Redactor
from adapters.secrets.shapes import BLACK

__all__ = ["BLACK", "MIN_LENGTH", "Redactor"]
