"""Encryption with age (https://age-encryption.org/v1), so that the ordinary `age` program opens a backup too.

A key is an age identity, "AGE-SECRET-KEY-1...". What is encrypted is encrypted to its public half.
"""

from __future__ import annotations

from typing import Any

from storage.backups.errors import BackupsError
from storage.backups.files import Sink, Source

PIECE = 1 << 16
"""Plain bytes that age seals at a time; each piece grows by TAG, and the file starts with a header and a nonce."""
TAG, NONCE, HEADER = 16, 16, range(100, 4096)


class WrongKey(BackupsError):
    """What was to be opened is not for this key."""


class Damaged(BackupsError):
    """What was to be opened is not what was sealed."""


def new_key() -> str:
    return str(_age().x25519.Identity.generate())


def check(key: str) -> None:
    """Raises BackupsError when it is no key."""
    _identity(key)


def valid_key(text: str) -> bool:
    try:
        _identity(text)
    except BackupsError:
        return False
    return True


def seal(source: Source, sink: Sink, key: str) -> None:
    """Encrypts what `source` yields. Raises BackupsError for a key that is none, and what source and sink raise."""
    recipient = _identity(key).to_public()
    reader, writer = _Reader(source), _Writer(sink)
    try:
        _age().encrypt_io(reader, writer, [recipient])
    except BaseException:
        _raise_first(reader, writer)
        raise


def unseal(source: Source, sink: Sink, key: str) -> None:
    """Decrypts what `source` yields. Raises WrongKey, Damaged, and what source and sink raise.

    age checks piece by piece: what reached the sink before Damaged is genuine, but not all.
    """
    identity = _identity(key)
    reader, writer = _Reader(source), _Writer(sink)
    try:
        _age().decrypt_io(reader, writer, [identity])
    except Exception as error:
        _raise_first(reader, writer)
        if "No matching keys" in str(error):
            raise WrongKey("It was encrypted with another key than this one.") from None
        raise Damaged("It is not what was encrypted.") from None
    except BaseException:
        _raise_first(reader, writer)
        raise


def sealed_sizes(plain: int) -> range:
    """The bytes that `plain` bytes may take when sealed; age adds noise to its header."""
    body = NONCE + plain + TAG * max(1, -(-plain // PIECE))
    return range(body + HEADER.start, body + HEADER.stop)


class _Reader:
    """age's library makes other errors of those that a stream raises; these two keep the first one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.error: BaseException | None = None

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._source.read(size)
        except BaseException as error:
            self.error = self.error or error
            raise


class _Writer:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.error: BaseException | None = None

    def write(self, data: bytes, /) -> int:
        try:
            return self._sink.write(data)
        except BaseException as error:
            self.error = self.error or error
            raise

    def flush(self) -> None:
        """Nothing is held back here."""


def _raise_first(reader: _Reader, writer: _Writer) -> None:
    for error in (reader.error, writer.error):
        if error is not None:
            raise error from None


def _identity(key: str) -> Any:
    age = _age()
    try:
        return age.x25519.Identity.from_str(key.strip())
    except age.IdentityError:
        raise BackupsError(
            "The key for backups is no age identity (AGE-SECRET-KEY-1...); make one: oracle backups --new-key"
        ) from None


def _age() -> Any:
    import pyrage  # type: ignore[import-untyped]

    return pyrage
