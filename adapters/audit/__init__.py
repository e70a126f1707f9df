"""Signatures of checkpoints, and the file that they are kept in."""

from __future__ import annotations

from adapters.audit.files import CheckpointFile, read_checkpoints
from adapters.audit.signing import KeySigner, is_signed

__all__ = ["CheckpointFile", "KeySigner", "is_signed", "read_checkpoints"]
