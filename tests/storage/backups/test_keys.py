"""Encryption with age: keys, errors with their cause, and streaming without whole files in memory."""

from __future__ import annotations

import io
import random
import tracemalloc

import pyrage  # type: ignore[import-untyped]
import pytest

from storage.backups import BackupsError, keys, new_key, valid_key
from tests.support.errors import raises_text


def sealed(plain: bytes, key: str) -> bytes:
    sink = io.BytesIO()
    keys.seal(io.BytesIO(plain), sink, key)
    return sink.getvalue()


def test_a_new_key_is_an_age_identity() -> None:
    key = new_key()
    assert key.startswith("AGE-SECRET-KEY-1")
    assert valid_key(key)
    assert valid_key(f" {key}\n")
    assert key != new_key()


def test_an_invalid_key_is_refused_and_not_shown(key: str) -> None:
    for text in ("", "hunter2", "AGE-SECRET-KEY-1x", "age1qqqq", key[:-1], key[:-1] + "é", f"{key} {key}"):
        assert not valid_key(text)
        with raises_text(BackupsError, "Fix: run `oracle backups prod --new-key` to make a key") as told:
            keys.seal(io.BytesIO(), io.BytesIO(), text)
        assert not text or text not in str(told.value)


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 300_000])
def test_sealed_data_can_be_opened_and_has_the_expected_size(size: int) -> None:
    key, plain = new_key(), random.Random(size).randbytes(size)
    for _ in range(20):  # age adds noise of another size each time
        data = sealed(plain, key)
        assert len(data) in keys.sealed_sizes(size)
    assert pyrage.decrypt(data, [pyrage.x25519.Identity.from_str(key)]) == plain
    sink = io.BytesIO()
    keys.unseal(io.BytesIO(data), sink, key)
    assert sink.getvalue() == plain


def test_an_impossible_size_is_recognized() -> None:
    key = new_key()
    data = sealed(bytes(300_000), key)
    assert len(data) - 10_000 not in keys.sealed_sizes(300_000)
    assert len(data) + 10_000 not in keys.sealed_sizes(300_000)


def test_data_encrypted_by_age_itself_can_be_opened() -> None:
    identity = pyrage.x25519.Identity.generate()
    data = pyrage.encrypt(b"by another program", [identity.to_public(), pyrage.x25519.Identity.generate().to_public()])
    sink = io.BytesIO()
    keys.unseal(io.BytesIO(data), sink, str(identity))
    assert sink.getvalue() == b"by another program"


def test_a_wrong_key_is_distinguished_from_damage() -> None:
    key = new_key()
    data = sealed(bytes(200_000), key)
    with pytest.raises(keys.WrongKey):
        keys.unseal(io.BytesIO(data), io.BytesIO(), new_key())
    for broken in (data[:-1], data[:65_536], data[:90], b"", b"PK\3\4" + bytes(500), data + b"x"):
        with pytest.raises(keys.Damaged):
            keys.unseal(io.BytesIO(broken), io.BytesIO(), key)


class Failing(io.BytesIO):
    """Fails after some calls, as a disk or a connection does."""

    def __init__(self, data: bytes, error: BaseException) -> None:
        super().__init__(data)
        self.error, self.calls = error, 0

    def read(self, size: int | None = -1, /) -> bytes:
        self._count()
        return super().read(size)

    def write(self, data: object, /) -> int:
        self._count()
        return super().write(data)  # type: ignore[arg-type]

    def _count(self) -> None:
        self.calls += 1
        if self.calls > 2:
            raise self.error


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), BackupsError("away")])
def test_the_error_of_a_stream_is_raised_unchanged(error: BaseException) -> None:
    key = new_key()
    data = sealed(bytes(500_000), key)
    for act, source in ((keys.seal, bytes(500_000)), (keys.unseal, data)):
        for reader, writer in ((Failing(source, error), io.BytesIO()), (io.BytesIO(source), Failing(b"", error))):
            with pytest.raises(type(error)) as raised:
                act(reader, writer, key)
            assert raised.value is error


def test_sealing_and_opening_use_little_memory() -> None:
    class Counting(io.RawIOBase):
        """A source of many bytes that are made as they are read, and a sink that forgets."""

        left, largest = 64 << 20, 0

        def read(self, size: int = -1, /) -> bytes:
            assert 0 < size <= 1 << 20
            piece = min(size, self.left)
            self.left -= piece
            return bytes(piece)

        def write(self, data: object, /) -> int:
            self.largest = max(self.largest, len(bytes(data)))  # type: ignore[call-overload]
            return int(self.largest)

    sink = Counting()
    tracemalloc.start()
    try:
        keys.seal(Counting(), _Forgetting(sink), new_key())
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
    assert 0 < sink.largest <= 1 << 17


class _Forgetting:
    def __init__(self, sink: io.RawIOBase) -> None:
        self._sink = sink

    def write(self, data: bytes, /) -> int:
        self._sink.write(data)
        return len(data)
