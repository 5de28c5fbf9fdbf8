"""`oracle unlock`: allow a protected stack to be destroyed for a limited time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cli.commands.options import StackArgument
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.ui.errors import CommandError
from cli.ui.prompt import confirm
from cli.ui.text import echo_wrapped
from errors import SetKey

KEY = "oracle-net:unlockedUntil"


def unlock(
    stack: StackArgument = "local",
    minutes: Annotated[int, typer.Option(min=1, max=1440, help="Minutes until the stack is protected again.")] = 60,
    end: Annotated[bool, typer.Option("--end", help="Protect the stack again now.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Allow a protected stack to be destroyed for an hour. Then it is protected again automatically."""
    chosen = Stack(stack)
    settings = chosen.settings()
    if not settings.protect:
        raise CommandError(f"{stack} is not protected.", SetKey("oracle-net:protect", "true"))
    engine = Engine(chosen)
    if end:
        if settings.unlocked_until is not None:
            engine.run_checked("config", "rm", KEY, "--stack", stack)
        echo_wrapped(f"{stack} is protected.")
        return
    confirm(stack, yes, f"For {minutes} minutes {stack} may be destroyed.")
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=minutes)
    engine.run_checked("config", "set", KEY, until.isoformat().replace("+00:00", "Z"), "--stack", stack)
    echo_wrapped(
        f"{stack} may be destroyed until {until:%H:%M} UTC with `pulumi destroy --run-program --stack {stack}`, which "
        f"backs up the backend first. To protect it again now, run `oracle unlock {stack} --end`."
    )
