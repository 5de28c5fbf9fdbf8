"""Arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

StackArgument = Annotated[str, typer.Argument(help="The stack, as in Pulumi.<stack>.yaml.", metavar="STACK")]
StackOption = Annotated[
    str, typer.Option("--stack", "-s", help="The stack, as in Pulumi.<stack>.yaml.", metavar="STACK")
]
