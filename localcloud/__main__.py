"""Run the local cloud in the foreground until SIGTERM or Ctrl-C: `python -m localcloud`."""

from __future__ import annotations

import argparse
import asyncio
import errno
import fcntl
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import psutil

from localcloud.backoff import attempts
from localcloud.cloud import ToolPaths, open_cloud
from localcloud.processes import background

LEFTOVER_SECONDS = 5.0
PROJECT = Path(__file__).resolve().parents[1]


REFUSED, PORT_USED, RUNS_ALREADY = 1, 98, 99
"""Exit statuses of a refused start: of any, because of a port, and because the local cloud runs already."""


class Refusal(Exception):
    """A problem that prevents the start, its fix, and the exit status."""

    def __init__(self, problem: str, fix: str = "", status: int = REFUSED) -> None:
        super().__init__(problem)
        self.fix = fix
        self.status = status


def main(arguments: list[str] | None = None) -> int:
    """Serve, and return the exit status: 0 after a graceful stop, another one when the start was refused."""
    options = parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        run(options)
    except (Refusal, ValueError) as refusal:
        print(f"localcloud: {refusal}", file=sys.stderr)
        if not isinstance(refusal, Refusal):
            return REFUSED
        if refusal.fix:
            print(f"Fix: {refusal.fix}.", file=sys.stderr)
        return refusal.status
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    options = argparse.ArgumentParser(prog="python -m localcloud", description=__doc__)
    options.add_argument("--state", type=Path, required=True, help="folder of everything the local cloud keeps")
    options.add_argument("--port", type=int, default=8400, help="control plane, on 127.0.0.1")
    options.add_argument("--edge-port", type=int, default=8401, help="apps and Workers, on 127.0.0.1")
    options.add_argument("--node", type=Path, required=True, help="the Node executable")
    options.add_argument("--node-modules", type=Path, required=True, help="the folder that holds miniflare")
    options.add_argument("--pocketbase", type=Path, required=True, help="the PocketBase executable")
    options.add_argument("--plugins", type=Path, help="a Pulumi home whose offline plugins are to start quickly")
    options.add_argument("--account-id", help="the Cloudflare account's id; made at the first start when left out")
    return options


def run(options: argparse.Namespace) -> None:
    """Lock the state folder, take both ports, and serve."""
    from localcloud.edge_process import EdgeError
    from localcloud.server import serve

    root: Path = options.state.absolute()
    tools = ToolPaths(options.node, options.node_modules, options.pocketbase).checked()
    os.umask(0o077)
    root.mkdir(parents=True, exist_ok=True)
    with (
        locked(root, options.port) as killed,
        listener(options.port, "--port") as control,
        plugin_process(options.plugins),
    ):
        await_port(options.edge_port, "--edge-port", LEFTOVER_SECONDS if killed else 0)
        cloud = open_cloud(root, options.port, options.edge_port, tools, options.account_id)
        try:
            asyncio.run(serve(cloud, control))
        except EdgeError as error:
            raise Refusal(str(error)) from error


def plugin_process(home: Path | None) -> AbstractContextManager[None]:
    """Run the process that forks the offline plugins of a Pulumi home, a program of its own. Without a home, do
    nothing.
    """
    if home is None:
        return nullcontext()
    return background([sys.executable, "-m", "offline_plugins", "warm", str(home.absolute())], PROJECT)


@contextmanager
def locked(root: Path, port: int) -> Iterator[bool]:
    """Lock the state folder; yield True when the previous process was killed.

    The kernel releases the lock even after kill -9.
    """
    with (root / "lock").open("a+") as file:
        file.seek(0)
        before = file.read()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            problem = f"The local cloud already runs on {root}{_holder(before)}."
            raise Refusal(problem, "stop that process", RUNS_ALREADY) from error
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "port": port}))
        file.flush()
        yield bool(before)
        file.truncate(0)


def _holder(text: str) -> str:
    try:
        held = json.loads(text)
        return f" (process {held['pid']}, http://127.0.0.1:{held['port']})"
    except (ValueError, KeyError, TypeError):
        return ""


def listener(port: int, option: str) -> socket.socket:
    """Return a bound socket that does not listen yet: connections are refused until everything has started."""
    # With the protocol named, asyncio switches Nagle's algorithm off. Otherwise every response takes 40 ms longer.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError as error:
        bound.close()
        if error.errno != errno.EADDRINUSE:
            raise Refusal(
                f"Port {port} cannot be used: {error.strerror}.", f"use another {option}", PORT_USED
            ) from error
        fix = f"stop that program, or use another {option}"
        raise Refusal(f"Port {port} is in use{who_listens(port)}.", fix, PORT_USED) from error
    return bound


def await_port(port: int, option: str, seconds: float) -> None:
    """Wait until the port is free: the processes of a killed run may need a moment to end."""
    refusal: Refusal | None = None
    for pause in attempts(0.02, 0.3, seconds):
        time.sleep(pause)
        try:
            return listener(port, option).close()
        except Refusal as error:
            refusal = error
    assert refusal
    raise refusal


def who_listens(port: int) -> str:
    """Return “ by NAME (process PID)”, or "" when the system does not show it. Arguments are left out: they may be
    secret.
    """
    try:
        for connection in psutil.net_connections("tcp"):
            at = connection.laddr[1] if connection.laddr else None
            if connection.status == psutil.CONN_LISTEN and at == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass
    return ""


if __name__ == "__main__":
    sys.exit(main())
