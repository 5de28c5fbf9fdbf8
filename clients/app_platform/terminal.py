"""Connect a console to the user's terminal: show a command's output, or run an interactive session."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
import tty
from collections.abc import Callable, Iterator, Sequence

from clients.app_platform.console import Console, ConsoleError


def show_command(console: Console, command: Sequence[str], screen: int) -> int:
    """Write the command's output to `screen` as it arrives, and return its exit status. Raises ConsoleError.

    Ctrl-C ends the remote command; a second one, or SIGTERM, ends the console.
    """
    with _signal_handler(signal.SIGINT, console.typist.interrupt), _closing_on_signals(console):
        for text in console.run(command):
            _write(screen, text)
    return console.status


def hold_session(console: Console, keyboard: int, screen: int) -> int:
    """Run a remote shell at this keyboard and screen, and return its exit status. Raises ConsoleError.

    The terminal's settings are restored in every case except SIGKILL.
    """
    with _signal_handler(signal.SIGINT, console.typist.interrupt), _closing_on_signals(console):
        output = console.session()
        with _raw_mode(keyboard), _signal_handler(signal.SIGWINCH, console.typist.resized):
            console.typist.read(keyboard)
            try:
                for text in output:
                    _write(screen, text)
            except ConsoleError:
                _write(screen, "\r\n")  # the error message begins on a new line
                raise
    return console.status


@contextlib.contextmanager
def _closing_on_signals(console: Console) -> Iterator[None]:
    """Close the console on SIGTERM and SIGHUP, so that everything is restored before this process ends."""
    with (
        _signal_handler(signal.SIGTERM, console.typist.give_up),
        _signal_handler(signal.SIGHUP, console.typist.give_up),
    ):
        yield


@contextlib.contextmanager
def _signal_handler(number: signal.Signals, act: Callable[[], None]) -> Iterator[None]:
    before = signal.signal(number, lambda *_: act())
    try:
        yield
    finally:
        signal.signal(number, before)


@contextlib.contextmanager
def _raw_mode(keyboard: int) -> Iterator[None]:
    """Set the terminal to raw mode, in which Ctrl-C too is a key. Earlier input is not discarded."""
    before = termios.tcgetattr(keyboard)
    try:
        tty.setraw(keyboard, termios.TCSADRAIN)
        yield
    finally:
        with contextlib.suppress(termios.error):  # the terminal was closed
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _write(screen: int, text: str) -> None:
    rest = text.encode(errors="replace")
    while rest:
        rest = rest[os.write(screen, rest) :]
