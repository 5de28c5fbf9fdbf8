"""Programs run to their end: output, leftover processes, and time limits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from programs import OutOfTime, process, run, start

SECONDS = 60.0  # for what ends by itself
LEAVES_ONE = "sleep 600 & echo $! > pid; echo here; echo there >&2; exit 3"


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Path]:
    """The file with the number of a process that a program leaves behind; it is ended afterwards."""
    yield tmp_path / "pid"
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_output_errors_and_status_are_returned() -> None:
    done = run(["sh", "-c", "echo here; echo there >&2; exit 3"], seconds=SECONDS)
    assert (done.status, done.output, done.errors, done.text) == (3, b"here\n", "there\n", "here")


def test_output_may_be_any_bytes() -> None:
    done = run(["printf", r"caf\351\n"], seconds=SECONDS)
    assert done.output == b"caf\xe9\n"
    assert done.text == "caf\N{REPLACEMENT CHARACTER}"
    assert os.fsencode(done.names) == b"caf\xe9"


def test_a_process_left_behind_is_not_waited_for(left: Path, tmp_path: Path) -> None:
    """It holds the output open for ten minutes."""
    done = run(["sh", "-c", LEAVES_ONE], cwd=tmp_path, seconds=SECONDS)
    assert (done.status, done.output, done.errors) == (3, b"here\n", "there\n")
    os.kill(int(left.read_text()), 0)


def test_a_process_left_behind_that_writes_endlessly_is_not_read_endlessly(left: Path, tmp_path: Path) -> None:
    done = run(["sh", "-c", "yes & echo $! > pid"], cwd=tmp_path, seconds=SECONDS)
    assert done.status == 0


def test_a_pipe_that_never_ends_is_read_only_as_far_as_it_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_exchange: object, _pipe: int, sink: Callable[[bytes], object]) -> int:
        sink(b"y" * process.CHUNK)
        return process.CHUNK

    monkeypatch.setattr(process._Exchange, "_read", read)
    assert run(["true"], seconds=SECONDS).status == 0


def test_large_input_and_output_are_transferred_completely() -> None:
    """More than a pipe holds, in both directions at once."""
    given = os.urandom(3_000_000)
    assert run(["cat"], stdin=given, seconds=SECONDS).output == given
    assert run(["true"], stdin=given, seconds=SECONDS).status == 0


def test_lines_are_passed_on_one_by_one_including_an_unfinished_last_one() -> None:
    lines: list[bytes] = []
    done = run(["sh", "-c", "echo one; echo two >&2; printf three"], merged=True, line=lines.append, seconds=SECONDS)
    assert lines == [b"one", b"two", b"three"]
    assert done.output == b""


def test_a_program_beyond_its_time_limit_is_killed_even_with_closed_output(tmp_path: Path) -> None:
    with pytest.raises(OutOfTime):
        run(["sh", "-c", "echo $$ > pid; exec sleep 600 >&- 2>&-"], cwd=tmp_path, seconds=0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_children_in_its_own_session_are_killed_too(tmp_path: Path) -> None:
    script = "trap '' TERM; (trap '' TERM; sleep 600) & echo $! > pid; wait"
    with pytest.raises(OutOfTime):
        run(["sh", "-c", script], cwd=tmp_path, session=True, seconds=0.5)
    status = subprocess.run(["ps", "-o", "stat=", "-p", (tmp_path / "pid").read_text()], capture_output=True, text=True)
    assert status.stdout.strip() in {"", "Z"}


def test_an_interruption_kills_the_program_unless_it_is_patient(tmp_path: Path) -> None:
    """The line callback acts as Ctrl-C: the exception is raised while the output is read."""

    def interrupt(_: bytes) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", "echo $$ > pid; echo x; exec sleep 600"], cwd=tmp_path, line=interrupt, seconds=SECONDS)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    script = "trap '' PIPE; echo x; head -c 300000 /dev/zero; touch ended"
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", script], cwd=tmp_path, line=interrupt, patient=True, seconds=SECONDS)
    assert (tmp_path / "ended").exists()


def test_the_environment_is_the_given_one_or_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORACLE_TEST", "ours")
    assert run(["printenv", "ORACLE_TEST"], seconds=SECONDS).text == "ours"
    assert run(["/usr/bin/env"], env={"A": "1"}, seconds=SECONDS).text == "A=1"


def test_a_program_that_cannot_start_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run(["no-such-program"], seconds=SECONDS)


def test_a_background_program_writes_to_its_file(tmp_path: Path) -> None:
    with (tmp_path / "log").open("ab") as log:
        child = start([sys.executable, "-c", "import sys; print(1); sys.exit(4)"], output=log, session=True)
        assert child.wait() == 4
    assert (tmp_path / "log").read_text() == "1\n"
