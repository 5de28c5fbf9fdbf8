"""Questions on the terminal: consent before an irreversible change, and secrets."""

from __future__ import annotations

import getpass
import sys

from cli.ui.errors import CommandError


def confirm(stack: str, yes: bool, command: str, what: str) -> None:
    """Ask for the stack's name, unless `yes` is given.

    Raises CommandError when another name was typed, or when there is no terminal.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"Nobody is at a terminal to agree to this; agree beforehand: {command} --yes")
    if input(f"{what} Type the stack's name to go on ({stack}): ").strip() != stack:
        raise CommandError("That is not the stack's name; nothing was changed.")


def agree(yes: bool, command: str, what: str) -> bool:
    """Return whether the user typed y or gave `yes`. Raises CommandError without a terminal."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise CommandError(f"Nobody is at a terminal to agree to this; agree beforehand: {command} --yes")
    return input(f"{what} [y/N] ").strip().lower() in ("y", "yes")


def secret(what: str, command: str) -> str:
    """Read a secret: typed twice without echo, or from standard input. Raises CommandError when it is empty.

    `command` is the command for another try.
    """
    if not sys.stdin.isatty():
        value = sys.stdin.readline().rstrip("\r\n")
    else:
        value = getpass.getpass(f"{what} (it is not shown): ")
        if getpass.getpass("The same again: ") != value:
            raise CommandError(f"These are not the same; nothing was changed. Try again: {command}")
    if not value.strip():
        raise CommandError(f"Nothing was given; nothing was changed. Type it, or give it by standard input: {command}")
    return value.strip()
