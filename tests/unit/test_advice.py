"""Every command that an error advises is one that the real command line takes, and names its stack."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

import advice
from advice import COMMANDS
from cli.main import app
from errors import STACK, First, Fix, Remedy, RemoveKey, SetKey, UserError, UserErrors
from tests.support.sources import PROJECT, sources, tree
from toolchain import tools

ARGUMENTS = frozenset({"command", "go_on", "next", "remedy", "retry", "retry_command", "then"})
"""Names of arguments and fields that hold a command for the user."""
NOT_OURS = ("localcloud", "offline_plugins", "toolchain")
"""Programs of their own: their errors are text."""
WITHOUT_STACK = re.compile(r"pulumi (login|whoami|plugin|install|version|stack ls)\b")
"""Commands of the engine that are for no stack."""


@cache
def advised() -> tuple[tuple[str, str], ...]:
    """Every command in the code that is written out, with its place. Values in it are `1`, and the stack is `local`."""
    found = [(f"{path.relative_to(PROJECT)}:{line}", text) for path in sources() for line, text in commands(path)]
    found += [(str(remedy), fix.command.replace(STACK, "local")) for remedy, fix in COMMANDS.items()]
    assert len(found) > 100
    return tuple(sorted(set(found)))


def commands(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call):
            continue
        is_fix = ast.unparse(node.func).rpartition(".")[2] == "Fix"
        values = [*node.args[:1]] if is_fix else []
        values += [each.value for each in node.keywords if each.arg in ARGUMENTS]
        for value in values:
            for text in texts(value):
                if re.match(r"(oracle|pulumi|eval|make|git) ", text):
                    yield node.lineno, text


def texts(node: ast.expr) -> Iterator[str]:
    """Each text that the expression may be, as far as it is written out."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(each.value) if isinstance(each, ast.Constant) else filled(each) for each in parts)
        case ast.IfExp(body=body, orelse=orelse):
            yield from texts(body)
            yield from texts(orelse)
        case ast.BoolOp(values=values):
            for each in values:
                yield from texts(each)


def filled(part: ast.expr) -> str:
    """A value in a text; a part that is there only sometimes is left out."""
    assert isinstance(part, ast.FormattedValue)
    name = ast.unparse(part.value)
    if name.rpartition(".")[2] == "STACK":
        return "local"
    return "" if isinstance(part.value, ast.IfExp | ast.BinOp | ast.JoinedStr) else "1"


def single(text: str, program: str) -> Iterator[list[str]]:
    """The words of each call of the program in a line for a shell."""
    for inner in [*re.findall(r"\$\((.*?)\)", text), re.sub(r"\$\(.*?\)", "1", text)]:
        for call in re.split(r" && |; | \| ", inner):
            words = [re.sub(r"^[A-Z]+$", "1", word) for word in shlex.split(call)]  # what is to be filled in
            if words[:1] == [program]:
                yield words[1:]


def parsed(words: list[str]) -> Any:
    """The context of a command of ours, or of one in a group, as its own parser reads the words."""
    found: Any = typer.main.get_command(app)
    context: Any = None
    while hasattr(found, "get_command"):
        name, *words = words
        found = found.get_command(context, name)
        assert found is not None, f"there is no command {name}"
    return found.make_context(found.name, words)


def names_its_stack(context: Any) -> bool:
    return context.params.get("stack") is None or context.get_parameter_source("stack").name != "DEFAULT"


def test_the_command_takes_what_is_advised_and_gets_its_stack() -> None:
    calls = [(place, text, words) for place, text in advised() for words in single(text, "oracle")]
    assert len(calls) > 50
    wrong = [f"{place}: `{text}` names no stack" for place, text, words in calls if not names_its_stack(parsed(words))]
    assert not wrong


@cache
def options(*verbs: str) -> str:
    """The engine's help for a command of it; empty if it has no such command."""
    engine = tools.locate().engine_bin / "pulumi"
    done = subprocess.run([engine, *verbs, "--help"], capture_output=True, text=True, timeout=60)
    alias = re.search(rf"^Aliases:\n.*\b{re.escape(verbs[-1])}\b", done.stdout, re.MULTILINE)
    known = f"pulumi {' '.join(verbs)}" in done.stdout or alias
    return done.stdout if done.returncode == 0 and known else ""


