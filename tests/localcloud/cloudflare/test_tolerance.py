"""Unmasked websocket frames, which only wrangler sends, and only to a tail."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import cast

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from localcloud.tolerance import Masks
from tests.localcloud.cloudflare.service import Client

UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PAYLOADS = [b"", b"a", b"b" * 125, b"c" * 126, b"d" * 70_000]


def frames(*, mask: bool) -> Iterator[bytes]:
    return (Frame(Opcode.TEXT, payload).serialize(mask=mask) for payload in PAYLOADS)


def payloads(stream: bytes) -> list[bytes]:
    """Of masked frames, by websockets' own reader."""
    reader = StreamReader()
    reader.feed_data(stream)
    reader.feed_eof()
    return [bytes(_frame(reader).data) for _ in PAYLOADS]


def _frame(reader: StreamReader) -> Frame:
    try:
        next(Frame.parse(reader.read_exact, mask=True))
    except StopIteration as end:
        return cast("Frame", end.value)
    raise AssertionError("the stream ends within a frame")


@pytest.mark.parametrize("size", [1, 3, 1000, 1_000_000])
@pytest.mark.parametrize("mask", [False, True])
def test_frames_arrive_unchanged_in_pieces_of_any_size(mask: bool, size: int) -> None:
    stream, masks = b"".join(frames(mask=mask)), Masks()
    assert payloads(b"".join(masks.added(stream[at : at + size]) for at in range(0, len(stream), size))) == PAYLOADS


def test_a_tail_accepts_wranglers_unmasked_message_and_answers_a_ping(api: Client) -> None:
    api.put("quiet", "export default { fetch() { return new Response('ok'); } }")
    made = api.result("POST", "~/workers/scripts/quiet/tails", json={"filters": []})
    path = made["url"].partition(str(api.running.port))[2]
    with socket.create_connection(("127.0.0.1", api.running.port), 10) as raw, raw.makefile("rb") as stream:
        raw.sendall(UPGRADE.format(path=path).encode())
        assert b" 101 " in stream.readline()
        while stream.readline() != b"\r\n":
            pass
        raw.sendall(Frame(Opcode.TEXT, b'{"debug":false}').serialize(mask=False))
        raw.sendall(Frame(Opcode.PING, b"still there").serialize(mask=True))
        assert stream.read(2 + 11)[2:] == b"still there"
