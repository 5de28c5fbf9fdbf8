"""Programs that the toolchain runs: their failures as sentences, and no leftover processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolchain.errors import DiskFull, ToolError
from toolchain.run import output, run


def shell(script: str, folder: Path) -> None:
    run(["sh", "-c", script], doing="the work", folder=folder)


def test_a_failure_shows_the_end_of_the_output(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as told:
        shell("seq 1 100; echo the reason >&2; exit 3", tmp_path)
    assert told.value.problem.startswith("the work failed with status 3.")
    assert told.value.problem.endswith("the reason")
    assert "    87\n" in told.value.problem
    assert "    1\n" not in told.value.problem


@pytest.mark.parametrize(
    "said",
    [
        "write /tmp/go-build1/b001: no space left on device",  # go
        "npm error code ENOSPC",
        "error: failed to write to file: No space left on device (os error 28)",  # uv
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",  # pip
        "error: Failed to extract archive (os error 28)",
        "Disk quota exceeded",
    ],
)
def test_a_full_disk_is_recognized_in_the_output(said: str, tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match="is full"):
        shell(f"echo '{said}'; echo more; exit 1", tmp_path)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="no-such-program is not installed"):
        run(["no-such-program"], doing="the work", folder=tmp_path)


def test_an_interruption_stops_the_program_first(tmp_path: Path) -> None:
    """The line callback acts as Ctrl-C: the exception is raised while the output is read."""
    pids: list[int] = []

    def interrupt(text: str) -> None:
        pids.append(int(text))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", "echo $$; exec sleep 600"], doing="the work", folder=tmp_path, line=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_quick_programs_return_their_output_or_none() -> None:
    assert output(["sh", "-c", "echo here"]) == "here\n"
    assert output(["sh", "-c", "exit 1"]) is None
    assert output(["no-such-program"]) is None
    assert output(["sleep", "600"], seconds=0.05) is None