def test_the_engine_has_what_is_advised_and_gets_its_stack() -> None:
    calls = [(place, text, words) for place, text in advised() for words in single(text, "pulumi")]
    assert len(calls) > 10
    wrong = []
    for place, text, words in calls:
        verbs = words[:2] if options(*words[:2]) else words[:1]
        used = [word.partition("=")[0] for word in words if word.startswith("-")]
        known = all(re.search(rf"(^|\s|,){re.escape(option)}[\s,=]", options(*verbs), re.MULTILINE) for option in used)
        if not options(*verbs) or not known:
            wrong.append(f"{place}: the engine does not take `{text}`")
        elif not WITHOUT_STACK.match(text) and not {"-s", "--stack"} & set(words):
            wrong.append(f"{place}: `{text}` names no stack")
    assert not wrong


def test_a_command_that_there_is_not_would_be_seen() -> None:
    assert not names_its_stack(parsed(["status"]))
    assert names_its_stack(parsed(["status", "prod"]))
    with pytest.raises(AssertionError, match="there is no command mend"):
        parsed(["mend"])
    with pytest.raises(Exception, match="No such option: --forever"):
        parsed(["wipe", "--forever"])
    assert not options("mend")


def test_no_command_is_advised_in_prose() -> None:
    """A problem has no command in it; what helps is data, so that the test above sees it."""
    wrong = [
        f"{path.relative_to(PROJECT)}:{node.lineno}: {text}"
        for path in sources()
        if path.relative_to(PROJECT).parts[0] not in NOT_OURS
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and re.search(r"(Error|Refused)$", ast.unparse(node.func)) and node.args
        for text in texts(node.args[0])
        if re.search(r"; [a-z ]+: \S|\b[Ff]ix: |try again: ", text)
    ]
    assert not wrong


@pytest.mark.parametrize(
    "error, text",
    [
        (UserError("The disk is full"), "The disk is full"),
        (UserError("The disk is full.", First("make room")), "The disk is full. Fix: make room."),
        (
            UserError(
                "It failed.", Fix(f"oracle wipe {STACK}", "to have it empty"), Remedy.RETRY, cause=OSError("gone")
            ),
            "It failed: gone. Fix: run `oracle wipe prod` to have it empty; or run `oracle backup prod`.",
        ),
        (
            UserError("It is short.", SetKey("oracle-net:backend.appName", "NAME", then=Remedy.RETRY)),
            (
                "It is short. Fix: run `pulumi config set --path oracle-net:backend.appName NAME --stack prod`, "
                "then run `oracle backup prod`."
            ),
        ),
        (
            UserError("It is open.", SetKey("oracle-net:key", secret=True), RemoveKey("a:b")),
            (
                "It is open. Fix: run `pulumi config set --secret oracle-net:key --stack prod`; "
                "or run `pulumi config rm a:b --stack prod`."
            ),
        ),
        (
            UserError(
                "It ended.", cause=UserError("It is used.", First("stop the writer", Remedy.RETRY)), go_on="make up"
            ),
            "It ended: It is used. Fix: stop the writer, then run `oracle backup prod`. To go on, run `make up`.",
        ),
        (
            UserErrors([UserError("One.", Remedy.BUILD), UserError("Two.")]),
            "One. Fix: run `oracle build --stack prod`.\nTwo.",
        ),
    ],
)
def test_an_error_is_its_problem_its_cause_and_its_fixes(error: UserError, text: str) -> None:
    assert advice.text(error, "prod", "oracle backup prod") == text


def test_what_is_said_elsewhere_is_not_said_twice() -> None:
    """The command knows how to go on after an update of its own, so the program leaves that out."""
    assert advice.text(UserError("It failed.", Remedy.RETRY), "prod", "") == "It failed."


def test_every_remedy_has_a_command() -> None:
    assert {*Remedy} == {*COMMANDS, Remedy.RETRY, Remedy.RETRY_CONFIRMED}
