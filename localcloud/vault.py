"""Encryption of data that must not lie in plain text on disk."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from localcloud.files import atomic_write

NONCE_BYTES = 12


class VaultError(Exception):
    """A sealed text that this vault did not make, or not for this purpose."""


class Vault:
    """AES-256-GCM with a key in a file of its own (0600).

    A `purpose` binds a sealed text to its use: a text sealed for one purpose does not open for another.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def at(cls, path: Path) -> Vault:
        """Return the vault whose key is in `path`; create a new key when the file is missing."""
        if not path.exists():
            with atomic_write(path) as fresh:
                fresh.write_bytes(AESGCM.generate_key(256))
        return cls(path.read_bytes())

    def seal(self, text: str, purpose: str = "") -> str:
        """Encrypt the text, in URL-safe base64."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, text.encode(), purpose.encode())
        return base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, sealed: str, purpose: str = "") -> str:
        """Decrypt the text. Raises VaultError when it was not sealed here for this purpose."""
        try:
            raw = base64.urlsafe_b64decode(sealed)
            return self._cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], purpose.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise VaultError("sealed by another vault or for another purpose") from error
