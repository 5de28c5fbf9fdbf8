"""Questions before what cannot be taken back."""

from __future__ import annotations

import getpass
import sys

from cli.ui.errors import CommandError


def confirm(stack: str, yes: bool, command: str, what: str) -> None:
    """Returns when the stack's name was typed, or `yes` was given.

    Raises CommandError otherwise, and without a terminal.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"Nobody is at a terminal to agree to this; agree beforehand: {command} --yes")
    if input(f"{what} Type the stack's name to go on ({stack}): ").strip() != stack:
        raise CommandError("That is not the stack's name; nothing was changed.")


def agree(yes: bool, command: str, what: str) -> bool:
    """Whether y was typed, or `yes` was given. Raises CommandError without a terminal."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise CommandError(f"Nobody is at a terminal to agree to this; agree beforehand: {command} --yes")
    return input(f"{what} [y/N] ").strip().lower() in ("y", "yes")


def secret(what: str, command: str) -> str:
    """A secret that is typed without being shown, twice, or comes by standard input. Raises CommandError without one.

    `command` is what to type for another try.
    """
    if not sys.stdin.isatty():
        given = sys.stdin.readline().rstrip("\r\n")
    else:
        given = getpass.getpass(f"{what} (it is not shown): ")
        if getpass.getpass("The same again: ") != given:
            raise CommandError(f"These are not the same; nothing was changed. Try again: {command}")
    if not given.strip():
        raise CommandError(f"Nothing was given; nothing was changed. Type it, or give it by standard input: {command}")
    return given.strip()
