"""The stack as an argument or as `--stack`: every command accepts both."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from typing import Any

from click.core import ParameterSource
from typer.core import TyperArgument, TyperCommand

from cli.engine.workspace import FIRST

LONG, SHORT = "--stack", "-s"


@dataclass
class Invocation:
    """The command as it was typed, and the stack that it is for; for the text of its errors."""

    stack: str = FIRST
    command: str = "oracle"

    def read(self, ctx: Any) -> None:
        """Read it from the context of the command that is invoked."""
        words = ["oracle", *sys.argv[1:]]
        self.stack = ctx.params.get("target") or FIRST  # of `oracle promote FROM TO`
        if stack := ctx.params.get("stack"):
            self.stack = stack
            if ctx.get_parameter_source("stack").name == "DEFAULT":
                end = words.index("--") if "--" in words else len(words)  # what follows is another program's
                words[end:end] = [LONG, stack]
        self.command = shlex.join(words)


class StackCommand(TyperCommand):
    """A command that accepts both `oracle status prod` and `oracle status --stack prod`."""

    def invoke(self, ctx: Any) -> Any:
        if isinstance(ctx.obj, Invocation):
            ctx.obj.read(ctx)
        return super().invoke(ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        arguments = {each.name for each in self.params if isinstance(each, TyperArgument)}
        if "stack" in arguments:
            return super().parse_args(ctx, as_word(args))
        if arguments or "stack" not in {each.name for each in self.params}:
            return super().parse_args(ctx, args)
        return self._from_argument(ctx, args)

    def _from_argument(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        words = super().parse_args(ctx, args)
        has_option = ctx.get_parameter_source("stack").name != "DEFAULT"
        if len(words) > 1 or (words and has_option):
            ctx.fail(f"Got unexpected extra argument ({words[-1]})")
        if words:
            ctx.params["stack"] = words[0]
            ctx.set_parameter_source("stack", ParameterSource.COMMANDLINE)
        ctx.args = []
        return []


def as_word(args: list[str]) -> list[str]:
    """Return the arguments with the value of `--stack` moved to the end."""
    words, stack = [], []
    rest = iter(args)
    for word in rest:
        if word in (LONG, SHORT):
            stack += [value] if (value := next(rest, None)) is not None else [word]
        elif word.startswith(f"{LONG}="):
            stack.append(word.removeprefix(f"{LONG}="))
        else:
            words.append(word)
    return [*words, *stack]
