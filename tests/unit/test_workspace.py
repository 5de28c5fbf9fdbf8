"""The environment variables of a stack's engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.engine.workspace import NEVER_BY_PROXY, PROXIES, Stack, exports
from tests.support.scripted import scripted

LISTED = ",".join(NEVER_BY_PROXY)
CHANNEL = """
import sys
from concurrent.futures import ThreadPoolExecutor
import grpc
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
server = grpc.server(ThreadPoolExecutor(1))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=_GRPC_CHANNEL_OPTIONS)
grpc.channel_ready_future(channel).result(timeout=float(sys.argv[1]))
channel.close()
server.stop(None)
"""
"""The engine's address as the SDK opens it."""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    for name in (*PROXIES, "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    found = Stack("prod", tmp_path)
    found.file.write_text("config: {}\n")
    return found


def test_without_a_proxy_no_proxy_variable_is_set(stack: Stack) -> None:
    assert not [name for name in exports(stack) if "proxy" in name.lower()]


@pytest.mark.parametrize("name", [*PROXIES, *map(str.upper, PROXIES)])
@pytest.mark.parametrize(
    "before, after",
    [(None, LISTED), ("example.org, localhost", "example.org,localhost,127.0.0.1,.localhost,::1"), ("", LISTED)],
)
def test_loopback_is_excluded_from_the_proxy(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, name: str, before: str | None, after: str
) -> None:
    monkeypatch.setenv(name, "http://proxy.test:3128")
    if before is not None:
        monkeypatch.setenv("NO_PROXY", before)
    found = exports(stack)
    assert (found["NO_PROXY"], found["no_proxy"]) == (after, after)


def test_the_program_reaches_the_engine_despite_a_proxy(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """gRPC uses `https_proxy` even for 127.0.0.1, and the engine waits only briefly for its program."""
    with scripted() as proxy:
        monkeypatch.setenv("https_proxy", proxy.address)
        command = [sys.executable, "-c", CHANNEL, "30"]
        subprocess.run(command, env={**os.environ, **exports(stack)}, check=True, timeout=60)
        assert not proxy.asked
