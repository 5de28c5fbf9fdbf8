"""Sentences for a terminal: folded between words; as they are where no terminal is."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TextIO


def echo_wrapped(text: str, stream: TextIO | None = None) -> None:
    """Prints the text, to standard output when no other stream is given."""
    stream = stream or sys.stdout
    print(wrapped(text, shutil.get_terminal_size().columns) if stream.isatty() else text, file=stream, flush=True)


def wrapped(text: str, width: int) -> str:
    """No line longer than `width`, but for words that are; each goes on below its own beginning."""
    return "\n".join(_wrapped(line, width) for line in text.split("\n"))


def _wrapped(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(
        line.rstrip(), max(width, 20), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
