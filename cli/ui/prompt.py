"""Questions on the terminal: confirmation before an irreversible change, and secrets."""

from __future__ import annotations

import getpass
import sys

from cli.ui.errors import CommandError
from errors import Remedy


def confirm(stack: str, yes: bool, consequence: str) -> None:
    """Ask for the stack's name, unless `yes` is given.

    Raises CommandError when another name was typed, or when there is no terminal.
    """
    refuse_unattended(yes)
    if not yes and input(f"{consequence} Type the stack's name to go on ({stack}): ").strip() != stack:
        raise CommandError("That is not the stack's name, so nothing was changed.", Remedy.RETRY)


def agree(yes: bool, question: str) -> bool:
    """Return whether the user typed y or gave `yes`. Raises CommandError without a terminal."""
    refuse_unattended(yes)
    return yes or input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def refuse_unattended(yes: bool, as_json: bool = False) -> None:
    """Raise CommandError if a question is needed and cannot be asked: without a terminal, or when JSON is printed."""
    if yes:
        return
    if as_json:
        raise CommandError("With --json no question is asked, so nothing was changed.", Remedy.RETRY_CONFIRMED)
    if not sys.stdin.isatty():
        raise CommandError(
            "There is no terminal to ask for confirmation, so nothing was changed.", Remedy.RETRY_CONFIRMED
        )


def secret(name: str) -> str:
    """Read a secret: typed twice without echo, or from standard input. Raises CommandError when it is empty."""
    if not sys.stdin.isatty():
        value = sys.stdin.readline().rstrip("\r\n")
    else:
        value = getpass.getpass(f"{name} (it is not shown): ")
        if getpass.getpass("The same again: ") != value:
            raise CommandError("The two inputs differ, so nothing was changed.", Remedy.RETRY)
    if not value.strip():
        raise CommandError("The input is empty, so nothing was changed.", Remedy.RETRY)
    return value.strip()
