"""An installed plugin as a process that the engine starts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import psutil
import pytest
from google.protobuf.empty_pb2 import Empty

from offline_plugins import VERSIONS, install, warm
from offline_plugins.launch import SOCKET
from offline_plugins.protocol import provider_pb2, provider_pb2_grpc
from tests.support.waiting import until

PROJECT = Path(__file__).parents[2]
START_CPU_SECONDS = 1.0  # a quarter of a second on an idle machine
_ORPHANING = "import os,subprocess,sys; p=subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); p.wait()"


@pytest.fixture(scope="module", params=["alone", "forked"])
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Pulumi home with our plugins; with a process that has their imports done, or without."""
    made = tmp_path_factory.mktemp("home with a space")
    install(made, Path(sys.executable))
    if request.param == "alone":
        yield made
        return
    with _warm(made):
        yield made
    assert not (made / SOCKET).exists()


@contextmanager
def _warm(home: Path) -> Iterator[psutil.Process]:
    before = set(psutil.Process().children())
    command = [sys.executable, "-m", "offline_plugins", "warm", str(home)]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.DEVNULL) as started:
        try:
            until(lambda: _forks(home), "it listens")
            [process] = set(psutil.Process().children()) - before
            yield process
        finally:
            started.terminate()


def _forks(home: Path) -> bool:
    """Whether a plugin of this home is forked. By a relative path: its address has 108 bytes at most."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.path.relpath(home / SOCKET))
            return True
        except OSError:
            return False


def _server(port: int) -> psutil.Process:
    """The process that listens on a port."""
    found = [
        each.pid
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr[1] == port
    ]
    return psutil.Process(found[0])


def _gone(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


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
def test_a_plugin_prints_its_port_and_answers(home: Path, name: str) -> None:
    with _started(home, name) as (_process, port), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        info = provider_pb2_grpc.ResourceProviderStub(channel).GetPluginInfo(Empty(), timeout=20)
        assert info.version == VERSIONS[name]


@pytest.mark.parametrize("name", list(VERSIONS))
def test_the_start_of_a_plugin_uses_little_cpu_time(home: Path, name: str) -> None:
    with _started(home, name) as (process, _port):
        times = psutil.Process(process.pid).cpu_times()
        assert times.user + times.system < START_CPU_SECONDS


def test_a_plugin_listens_only_on_loopback(home: Path) -> None:
    with _started(home, "random") as (_process, port):
        connections = _server(port).net_connections("inet")
        listening = [
            (one.laddr.ip.removeprefix("::ffff:"), one.laddr.port)
            for one in connections
            if one.status == psutil.CONN_LISTEN
        ]
        assert listening == [("127.0.0.1", port)]


def test_a_plugin_ends_with_the_engine(home: Path) -> None:
    """Also after a kill -9 of the process that started it."""
    command = [sys.executable, "-c", _ORPHANING, _executable(home, "random")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        pid = int(engine.stdout.readline())
        port = int(engine.stdout.readline())
        engine.kill()
    until(lambda: not _runs(pid) and _gone(port), "the plugin ends")


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("name", list(VERSIONS))
def test_an_interrupt_ends_a_plugin_at_once(home: Path, name: str) -> None:
    """No Python cleanup runs: the engine ends its plugins in turn, and waits five seconds for all of them."""
    with _started(home, name) as (process, port), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        provider_pb2_grpc.ResourceProviderStub(channel).Cancel(Empty(), timeout=20)
        process.send_signal(signal.SIGINT)
        printed = process.communicate(timeout=20)
        assert (process.returncode, printed) == (-signal.SIGINT, ("", ""))
    until(lambda: _gone(port), "nobody serves any more")


@pytest.mark.parametrize("name", list(VERSIONS))
def test_a_forked_plugin_uses_almost_no_cpu_time(tmp_path: Path, name: str) -> None:
    """It still looks like the process that the engine started: its folder, its environment, its end."""
    install(tmp_path, Path(sys.executable))
    with _warm(tmp_path) as parent, _started(tmp_path, name) as (process, port):
        server = _server(port)
        assert (server.ppid(), server.cwd()) == (parent.pid, "/")
        assert process.pid != server.pid
        assert parent.num_threads() == 1, "nothing but its own thread, or a fork of it may hang"
        assert (tmp_path / SOCKET).stat().st_mode & 0o077 == 0


def test_a_forked_plugin_has_the_environment_of_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, Path(sys.executable))
    with _warm(tmp_path):
        monkeypatch.setenv("DIGITALOCEAN_API_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("DIGITALOCEAN_TOKEN", "planted-token")
        with _started(tmp_path, "digitalocean") as (_, port), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            assert stub.Configure(provider_pb2.ConfigureRequest(), timeout=20).supportsPreview
        monkeypatch.delenv("DIGITALOCEAN_API_URL")
        with _started(tmp_path, "digitalocean") as (_, port), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            with pytest.raises(grpc.RpcError, match=r"apiEndpoint is https://api\.digitalocean\.com, but"):
                stub.Configure(provider_pb2.ConfigureRequest(), timeout=20)


def test_a_changed_file_makes_the_warm_process_import_again(tmp_path: Path) -> None:
    """For example after `git pull`: one plugin starts alone, and the next ones are forked again."""
    install(tmp_path, Path(sys.executable))
    file = Path(warm.__file__)
    before = file.stat()
    with _warm(tmp_path) as parent:
        try:
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
            with _started(tmp_path, "random") as (process, port):
                assert _server(port).pid == process.pid

            def forked() -> bool:
                with _started(tmp_path, "random") as (_, port):
                    return _server(port).ppid() == parent.pid

            until(forked, "its imports are done again")
        finally:
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_plugins_start_alone_when_the_warm_process_was_killed(tmp_path: Path) -> None:
    install(tmp_path, Path(sys.executable))
    with _warm(tmp_path) as parent:
        parent.kill()
        until(lambda: not _forks(tmp_path), "it is gone")
        assert (tmp_path / SOCKET).exists()
        with _started(tmp_path, "random") as (process, port):
            assert _server(port).pid == process.pid


def test_an_unknown_plugin_name_is_refused() -> None:
    command = [sys.executable, "-m", "offline_plugins", "aws"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": "."})
    assert done.returncode == 2
    assert done.stderr == "There is no offline plugin 'aws'. Fix: use one of random, digitalocean, cloudflare.\n"


def test_the_command_installs_a_plugin(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "offline_plugins", "install", str(tmp_path), "random"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": "."})
    assert Path(_executable(tmp_path, "random")).is_file()
