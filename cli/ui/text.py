"""Text for a terminal, wrapped between words; unchanged when the output is no terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TextIO


def echo_wrapped(text: str, stream: TextIO | None = None) -> None:
    """Print the text, to standard output unless another stream is given."""
    stream = stream or sys.stdout
    print(wrapped(text, shutil.get_terminal_size().columns) if stream.isatty() else text, file=stream, flush=True)


def wrapped(text: str, width: int) -> str:
    """Wrap lines longer than `width`, except within words; continuation lines get the line's own indentation."""
    return "\n".join(_wrapped(line, width) for line in text.split("\n"))


def _wrapped(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(
        line.rstrip(), max(width, 20), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
