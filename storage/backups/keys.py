"""Encryption with age (https://age-encryption.org/v1), so that the `age` program can open a backup too.

A key is an age identity, "AGE-SECRET-KEY-1...". Backups are encrypted to its public half.
"""

from __future__ import annotations

from typing import Any

from errors import Remedy
from storage.backups.errors import BackupsError
from storage.backups.files import Sink, Source

PIECE = 1 << 16
"""Plain bytes of an age chunk. Each chunk grows by TAG bytes, and the file starts with a header and a nonce."""
TAG, NONCE, HEADER = 16, 16, range(100, 4096)


class WrongKey(BackupsError):
    """The file was encrypted with another key."""


class Damaged(BackupsError):
    """The encrypted file was changed or cut off."""


def new_key() -> str:
    return str(_age().x25519.Identity.generate())


def check(key: str) -> None:
    """Raise BackupsError when `key` is no age identity."""
    _identity(key)


def valid_key(text: str) -> bool:
    try:
        _identity(text)
    except BackupsError:
        return False
    return True


def seal(source: Source, sink: Sink, key: str) -> None:
    """Encrypt `source` into `sink`. Raises BackupsError for an invalid key, and the errors of source and sink."""
    recipient = _identity(key).to_public()
    reader, writer = _Reader(source), _Writer(sink)
    try:
        _age().encrypt_io(reader, writer, [recipient])
    except BaseException:
        _raise_first(reader, writer)
        raise


def unseal(source: Source, sink: Sink, key: str) -> None:
    """Decrypt `source` into `sink`. Raises WrongKey, Damaged, and the errors of source and sink.

    age checks each chunk: the bytes that reached the sink before Damaged are genuine, but incomplete.
    """
    identity = _identity(key)
    reader, writer = _Reader(source), _Writer(sink)
    try:
        _age().decrypt_io(reader, writer, [identity])
    except Exception as error:
        _raise_first(reader, writer)
        if "No matching keys" in str(error):
            raise WrongKey("It was encrypted with another key than this one.") from None
        raise Damaged("It was changed or cut off after it was encrypted.") from None
    except BaseException:
        _raise_first(reader, writer)
        raise


def sealed_sizes(plain: int) -> range:
    """Return the possible sizes of `plain` bytes after encryption. They vary, since age's header has a random part."""
    body = NONCE + plain + TAG * max(1, -(-plain // PIECE))
    return range(body + HEADER.start, body + HEADER.stop)


class _Reader:
    """A source that remembers its first error, because age's library replaces the errors of streams by its own."""

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
    """A sink that remembers its first error, for the same reason as `_Reader`."""

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
        """Do nothing: there is no buffer."""


def _raise_first(reader: _Reader, writer: _Writer) -> None:
    for error in (reader.error, writer.error):
        if error is not None:
            raise error from None


def _identity(key: str) -> Any:
    age = _age()
    try:
        return age.x25519.Identity.from_str(key.strip())
    except age.IdentityError:
        problem = "The key for backups is not an age identity (AGE-SECRET-KEY-1...)."
        raise BackupsError(problem, Remedy.MAKE_BACKUP_KEY) from None


def _age() -> Any:
    import pyrage  # type: ignore[import-untyped]

    return pyrage
