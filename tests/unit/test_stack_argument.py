"""The stack as an argument or as `--stack`, and the typed command in the text of an error."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

import advice
from cli.commands.options import StackArgument, StackOption
from cli.engine.workspace import FIRST
from cli.stack_argument import Invocation, StackCommand
from errors import STACK, Fix, Remedy, UserError

app = typer.Typer()


@app.callback()
def program() -> None:
    """Stand for `oracle`."""


@app.command(cls=StackCommand)
def wipe(stack: StackArgument = FIRST, yes: bool = False) -> None:
    """Take the stack as an argument."""


@app.command(cls=StackCommand)
def deploy(services: list[str] | None = None, stack: StackOption = FIRST) -> None:
    """Take the stack as an option, without any argument."""


@app.command(cls=StackCommand)
def build(services: list[str] = typer.Argument(default=None), stack: StackOption = FIRST) -> None:  # noqa: B008
    """Take the stack as an option, beside an argument."""


@app.command(cls=StackCommand)
def runs(stack: str | None = typer.Option(None, "--stack", "-s")) -> None:
    """Take all stacks without an option."""


@app.command(cls=StackCommand)
def promote(source: str, target: str) -> None:
    """Take two stacks."""


@app.command(cls=StackCommand)
def logs(run: str = "") -> None:
    """Take no stack."""


def invoked(monkeypatch: pytest.MonkeyPatch, *words: str) -> Invocation:
    invocation = Invocation()
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/oracle", *words])
    done = CliRunner().invoke(app, list(words), obj=invocation, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return invocation


@pytest.mark.parametrize(
    "words, stack, command",
    [
        # The stack was not typed, so the command gets it.
        ([], FIRST, "oracle"),
        (["wipe"], "local", "oracle wipe --stack local"),
        (["wipe", "--yes"], "local", "oracle wipe --yes --stack local"),
        (["deploy"], "local", "oracle deploy --stack local"),
        (["build", "api", "web"], "local", "oracle build api web --stack local"),
        # The stack was typed, in either way.
        (["wipe", "prod"], "prod", "oracle wipe prod"),
        (["wipe", "local"], "local", "oracle wipe local"),
        (["wipe", "--stack", "prod", "--yes"], "prod", "oracle wipe --stack prod --yes"),
        (["wipe", "--stack=prod"], "prod", "oracle wipe --stack=prod"),
        (["wipe", "-s", "prod"], "prod", "oracle wipe -s prod"),
        (["deploy", "prod"], "prod", "oracle deploy prod"),
        (["deploy", "--stack", "local"], "local", "oracle deploy --stack local"),
        (["build", "api", "--stack", "prod"], "prod", "oracle build api --stack prod"),
        # Commands of another kind.
        (["runs"], FIRST, "oracle runs"),
        (["runs", "--stack", "prod"], "prod", "oracle runs --stack prod"),
        (["promote", "staging", "prod"], "prod", "oracle promote staging prod"),
        (["logs", "--run", "one two"], FIRST, "oracle logs --run 'one two'"),
    ],
)
def test_the_typed_command_names_the_stack(
    words: list[str], stack: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = invoked(monkeypatch, *words) if words else Invocation()
    assert (found.stack, found.command) == (stack, command)


@pytest.mark.parametrize(
    "words", [["wipe"], ["wipe", "--yes"], ["deploy"], ["build", "api"], ["wipe", "prod"], ["build", "-s", "prod"]]
)
def test_the_advised_command_parses_and_means_the_same(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = invoked(monkeypatch, *words)
    again = invoked(monkeypatch, *first.command.split()[1:])
    assert again == first


def test_an_error_of_the_command_names_its_stack_and_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = invoked(monkeypatch, "build", "api")
    error = UserError("It failed.", Remedy.RETRY, Remedy.RETRY_CONFIRMED, Fix(f"oracle status {STACK}"))
    assert advice.text(error, found.stack, found.command) == (
        "It failed. Fix: run `oracle build api --stack local`; or run `oracle build api --stack local --yes` to "
        "confirm it beforehand; or run `oracle status local`."
    )


def test_the_command_is_given_a_stack_once(monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(app, ["deploy", "prod", "--stack", "staging"])
    assert done.exit_code == 2
    assert "unexpected extra argument" in done.output
