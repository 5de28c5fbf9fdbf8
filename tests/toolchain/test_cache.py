"""An entry of the cache is complete or missing, however its installation ends."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolchain import cache
from toolchain.errors import DiskFull, ToolError

# A child that makes a part: writes half of it, says so, and goes on only when its input ends.
CHILD = """
    import sys
    from pathlib import Path
    from toolchain import cache

    def make(folder: Path) -> None:
        (folder / "half").write_text("x")
        print("half", flush=True)
        sys.stdin.read()
        (folder / "rest").write_text("made by {name}")

    print(cache.install("part-1", make), flush=True)
"""


@contextlib.contextmanager
def child(name: str, before: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process of its own that makes a part; it ends with the block, also when an assertion fails in it."""
    script = textwrap.dedent(CHILD).replace("{name}", name)
    process = subprocess.Popen(
        [sys.executable, "-c", before + script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def line(stream: object) -> str:
    assert hasattr(stream, "readline")
    return str(stream.readline()).strip()


def never(_folder: Path) -> None:
    pytest.fail("it was there already")


def fill(folder: Path) -> None:
    (folder / "file").write_text("whole")


def test_an_entry_is_installed_once() -> None:
    made = cache.install("part-1", fill)
    assert (made / "file").read_text() == "whole"
    assert cache.install("part-1", never) == made
    assert not list((cache.root() / "tmp").iterdir())


def test_a_failed_installation_leaves_nothing() -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise ToolError("the network went away")

    with pytest.raises(ToolError, match="network"):
        cache.install("part-1", fail)
    assert not (cache.root() / "part-1").exists()
    assert not list((cache.root() / "tmp").iterdir())
    assert (cache.install("part-1", fill) / "file").exists()


def test_a_killed_installation_leaves_nothing_after_the_next_run() -> None:
    with child("the killed one") as killed:
        assert line(killed.stdout) == "half"
        killed.send_signal(signal.SIGKILL)
    assert not (cache.root() / "part-1").exists()
    assert [left.name.split(".")[0] for left in (cache.root() / "tmp").iterdir()] == ["part-1"]

    assert (cache.install("part-1", fill) / "file").read_text() == "whole"
    assert not list((cache.root() / "tmp").iterdir())


def test_a_concurrent_installation_waits_and_names_the_other_process() -> None:
    with child("the first") as first, child("the second") as second:
        assert second.stdout is not None
        assert first.stdout is not None
        # Either may have come first: the other one waits, and says so.
        ahead, behind = (first, second) if _came_first(first, second) else (second, first)
        assert f"process {ahead.pid}" in line(behind.stderr)
        assert ahead.stdin is not None
        ahead.stdin.close()
        name = "the first" if ahead is first else "the second"
        assert line(ahead.stdout) == line(behind.stdout) == str(cache.root() / "part-1")
        assert (cache.root() / "part-1" / "rest").read_text() == f"made by {name}"


# Holds the lock for a while before it writes who it is, as a process does that the system stops there.
SLOW_TO_WRITE = """
import sys
from toolchain import cache

real = cache._write

def late(file, holder):
    if holder:
        print("held", flush=True)
        sys.stdin.readline()
    real(file, holder)

cache._write = late
"""

# Says each time that it has found the lock taken.
SAYS_THAT_IT_WAITS = """
from toolchain import cache

cache.time.sleep = lambda seconds, sleep=cache.time.sleep: (print("waits", flush=True), sleep(seconds))
"""


def test_the_waiting_process_names_nothing_before_the_other_is_known() -> None:
    with child("the slow one", SLOW_TO_WRITE) as slow:
        assert line(slow.stdout) == "held"
        with child("the waiting one", SAYS_THAT_IT_WAITS) as waiting:
            assert slow.stdin is not None
            assert waiting.stderr is not None
            assert line(waiting.stdout) == "waits"
            with selectors.DefaultSelector() as said:
                said.register(waiting.stderr, selectors.EVENT_READ)
                assert not said.select(timeout=0)
            slow.stdin.write("\n")
            slow.stdin.flush()
            assert f"process {slow.pid}" in line(waiting.stderr)
            slow.stdin.close()
            assert line(slow.stdout) == "half"
            assert line(slow.stdout) == str(cache.root() / "part-1")
            assert waiting.stdout is not None
            assert waiting.stdout.read().replace("waits\n", "").strip() == str(cache.root() / "part-1")


def _came_first(first: subprocess.Popen[str], second: subprocess.Popen[str]) -> bool:
    with selectors.DefaultSelector() as ready:
        assert first.stdout is not None
        assert second.stdout is not None
        ready.register(first.stdout, selectors.EVENT_READ, True)
        ready.register(second.stdout, selectors.EVENT_READ, False)
        key, _ = ready.select(timeout=30)[0]
    assert line(key.fileobj) == "half"
    return bool(key.data)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_sentence_and_the_next_command(code: int) -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise OSError(code, os.strerror(code))

    with pytest.raises(DiskFull) as told:
        cache.install("part-1", fail)
    assert str(cache.root()) in told.value.problem
    assert "`ORACLE_CACHE=" in told.value.fix
    assert not (cache.root() / "part-1").exists()


def test_a_really_full_disk_is_reported(tmp_path: Path) -> None:
    """A file system of 64 KB, in its own mount namespace."""
    small = tmp_path / "small"
    small.mkdir()
    script = textwrap.dedent(
        """
        from pathlib import Path
        from toolchain import cache
        from toolchain.errors import DiskFull

        try:
            cache.install("part-1", lambda folder: (folder / "big").write_bytes(b"x" * 1_000_000) and None)
        except DiskFull as full:
            left = [str(path) for path in cache.root().rglob("*") if path.is_file() and path.suffix != ".lock"]
            print("told", left, full)
        """
    )
    mount = f'mount -t tmpfs -o size=64k none {small} && exec {sys.executable} -c "$SCRIPT"'
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no unshare(1) here")
    done = subprocess.run(
        [unshare, "--user", "--map-root-user", "--mount", "sh", "-c", mount],
        env={**os.environ, "ORACLE_CACHE": str(small / "cache"), "SCRIPT": script},
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare failed" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mount namespaces here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"told [] The disk that holds {small / 'cache'} is full"), done.stdout


@pytest.mark.parametrize("full,fix", [("cache", "ORACLE_CACHE="), ("project", "run `make tools`")])
def test_the_message_names_the_disk_that_is_full(
    full: str, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uv and pip write to the cache and to .venv, and do not say which disk was full."""
    for name in ("cache", "project"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(cache, "_room", lambda folder: 0 if folder == tmp_path / full else 1)
    told = cache.disk_full(tmp_path / "project", "the work")
    assert f"holds {tmp_path / full} is full" in told.problem
    assert fix in told.fix


def test_a_folder_that_cannot_be_written_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ToolError, match="cannot be written"):
        cache.install("part-1", fill)


def test_read_only_folders_are_removed(tmp_path: Path) -> None:
    """Go makes its module cache read-only."""
    inner = tmp_path / "modules" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    inner.chmod(0o555)
    cache.remove(tmp_path / "modules")
    assert not (tmp_path / "modules").exists()


@pytest.mark.parametrize("first_ends", [True, False])
def test_a_shared_folder_is_removed_by_the_last_one(first_ends: bool) -> None:
    first, second = cache.shared("downloads"), cache.shared("downloads")
    folder = first.__enter__()
    folder.mkdir()
    second.__enter__()
    ahead, behind = (first, second) if first_ends else (second, first)
    ahead.__exit__(None, None, None)
    assert folder.is_dir()
    behind.__exit__(None, None, None)
    assert not folder.exists()


def test_a_shared_folder_stays_after_a_failure() -> None:
    shared = cache.shared("downloads")
    folder = shared.__enter__()
    folder.mkdir()
    failure = ToolError("the build failed")
    assert not shared.__exit__(ToolError, failure, None)
    assert folder.is_dir()


def test_nobody_uses_a_shared_folder_while_it_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process waits for the removal to end, and has the lock then."""
    script = "from toolchain import cache\nwith cache.shared('downloads') as folder: print(folder.exists(), flush=True)"
    began: list[subprocess.Popen[str]] = []
    remove = cache.remove

    def slowly(folder: Path) -> None:
        began.append(subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True))
        with selectors.DefaultSelector() as said:
            said.register(began[0].stdout or pytest.fail("no output"), selectors.EVENT_READ)
            assert not said.select(timeout=1)
        remove(folder)

    monkeypatch.setattr(cache, "remove", slowly)
    with cache.shared("downloads") as folder:
        folder.mkdir()
    [other] = began
    assert other.communicate(timeout=30)[0] == "False\n"


def test_the_cache_folder_can_be_set_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.root() == tmp_path / "cache"
    monkeypatch.delenv("ORACLE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.root() == tmp_path / "xdg" / "oracle-net"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.root() == Path.home() / ".cache" / "oracle-net"
