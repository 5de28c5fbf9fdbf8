"""Commands through a terminal behind a websocket: a real shell on a real pseudo-terminal, echo and all."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import threading
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from appplatform.console import ConsoleError, run_command


def terminal(socket: ServerConnection) -> None:
    """As App Platform's console: frames in, whatever the terminal prints out, in small pieces."""
    master, slave = pty.openpty()
    shell = subprocess.Popen(["/bin/sh"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)

    def forward() -> None:
        try:
            while data := os.read(master, 7):
                socket.send(json.dumps({"data": data.decode(errors="replace")}))
        except (OSError, ConnectionClosed):
            socket.close()

    reader = threading.Thread(target=forward)
    reader.start()
    try:
        for frame in socket:
            message = json.loads(frame)
            if message["op"] == "stdin":
                os.write(master, message["data"].encode())
    except ConnectionClosed:
        pass
    finally:
        shell.kill()
        shell.wait()
        reader.join()
        os.close(master)


@pytest.fixture
def url() -> Iterator[str]:
    with serve(terminal, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/?token=once"
        server.shutdown()
        thread.join()


def test_output_and_status_of_a_command(url: str) -> None:
    result = run_command(url, ["sh", "-c", "echo one; echo two >&2; exit 3"])
    assert (result.status, result.output) == (3, "one\ntwo")


def test_what_is_typed_is_not_taken_for_what_is_printed(url: str) -> None:
    result = run_command(url, ["printf", "%s\n", "a b 'c' $HOME; exit 9"])
    assert (result.status, result.output) == (0, "a b 'c' $HOME; exit 9")


def test_a_command_that_is_not_there(url: str) -> None:
    assert run_command(url, ["./no-such-command"]).status == 127


def test_a_command_without_output(url: str) -> None:
    assert run_command(url, ["true"]).output == ""


def test_a_shell_that_ends_is_an_error_without_the_command(url: str) -> None:
    with pytest.raises(ConsoleError) as caught:
        run_command(url, ["sh", "-c", "kill -9 $PPID; echo planted-password"], seconds=10)
    assert "planted-password" not in str(caught.value)


def test_a_console_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConsoleError, match="console failed"):
        run_command("ws://127.0.0.1:9/", ["true"], seconds=5)


def test_a_command_longer_than_a_terminals_line_is_refused() -> None:
    with pytest.raises(ConsoleError, match="too long"):
        run_command("ws://127.0.0.1:9/", ["x" * 5000])
