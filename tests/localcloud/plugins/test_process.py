"""An installed plugin as a process, as the engine starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import psutil
import pytest
from google.protobuf.empty_pb2 import Empty

from localcloud.plugins import VERSIONS, install
from localcloud.plugins.protocol import provider_pb2_grpc
from tests.support.waiting import until

START_CPU_SECONDS = 1.0  # a quarter of a second on an idle machine
_ORPHANING = "import os,subprocess,sys; p=subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); p.wait()"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home with a space")
    install(made, Path(sys.executable))
    return made


def _executable(home: Path, name: str) -> str:
    return str(home / "plugins" / f"resource-{name}-v{VERSIONS[name]}" / f"pulumi-resource-{name}")


@contextmanager
def _started(home: Path, name: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process and the port that it printed."""
    command = [_executable(home, name), "--logtostderr", "127.0.0.1:9"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd="/") as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.parametrize("name", list(VERSIONS))
def test_it_prints_its_port_and_answers(home: Path, name: str) -> None:
    with _started(home, name) as (_process, port), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        info = provider_pb2_grpc.ResourceProviderStub(channel).GetPluginInfo(Empty(), timeout=20)
        assert info.version == VERSIONS[name]


@pytest.mark.parametrize("name", list(VERSIONS))
def test_starting_is_cheap(home: Path, name: str) -> None:
    with _started(home, name) as (process, _port):
        times = psutil.Process(process.pid).cpu_times()
        assert times.user + times.system < START_CPU_SECONDS


def test_only_loopback_is_listened_on(home: Path) -> None:
    with _started(home, "random") as (process, port):
        connections = psutil.Process(process.pid).net_connections("inet")
        listening = [
            (one.laddr.ip.removeprefix("::ffff:"), one.laddr.port)
            for one in connections
            if one.status == psutil.CONN_LISTEN
        ]
        assert listening == [("127.0.0.1", port)]


def test_it_ends_with_the_engine(home: Path) -> None:
    """Kill -9 of the process that started it, which can tell nobody."""
    command = [sys.executable, "-c", _ORPHANING, _executable(home, "random")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        pid = int(engine.stdout.readline())
        int(engine.stdout.readline())  # the plugin's port: it runs
        engine.kill()
    until(lambda: not _runs(pid), "the plugin ends")


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("name", list(VERSIONS))
def test_an_interrupt_ends_it_at_once(home: Path, name: str) -> None:
    """Nothing of Python runs any more: the engine ends its plugins one by one, and has five seconds for them all."""
    with _started(home, name) as (process, port), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        provider_pb2_grpc.ResourceProviderStub(channel).Cancel(Empty(), timeout=20)
        process.send_signal(signal.SIGINT)
        printed = process.communicate(timeout=20)
        assert (process.returncode, printed) == (-signal.SIGINT, ("", ""))


def test_unknown_names_are_refused() -> None:
    command = [sys.executable, "-m", "localcloud.plugins", "aws"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": "."})
    assert done.returncode == 2
    assert done.stderr == "there is no offline plugin 'aws'; there are: random, digitalocean, cloudflare\n"


def test_it_installs_itself(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "localcloud.plugins", "install", str(tmp_path), "random"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": "."})
    assert Path(_executable(tmp_path, "random")).is_file()
