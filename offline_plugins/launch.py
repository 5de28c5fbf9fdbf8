"""The program that the engine starts as a plugin: `warm` forks the plugin, or this process becomes it.

It is run by its path with as few imports as possible: `launch.py HOME CODE NAME [ENGINE_ADDRESS]`, where CODE is Python
that runs the plugin in a process of its own.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys

SOCKET = "plugins.sock"
OK = b"1"
PARENT_SECONDS = 1.0  # between two checks of the parent
LENGTH_BYTES = 8


def main(home: str, code: str, *arguments: str) -> None:
    """Run while the plugin runs."""
    connection = _forked(home, [word for word in arguments if not word.startswith("-")])
    if connection is None:
        os.execv(sys.executable, [sys.executable, "-I", "-c", code, *arguments])
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = os.getppid()
    while os.getppid() == parent:
        if select.select([connection], [], [], PARENT_SECONDS)[0]:
            sys.exit(1)  # the plugin has ended first
    # The engine was killed. The plugin ends when our end of the connection closes.


def _forked(home: str, words: list[str]) -> socket.socket | None:
    """Have the plugin forked; return a connection that is open while it runs, or None when it must start in this
    process.
    """
    folder = os.getcwd()
    try:
        os.chdir(home)  # a socket's address has 108 bytes at most, and a home may be deep
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(SOCKET)
        name, engine = [*words, "", ""][:2]
        send(connection, Asked(name, engine, folder, dict(os.environ)), [0, 1, 2])
        return connection if connection.recv(1) == OK else None
    except OSError:
        return None
    finally:
        os.chdir(folder)


class Asked:
    """A request for a plugin: its name, the engine's address, and the plugin's environment and folder."""

    def __init__(self, name: str, engine: str, folder: str, environment: dict[str, str]) -> None:
        self.name, self.engine, self.folder, self.environment = name, engine, folder, environment

    def encoded(self) -> bytes:
        """Encode the request, with zero bytes between its parts: no variable of an environment holds one."""
        return os.fsencode("\0".join([self.name, self.engine, self.folder, *_pairs(self.environment)]))

    @classmethod
    def decoded(cls, text: bytes) -> Asked:
        name, engine, folder, *pairs = os.fsdecode(text).split("\0")
        return cls(name, engine, folder, dict(pair.split("=", 1) for pair in pairs))


def _pairs(environment: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]


def send(connection: socket.socket, asked: Asked, files: list[int]) -> None:
    """Send the length and the request; the files go with the first byte."""
    text = asked.encoded()
    socket.send_fds(connection, [len(text).to_bytes(LENGTH_BYTES)], files)
    connection.sendall(text)


def received(connection: socket.socket) -> tuple[Asked, list[int]]:
    """Receive a request and its files. Raises OSError or ValueError when it is incomplete."""
    head, files, _, _ = socket.recv_fds(connection, LENGTH_BYTES, 3)
    left, text = int.from_bytes(head), b""
    while len(text) < left:
        part = connection.recv(left - len(text))
        if not part:
            raise ValueError("the request is not whole")
        text += part
    return Asked.decoded(text), list(files)


if __name__ == "__main__":
    main(*sys.argv[1:])
