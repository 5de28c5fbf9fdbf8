"""Multipart bodies in the form of Go's mime/multipart, and parsing of the first part."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\r": "%0D", "\n": "%0A"})


@dataclass(frozen=True)
class Part:
    """One part of a form. An empty content type is sent as an empty header, as the official plugin does."""

    name: str
    body: bytes
    content_type: str
    filename: str = ""

    @property
    def disposition(self) -> str:
        text = f'form-data; name="{self.name.translate(_ESCAPES)}"'
        return f'{text}; filename="{self.filename.translate(_ESCAPES)}"' if self.filename else text


def encode(parts: Iterable[Part]) -> tuple[bytes, str]:
    """Return the body, and the content type that names its boundary."""
    boundary = os.urandom(30).hex()
    chunks: list[bytes] = []
    for part in parts:
        head = f"--{boundary}\r\nContent-Disposition: {part.disposition}\r\nContent-Type: {part.content_type}\r\n\r\n"
        chunks += [head.encode(), part.body, b"\r\n"]
    chunks.append(f"--{boundary}--\r\n".encode())
    return b"".join(chunks), f"multipart/form-data; boundary={boundary}"


def first_part(body: bytes, content_type: str) -> bytes:
    """Return the body of the first part; the whole body when the content type is not multipart."""
    if not content_type.startswith("multipart/"):
        return body
    from email import message_from_bytes  # not at import: only a Worker of several modules needs it

    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    parts = message.get_payload()
    if not isinstance(parts, list) or not parts:
        return b""
    content = parts[0].get_payload(decode=True)  # type: ignore[union-attr]
    return content if isinstance(content, bytes) else b""
