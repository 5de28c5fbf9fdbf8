"""Unexpected errors: the message has the trace's last line and the file of its full text, and no wrong advice."""

from __future__ import annotations

import asyncio
import itertools
import stat
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

import advice
from cli import main
from cli.engine.pulumi import Engine, Finished
from cli.engine.workspace import Stack
from cli.stack_argument import Invocation
from cli.ui.errors import Cause, CommandError, program_cause
from clients.app_platform import AppPlatformError
from components import backend
from errors import STACK, Fix, Remedy, SetKey, UserError, UserErrors
from lifecycle.backend_disk import DiskProvider
from lifecycle.delete_guard import BackupBeforeDelete
from lifecycle.errors import describe, guarded, show_errors_as_text, shown_as_text
from stack_outputs import RUN_VARIABLE
from tests.support.owners import owner
from tracebacks import PROJECT, full_text, last_line, located

SECRET = "planted-secret-of-the-environment"
HEAD = "Updating (prod):\n    pulumi:pulumi:Stack oracle-net-prod running error: Program failed with\n"
LISTED = "Diagnostics:\n  pulumi:pulumi:Stack (oracle-net-prod):\n"
TAIL = "\nResources:\n    1 unchanged\n    1 errored\n\nDuration: 1s\n"
UNHANDLED = "    error: Program failed with an unhandled exception:\n    Traceback (most recent call last):\n"
FRAME = '      File "__main__.py", line 21, in <module>\n        raise it\n        ^^^^^^^^\n'
AGAIN = "    Traceback (most recent call last):\n"
UPDATE = "pulumi up --stack prod"
ABOVE = "the program did not expect this, whose trace is above: "


def output(*lines: str) -> str:
    return HEAD + LISTED + "".join(lines) + TAIL


GROUP = """    error: Program failed with an unhandled exception:
      + Exception Group Traceback (most recent call last):
      |   File "__main__.py", line 3, in <module>
      | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
      +-+---------------- 1 ----------------
        | Traceback (most recent call last):
        |   File "__main__.py", line 2, in one
        |     raise KeyError("inner")
        | KeyError: 'inner'
        +------------------------------------
"""


@pytest.mark.parametrize(
    "lines, last",
    [
        (["    KeyError: 'missing'\n"], "KeyError: 'missing'"),
        (["    AssertionError\n"], "AssertionError"),
        (["    RuntimeError: line one\n", "    line two\n"], "RuntimeError: line one line two"),
        (["    RuntimeError: one\n", "    \n", "        two\n", "    * three\n"], "RuntimeError: one two * three"),
        (["    KeyError: 'a'\n", "    \n", "    During handling of it:\n", "    \n", AGAIN, FRAME, "    OSError: b\n"],
         "OSError: b"),
        (['      File "f.py", line 1\n', "        a b\n", "          ^\n", "    SyntaxError: invalid syntax\n"],
         "SyntaxError: invalid syntax"),
        ([f"    ValueError: {'x' * 5000}\n"], f"ValueError: {'x' * 288}"),
    ],
)  # fmt: skip
def test_an_exception_of_the_program_is_shown_by_its_last_line(lines: list[str], last: str) -> None:
    assert program_cause(output(UNHANDLED, FRAME, *lines)) == Cause(ABOVE + last, unexpected=True)


@pytest.mark.parametrize(
    "text, cause",
    [
        (output(GROUP), Cause(f"{ABOVE}KeyError: 'inner'", unexpected=True)),
        (
            output('    error: after hook "x" failed: the program did not expect this, whose trace follows: KeyError\n',
                   "    Traceback (most recent call last):\n", FRAME, "    KeyError\n"),
            Cause(f'after hook "x" failed: {ABOVE}KeyError', unexpected=True),
        ),
        (
            output("    leaving\n\n",
                   "    error: an unhandled error occurred: program exited with non-zero exit code: 1\n"),
            Cause("the program ended with exit status 1; it said last: leaving", unexpected=True),
        ),
        (
            output("    error: an unhandled error occurred: Program exited with non-zero exit code: -9\n"),
            Cause("the program ended with exit status -9", unexpected=True),
        ),
        (output("    error: A sentence; type: x\n", "    error: update failed\n"), Cause("A sentence; type: x")),
        (output("    error: update failed\n"), None),
    ],
)  # fmt: skip
def test_other_failures_of_the_program_have_their_own_causes(text: str, cause: Cause | None) -> None:
    assert program_cause(text) == cause


