"""Ed25519, with a key from a file for its owner alone. https://www.rfc-editor.org/rfc/rfc8032"""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

from core.audit.chain import signed_words
from core.model.audit import Checkpoint

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from adapters.secrets.keys import Keys


class KeySigner:
    """Fulfils `core.ports.Signer`. The file is made when there is none; its form is that of the key of the secrets."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._private: Ed25519PrivateKey | None = None
        self.key = ""

    async def sign(self, words: bytes) -> str:
        private = self._private
        if private is None:
            private = await asyncio.to_thread(self._load)
        return private.sign(words).hex()

    def public(self) -> str:
        """In hex. SecretsLocked."""
        self._load()
        return self.key

    def _load(self) -> Ed25519PrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - when used

        keys = self._keys.load()
        seed = base64.urlsafe_b64decode(keys[0] if keys else self._keys.make())
        private = Ed25519PrivateKey.from_private_bytes(seed)
        self._private, self.key = private, private.public_key().public_bytes_raw().hex()
        return private


def is_signed(checkpoint: Checkpoint, key: str) -> bool:
    """By the owner of this public key, whatever the checkpoint says of its own."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - imported when used
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(checkpoint.signature), signed_words(checkpoint))
    except (InvalidSignature, ValueError):
        return False
    return True
