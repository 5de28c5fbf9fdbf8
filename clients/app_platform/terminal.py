"""A console at the terminal of whoever runs this: a command's output, or a session with keyboard and size."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
import tty
from collections.abc import Callable, Iterator, Sequence

from clients.app_platform.console import Console, ConsoleError


def show_command(console: Console, command: Sequence[str], screen: int) -> int:
    """Writes the command's output to `screen` as it comes; its exit status. Raises ConsoleError.

    Ctrl-C ends the remote command; a second one, or SIGTERM, ends the console.
    """
    with _on(signal.SIGINT, console.typist.interrupt), _ending(console):
        for text in console.run(command):
            _write(screen, text)
    return console.status


def hold_session(console: Console, keyboard: int, screen: int) -> int:
    """A remote shell at this keyboard and screen until it exits; its exit status. Raises ConsoleError.

    The terminal is given back as it was, however this ends (SIGKILL apart).
    """
    with _on(signal.SIGINT, console.typist.interrupt), _ending(console):
        shown = console.session()
        with _raw(keyboard), _on(signal.SIGWINCH, console.typist.resized):
            console.typist.read(keyboard)
            try:
                for text in shown:
                    _write(screen, text)
            except ConsoleError:
                _write(screen, "\r\n")  # what is said about it begins on a line of its own
                raise
    return console.status


@contextlib.contextmanager
def _ending(console: Console) -> Iterator[None]:
    """What would end this process ends the console first, and with it all that has to be put back."""
    with _on(signal.SIGTERM, console.typist.give_up), _on(signal.SIGHUP, console.typist.give_up):
        yield


@contextlib.contextmanager
def _on(number: signal.Signals, act: Callable[[], None]) -> Iterator[None]:
    before = signal.signal(number, lambda *_: act())
    try:
        yield
    finally:
        signal.signal(number, before)


@contextlib.contextmanager
def _raw(keyboard: int) -> Iterator[None]:
    """Every key as it is, Ctrl-C too; what was typed already is kept."""
    before = termios.tcgetattr(keyboard)
    try:
        tty.setraw(keyboard, termios.TCSADRAIN)
        yield
    finally:
        with contextlib.suppress(termios.error):  # a terminal that was closed needs nothing back
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _write(screen: int, text: str) -> None:
    rest = text.encode(errors="replace")
    while rest:
        rest = rest[os.write(screen, rest) :]
