"""The load generator's reading of answers and closed sockets, against a scripted server. Each test can run alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from tests.live.network_load import NetworkLoad, Socket, SocketClosed, SocketReader
from tests.live.tally import RESTART, Tally

Handler = Callable[[ServerConnection], None]
READ = {"method": "GET", "path": "/api/posts"}


@contextmanager
def server(handler: Handler) -> Iterator[str]:
    """A WebSocket server on loopback; the address of the API that it stands for."""
    with serve(handler, "127.0.0.1", 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.socket.getsockname()[1]}"
        finally:
            running.shutdown()
            thread.join()


def answering(status: int, data: Any) -> Handler:
    """Answers every message, after one that nobody has asked for."""

    def handle(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(json.dumps({"type": "new_post", "id": "of somebody else"}))
            connection.send(json.dumps({"id": json.loads(message)["id"], "status": status, "data": data}))

    return handle


def closing(code: int) -> Handler:
    """Reads one message and closes the socket."""

    def handle(connection: ServerConnection) -> None:
        connection.recv()
        connection.close(code)

    return handle


def read_once(url: str) -> Tally:
    load = NetworkLoad(url, url, "test")
    reader = SocketReader(load, "reader", 1.0, url)
    reader.step()
    reader.close()
    return load.tally


def test_answers_are_matched_by_their_id_and_the_socket_stays_open() -> None:
    tally = Tally("test")
    opened: list[int] = []

    def counted(connection: ServerConnection) -> None:
        opened.append(1)
        answering(200, {"items": []})(connection)

    with server(counted) as url:
        socket = Socket(url, lambda: tally)
        assert socket.call(READ, READ) == [("200", {"items": []})] * 2
        assert socket.call(READ) == [("200", {"items": []})]
        socket.close()
    assert len(opened) == 1
    assert not tally.closed, "closing it oneself is no close of the server's"


@pytest.mark.parametrize("code, failed", [(RESTART, 0), (1011, 1)])
def test_a_read_cut_off_by_a_close_fails_unless_the_service_restarts(code: int, failed: int) -> None:
    with server(closing(code)) as url:
        tally = read_once(url)
    assert tally.closed == {code: 1}
    assert tally.failed_reads.total() == failed


def test_a_closed_socket_is_opened_again() -> None:
    tally = Tally("test")
    with server(closing(RESTART)) as url:
        socket = Socket(url, lambda: tally)
        for _ in range(2):
            with pytest.raises(SocketClosed):
                socket.call(READ)
    assert tally.closed == {RESTART: 2}


def test_a_read_with_an_unexpected_status_fails() -> None:
    with server(answering(500, {})) as url:
        tally = read_once(url)
    assert tally.failed_reads == {"reader 500": 1}
    assert not tally.has_answered()


def test_a_refusal_by_a_write_freeze_is_distinguished_from_other_503s() -> None:
    tally = Tally("test")
    for data, status in (({"error": "hold"}, "refused"), ({"error": "away"}, "503")):
        with server(answering(503, data)) as url:
            socket = Socket(url, lambda: tally)
            assert socket.call(READ)[0][0] == status
            socket.close()


def test_the_longest_window_without_writes_includes_the_end() -> None:
    tally = Tally("test", last=0.0)
    tally.acknowledge("writer", "one")
    tally.acknowledge("direct", "two", through_api=False)
    first = tally.longest
    assert first > 0
    tally.last = tally.began - 2 * first
    tally.end()
    assert tally.longest > first
    assert tally.titles() == {"one", "two"}
