"""`python3 -m toolchain` and `make`, as a user types them."""

from __future__ import annotations

import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from toolchain import command, pins, python, tools
from toolchain.errors import ToolError, ToolMissing
from toolchain.tools import Tools

HERE = Path("/somewhere")
FOUND = Tools(HERE, "3.259.0", "modules", HERE / "node", HERE / "modules", HERE / "pocketbase", HERE / "python")


@pytest.fixture(autouse=True)
def handler() -> object:
    """The command sets a handler for SIGTERM; the test runner's own comes back."""
    before = signal.getsignal(signal.SIGTERM)
    yield before
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("words", [["other"], ["ensure", "which"], ["--loud"], ["which", "more"]])
def test_unknown_words_show_the_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(words) == 2
    assert capsys.readouterr().err.startswith("usage: ")


@pytest.mark.parametrize("quiet,current,says", [(True, True, False), (True, False, True), (False, True, True)])
def test_quiet_ensure_prints_only_when_something_was_missing(
    quiet: bool, current: bool, says: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tools, "is_current", lambda: current)
    monkeypatch.setattr(tools, "ensure", lambda: FOUND)
    assert command.main(["ensure", *(["--quiet"] if quiet else [])]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert bool(told.err) is says


def test_an_error_is_its_problem_and_a_fix(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> Tools:
        raise ToolError("It is not there.")

    monkeypatch.setattr(tools, "is_current", lambda: False)
    monkeypatch.setattr(tools, "ensure", fail)
    assert command.main([]) == 1
    assert capsys.readouterr().err == "It is not there. Fix: run `make tools`.\n"


def test_an_interruption_causes_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop() -> Tools:
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("it went on")

    monkeypatch.setattr(tools, "is_current", lambda: False)
    monkeypatch.setattr(tools, "ensure", stop)
    assert command.main(["ensure"]) == 130
    assert "To go on, run `make tools`." in capsys.readouterr().err


def test_which_lists_every_tool_or_names_the_missing_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tools, "locate", lambda: FOUND)
    assert command.main(["which"]) == 0
    assert re.findall(r"^(\w+) ", capsys.readouterr().out, re.MULTILINE) == list(vars(FOUND))

    def fail() -> Tools:
        raise ToolMissing("The tools have not been installed yet.")

    monkeypatch.setattr(tools, "locate", fail)
    assert command.main(["which"]) == 1


def test_an_old_python_is_refused_before_newer_syntax_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    monkeypatch.delitem(sys.modules, "toolchain.command")
    with pytest.raises(SystemExit) as told:
        runpy.run_module("toolchain", run_name="__main__")
    assert re.search(r"3\.11 or later is needed; .* is 3\.9\. Fix: run `make PYTHON=", str(told.value.code))
    assert "toolchain.command" not in sys.modules


def test_make_alone_lists_every_command() -> None:
    makefile = (pins.PROJECT / "Makefile").read_text()
    said = subprocess.run(["make"], cwd=pins.PROJECT, capture_output=True, text=True, check=True).stdout
    public = re.findall(r"^([a-z]+):.*##", makefile, re.MULTILINE)
    assert re.findall(r"make ([a-z]+)", said.split("`", 1)[0] + said) >= public
    assert {"up", "down", "test", "tools", "check", "clean"} <= set(public)


def test_make_without_python_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text((pins.PROJECT / "Makefile").read_text())
    done = subprocess.run(
        ["make", "PYTHON=no-such-python", "tools"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "Python 3.11 or later is needed, and no-such-python is not on PATH." in done.stderr
    assert "Traceback" not in done.stderr


def test_the_environment_is_made_by_a_python_outside_of_it() -> None:
    """make runs in .venv when possible; a rebuild of .venv must not need the files that it removes."""
    assert not Path(python.base()).is_relative_to(python.VENV)
