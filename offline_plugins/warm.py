"""A process that forks plugins with all imports done: imports take nearly all of a plugin's start.

An engine starts six plugins for one update. Each plugin is a process of its own. It gets the environment, the folder
and the output of its launcher (`launch`), which the engine started, and ends with it. The socket lies in the Pulumi
home, for its owner only. When a file of ours has changed, the plugin starts alone, and this process starts again.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from offline_plugins import VERSIONS
from offline_plugins.folder import code
from offline_plugins.launch import OK, SOCKET, Asked, received

PARENT_SECONDS = 1.0  # between two checks of the parent
_ROOT = Path(__file__).resolve().parents[1]


def main(home: Path) -> None:
    """Serve until SIGTERM, or until the process that started this one has ended."""
    if not sys.flags.isolated:  # as for a plugin that starts alone: see `folder.code`
        os.execv(sys.executable, [sys.executable, "-I", "-c", code(), "warm", str(home)])
    os.chdir(home)  # a socket's address has 108 bytes at most, and a home may be deep
    signal.signal(signal.SIGTERM, _end)
    with suppress(FileNotFoundError):
        os.unlink(SOCKET)
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # from the terminal; the parent's end or SIGTERM ends this process
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the plugins
    _import_all()
    known, parent = _files(), os.getppid()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(SOCKET)
        listener.listen(64)
        while os.getppid() == parent:
            if not select.select([listener], [], [], PARENT_SECONDS)[0]:
                continue
            connection, _ = listener.accept()
            with connection:
                if _files() != known:
                    os.execv(sys.executable, sys.orig_argv)
                with suppress(OSError, ValueError):  # the launcher has ended: serve the next one
                    _serve(connection, listener)


def _end(*_: object) -> None:
    """Remove the socket and end. After the parent's death the socket stays: it may belong to a successor."""
    with suppress(FileNotFoundError):
        os.unlink(SOCKET)
    os._exit(0)


def _import_all() -> None:
    from offline_plugins import server  # noqa: F401
    from offline_plugins.catalog import provider

    for name in VERSIONS:
        provider(name)


def _files() -> dict[str, int]:
    """Return the modification times of our imported files and of the library folders."""
    imported = {str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())}
    libraries = [folder for folder in sys.path if folder.endswith("site-packages")]
    ours = [name for name in imported if name.startswith(f"{_ROOT}{os.sep}") and not name.startswith(tuple(libraries))]
    return {name: os.stat(name).st_mtime_ns for name in sorted([*ours, *libraries]) if os.path.exists(name)}


def _serve(connection: socket.socket, listener: socket.socket) -> None:
    asked, files = received(connection)
    try:
        if os.fork() == 0:
            _become(asked, files, connection, listener)
    finally:
        for file in files:
            os.close(file)


def _become(asked: Asked, files: list[int], connection: socket.socket, listener: socket.socket) -> None:
    """Become the requested plugin; does not return."""
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        listener.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
        os.environ.clear()
        os.environ.update(asked.environment)
        os.chdir(asked.folder)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        from offline_plugins.catalog import provider
        from offline_plugins.server import serve

        made = provider(asked.name)
        connection.sendall(OK)
        serve(made, asked.engine, lambda: connection.recv(1))
        status = 0
    finally:
        os._exit(status)
