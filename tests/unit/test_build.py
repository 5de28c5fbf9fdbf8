"""Services' own builds: their output, their failures, and what they leave behind."""

from __future__ import annotations

import os
import signal
from contextlib import nullcontext
from pathlib import Path

import pytest

from ops import build
from ops.build import Build, run_builds
from ops.failures import Failure


def made(tmp_path: Path, command: str) -> Build:
    return Build("api", tmp_path, command, tmp_path / "logs" / "build.log")


def test_the_output_goes_to_the_log_as_it_is_and_to_whoever_hears(tmp_path: Path) -> None:
    heard: list[str] = []

    wanted = made(tmp_path, r"echo one; printf 'caf\351\n' >&2")
    assert list(run_builds([wanted], lambda _: nullcontext(heard.append))) == [wanted]
    assert heard == ["one", "caf\N{REPLACEMENT CHARACTER}"]
    assert wanted.log.read_bytes() == b"one\ncaf\xe9\n"


def test_a_failure_ends_in_the_end_of_the_log(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"The build of api failed \(status 3\)(.|\n)*the reason"):
        list(run_builds([made(tmp_path, "echo the reason; exit 3")]))


def test_what_a_build_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    """As a daemon that some build tools start, which holds the output open for ten minutes."""
    wanted = made(tmp_path, "sleep 600 & echo $! > pid; echo built")
    try:
        assert list(run_builds([wanted])) == [wanted]
        os.kill(int((tmp_path / "pid").read_text()), 0)
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert wanted.log.read_text() == "built\n"


def test_one_that_does_not_end_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "BUILD_SECONDS", 0.5)
    with pytest.raises(
        Failure, match=r"did not end within 0 minutes and was stopped; see its log .*: oracle build api"
    ):
        list(run_builds([made(tmp_path, "exec sleep 600")]))