def test_an_unexpected_error_gets_no_advice_to_retry(tmp_path: Path) -> None:
    engine = Engine.__new__(Engine)
    engine.stack = Stack("prod", tmp_path)
    broken = Finished(255, output(UNHANDLED, FRAME, "    KeyError: 'missing'\n"))
    full_text = " Fix: run `oracle logs` to read its full text."
    assert advice.text(engine.failure(broken, UPDATE), "prod", "") == f"{ABOVE}KeyError: 'missing'.{full_text}"
    assert advice.text(engine.failure(broken, UPDATE, "The update failed"), "prod", "") == (
        f"The update failed: {ABOVE}KeyError: 'missing'.{full_text}"
    )
    colon = Finished(255, output("    error: The store is full:\n"))  # as godo ends its first line
    assert advice.text(engine.failure(colon, UPDATE), "prod", "") == f"The store is full. To go on, run `{UPDATE}`."
    known = Finished(255, output("    error: The store is full.\n"))
    assert advice.text(engine.failure(known, UPDATE), "prod", "") == f"The store is full. To go on, run `{UPDATE}`."
    assert advice.text(engine.failure(known, UPDATE, "The update failed", "Nothing is lost."), "prod", "") == (
        f"The update failed: The store is full. Nothing is lost. To go on, run `{UPDATE}`."
    )


def test_a_known_failure_keeps_its_fixes_and_goes_on(tmp_path: Path) -> None:
    engine = Engine.__new__(Engine)
    engine.stack = Stack("prod", tmp_path)
    refused = Finished(255, output("    error: GET http://x/v2/apps: 401 Unable to authenticate you\n"))
    failure = engine.failure(refused, UPDATE, "The update failed", "Nothing is lost.")
    assert advice.text(failure, "prod", "") == (
        "The update failed: A cloud refused the token: it is another stack's, or it is no longer valid. Nothing is "
        "lost. "
        f"Fix: run `oracle doctor prod` to see which one. To go on, run `{UPDATE}`."
    )


def raising(error: BaseException) -> Callable[..., None]:
    def run(obj: Invocation) -> None:
        raise error

    return run


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(main, "ERRORS", tmp_path / "errors")
    monkeypatch.setattr("sys.argv", ["oracle", "wipe", "prod"])
    monkeypatch.delenv("CI", raising=False)
    return tmp_path / "errors"


def run_main(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    monkeypatch.setattr(main, "app", raising(error))
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    "error, last",
    [
        (KeyError("missing"), "KeyError: 'missing'"),
        (AssertionError(), "AssertionError"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (RuntimeError("one\ntwo"), "RuntimeError: one two"),
        (ExceptionGroup("several", [ValueError("a")]), "ExceptionGroup: several (1 sub-exception)"),
    ],
)
def test_an_unexpected_error_of_the_command_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], errors: Path, error: Exception, last: str
) -> None:
    assert run_main(monkeypatch, error) == 1
    said = capsys.readouterr().err
    (kept,) = errors.iterdir()
    assert said.startswith(f"oracle: `oracle wipe` met an unexpected error: {last} (tests/unit/test_errors")
    assert said.endswith(f". Fix: run `cat {kept}` to read its full text.\n")
    assert len(said.splitlines()) == 1
    assert "Traceback (most recent call last)" in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_where_no_file_can_be_written_the_text_is_above(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], errors: Path
) -> None:
    errors.write_text("in the way")
    assert run_main(monkeypatch, KeyError("missing")) == 1
    said = capsys.readouterr().err
    assert "Traceback (most recent call last)" in said
    assert said.splitlines()[-1].endswith("Its full text is above.")


def test_the_trace_is_shown_in_a_ci_job(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], errors: Path
) -> None:
    monkeypatch.setenv("CI", "true")
    run_main(monkeypatch, KeyError("missing"))
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_secrets_of_the_environment_are_hidden_in_traces(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], errors: Path
) -> None:
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", SECRET)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{SECRET[::-1]}@proxy.test")
    monkeypatch.setenv("CI", "true")
    run_main(monkeypatch, ValueError(f"bad header Bearer {SECRET} by http://user:{SECRET[::-1]}@proxy.test"))
    (kept,) = errors.iterdir()
    for text in (capsys.readouterr().err, kept.read_text()):
        assert SECRET not in text
        assert SECRET[::-1] not in text
        assert "bad header Bearer [secret]" in text


def test_known_failures_and_exits_are_not_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], errors: Path
) -> None:
    assert run_main(monkeypatch, CommandError("Known.", Fix("x", "to fix it"), status=3)) == 3
    assert capsys.readouterr().err == "oracle: Known. Fix: run `x` to fix it.\n"
    assert run_main(monkeypatch, UserError("Known.", Remedy.RETRY)) == 1
    assert capsys.readouterr().err == "oracle: Known. Fix: run `oracle`.\n", "no command was read yet"
    assert run_main(monkeypatch, SystemExit(4)) == 4
    assert not errors.exists()


@pytest.mark.parametrize("error", [UserError("Do this."), AppPlatformError("Do this."), pulumi.RunError("Do this.")])
def test_our_own_exceptions_are_described_by_their_text(error: Exception) -> None:
    assert describe(error) == "Do this."


