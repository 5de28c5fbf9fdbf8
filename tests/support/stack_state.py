"""A stack's outputs out of its state file, without the engine: that would take half a second at each question.

The engine encrypts each secret as `v1:<nonce>:<ciphertext>` (AES-256-GCM). PBKDF2 makes the key of the passphrase and
the salt in the state, in a million rounds of SHA-256. tests/live/test_network.py compares them to the engine's own.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cli.engine.pulumi import outputs_in
from cli.status.declared import SIGNATURE

ROUNDS = 1_000_000


def outputs(state: Path, passphrase: str) -> dict[str, Any]:
    """The outputs, decrypted; none before the first deployment."""
    latest = json.loads(state.read_text())["checkpoint"]["latest"] or {}
    values = outputs_in({"deployment": latest})
    salt = latest["secrets_providers"]["state"]["salt"].split(":")[1] if values else ""
    return {name: _plain(value, passphrase, salt) for name, value in values.items()}


def _plain(value: Any, passphrase: str, salt: str) -> Any:
    if isinstance(value, list):
        return [_plain(each, passphrase, salt) for each in value]
    if not isinstance(value, dict):
        return value
    if SIGNATURE in value:
        nonce, ciphertext = (base64.b64decode(part) for part in value["ciphertext"].split(":")[1:])
        return json.loads(AESGCM(_key(passphrase, salt)).decrypt(nonce, ciphertext, None))
    return {name: _plain(each, passphrase, salt) for name, each in value.items()}


@cache
def _key(passphrase: str, salt: str) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), base64.b64decode(salt), ROUNDS, 32)
