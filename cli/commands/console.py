"""`oracle console`: run a command or a shell in the running backend's container."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from cli.commands.options import StackOption
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack, exports
from cli.ui.errors import CommandError
from clients.app_platform import (
    AppPlatform,
    AppPlatformError,
    Console,
    ConsoleClosed,
    ConsoleError,
    hold_session,
    show_command,
)
from errors import STACK, Fix, Remedy

BROKEN_PIPE = 141  # the status that a shell shows for a command that SIGPIPE ended
INTERRUPTED = 130
SECOND_PROCESS = (
    "A PocketBase command is a second process on the backend's database. If it ends after a backup, it deletes the "
    "backend's WAL, and later writes are lost with the container. An update repairs the admin's login without the "
    "console."
)
OPEN_CONSOLE = Fix(f"oracle console backend --stack {STACK}", "to open the backend's console")
HARMLESS = frozenset({"--version", "-v", "--help", "-h", "help", "completion"})


def console(
    service: Annotated[str, typer.Argument(help="`backend`, or the name of its component.", metavar="SERVICE")],
    command: Annotated[
        list[str] | None, typer.Argument(help="The command, after `--`. Without it: a shell.", metavar="COMMAND")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Run a PocketBase command although it opens the database a second time.")
    ] = False,
    stack: StackOption = "local",
) -> None:
    """Run a command or a shell in the backend's container: oracle console backend -- ls -l pb_data."""
    chosen = Stack(stack)
    component = _component(chosen, service)
    if not yes and opens_database(command or [], chosen.settings().backend.console):
        raise CommandError(SECOND_PROCESS, Fix(_console(chosen, " --yes -- COMMAND"), "to run it nevertheless"))
    if not command:
        print(f"Attention: do not run PocketBase commands here. {SECOND_PROCESS}", file=sys.stderr)
    if not command and not sys.stdin.isatty():
        raise CommandError("A shell needs a terminal.", Fix(_console(chosen, " -- COMMAND"), "to run a command"))
    try:
        status = _run(_address(chosen, component), command or [])
    except ConsoleClosed as error:
        raise CommandError(str(error), status=INTERRUPTED) from None
    except ConsoleError as error:
        raise CommandError(error.problem, *(error.helps or (Remedy.RETRY,)), cause=error.cause) from None
    except BrokenPipeError:  # the reader has closed the pipe, such as `| head`
        status = BROKEN_PIPE
    except OSError as error:
        raise CommandError(f"The output could not be written ({error.strerror}).") from None
    except KeyboardInterrupt:
        raise CommandError("The command was interrupted.", status=INTERRUPTED) from None
    raise typer.Exit(status)


def opens_database(command: Sequence[str], console: str) -> bool:
    """Return whether a command runs the backend's own program or PocketBase, with more than a question about itself."""
    if not command:
        return False
    words = " ".join(command).split()
    programs = {console.split()[0].rpartition("/")[2], "pocketbase"}
    at = next((place for place, word in enumerate(words) if word.rpartition("/")[2] in programs), None)
    return at is not None and not HARMLESS.intersection(words[at + 1 :])


def _component(stack: Stack, service: str) -> str:
    settings = stack.settings()
    component = settings.backend.service
    if service in {"backend", component}:
        return component
    if service in settings.workers or service in {worker.script for worker in settings.workers.values()}:
        raise CommandError(f"{service} is a Worker, and Workers have no console.", OPEN_CONSOLE)
    raise CommandError(f"There is no service {service}.", OPEN_CONSOLE)


def _address(stack: Stack, component: str) -> str:
    app_id = Engine(stack).outputs().backend_app_id
    try:
        with AppPlatform(stack.digitalocean, exports(stack).get("DIGITALOCEAN_TOKEN")) as platform:
            return platform.console_url(app_id, component)
    except AppPlatformError as error:
        if error.status is None:
            raise
        refused = error.status in {401, 403}
        help = Remedy.LOAD_ENVIRONMENT if refused else Fix(stack.update, "to deploy the backend")
        raise CommandError(error.problem, help, cause=error.cause) from None


def _run(address: str, command: list[str]) -> int:
    screen = sys.stdout.fileno()
    with Console(address) as opened:
        if command:
            return show_command(opened, command, screen)
        return hold_session(opened, sys.stdin.fileno(), screen)


def _console(stack: Stack, rest: str) -> str:
    return f"oracle console backend --stack {stack.name}{rest}"