@pytest.mark.parametrize("by_command, retry", [(True, ""), (False, "; or run `pulumi up --stack prod`")])
def test_fixes_name_the_running_stack(monkeypatch: pytest.MonkeyPatch, by_command: bool, retry: str) -> None:
    """The command advises how to go on after a failure of its run, so the program does not."""
    monkeypatch.setattr("lifecycle.errors.owner", lambda: owner("prod"))
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    if by_command:
        monkeypatch.setenv(RUN_VARIABLE, "20260101")
    error = UserError("It failed.", SetKey("oracle-net:data", "carry"), Remedy.RETRY, cause=OSError("no space"))
    fixes = f"Fix: run `pulumi config set oracle-net:data carry --stack prod`{retry}."
    assert describe(error) == f"It failed: no space. {fixes}"
    assert describe(UserErrors([error, UserError("Another.")])) == f"It failed: no space. {fixes}\nAnother."
    with pytest.raises(pulumi.RunError) as raised, shown_as_text():
        raise error
    assert str(raised.value) == describe(error)


@pytest.mark.parametrize(
    "error", [KeyError("url"), AssertionError(), TimeoutError(), UserError(""), RuntimeError(" \n")]
)
def test_the_description_of_other_exceptions_starts_with_a_sentence(error: Exception) -> None:
    first, *trace = describe(error).splitlines()
    assert first.startswith("the program did not expect this, whose trace follows: ")
    assert type(error).__name__ in first
    assert trace


def test_the_host_of_dynamic_providers_describes_errors_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traceback, "format_exc", traceback.format_exc)
    monkeypatch.setattr("atexit.register", lambda *_: None)
    show_errors_as_text("prod")
    try:
        raise KeyError("nope")
    except KeyError:
        first, second, *_ = traceback.format_exc().splitlines()
    assert first.startswith(
        "the program did not expect this, whose trace follows: KeyError: 'nope' (tests/unit/test_err"
    )
    assert second == "Traceback (most recent call last):"


async def awaited(hook: Callable[[Any], Any]) -> None:
    await hook("arguments")


@pytest.mark.parametrize("error", [AssertionError(), KeyError("url"), TimeoutError(), UserError("Do this."), OSError()])
def test_a_failing_hook_always_has_a_text(error: Exception) -> None:
    """The SDK takes an error with an empty text for success: the app would be deleted although its backup failed."""

    async def hook(_: Any) -> None:
        raise error

    with pytest.raises(pulumi.RunError) as raised:
        asyncio.run(awaited(guarded(hook)))
    assert str(raised.value) == describe(error) != ""


async def called(hook: Callable[[Any], Any]) -> None:
    await hook(SimpleNamespace(id="app"))


def test_every_hook_of_the_backend_is_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "ErrorHook", lambda *_: None)

    async def hook(_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(pulumi, "ResourceHook", lambda _, callback, options=None: callback)
    expected = SimpleNamespace(at=hook)  # what the hook asks first
    context: Any = SimpleNamespace(expected=expected, clouds=None)
    name: Any = SimpleNamespace(future=lambda: hook(None))
    made = BackupBeforeDelete(context, name)
    guard: Any = SimpleNamespace(
        before_create=made.before_create,
        before_delete=made.before_delete,
        before_update=hook,
        after_create=hook,
        after_update=hook,
        carry_alerts=hook,
    )
    log: Any = SimpleNamespace(start=hook, failed=hook, then=lambda each: each)
    found = backend._hooks(guard, log, alerts=True)
    bound: list[Any] = [
        found.before_create,
        found.before_update,
        found.before_delete,
        found.after_create,
        found.after_update,
    ]
    assert [len(each or []) for each in bound] == [2, 2, 1, 2, 1]
    for each in [
        *itertools.chain(*(each or [] for each in bound)),
        *(backend._adopted_hooks(guard).before_delete or []),
    ]:
        with pytest.raises(pulumi.RunError, match="AssertionError"):
            asyncio.run(called(each))


def test_a_guarded_hook_that_succeeds_is_called_once(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []

    async def hook(args: Any) -> None:
        called.append(args)

    asyncio.run(awaited(guarded(hook)))
    assert called == ["arguments"]


def test_the_place_of_an_error_is_in_our_own_code(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        (tmp_path / "none").read_text()
    said = located(raised.value)
    assert said.startswith(last_line(raised.value))
    assert said.rpartition(" (")[2].startswith("tests/unit/test_errors.py, line ")
    assert str(PROJECT / "tests/unit/test_errors.py") in full_text(raised.value)


def test_a_provider_that_an_older_program_has_pickled_names_no_stack() -> None:
    assert DiskProvider.__new__(DiskProvider).stack == STACK
