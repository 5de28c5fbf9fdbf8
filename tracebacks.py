"""Exceptions that nobody expected: their last line, and their full text, without the secrets of the environment."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
LONGEST = 300
"""Characters of a line: an exception may quote a whole file."""
HIDDEN = "[secret]"
SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSPHRASE|_KEY\b|CREDENTIAL", re.IGNORECASE)
SHORTEST = 8
"""Characters of a value that is looked for: a shorter one would be found in words."""


def last_line(error: BaseException) -> str:
    """The exception's kind and message, on one line."""
    return " ".join(_hide("".join(traceback.format_exception_only(error))).split())[:LONGEST]


def full_text(error: BaseException) -> str:
    """The whole traceback."""
    return _hide("".join(traceback.format_exception(error)))


def located(error: BaseException) -> str:
    """The same, with the innermost line of the project's own code where there is one."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _is_ours(Path(frame.filename))]
    place = f" ({Path(ours[-1].filename).relative_to(PROJECT)}, line {ours[-1].lineno})" if ours else ""
    return f"{last_line(error)}{place}"


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(PROJECT) and not path.is_relative_to(PROJECT / ".venv")


def _hide(text: str) -> str:
    for value in sorted(_secrets(), key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def _secrets() -> Iterator[str]:
    for name, value in os.environ.items():
        if SECRET.search(name) and len(value) >= SHORTEST:
            yield value
        elif found := re.match(r"\w+://[^/@]*:([^/@]+)@", value):  # such as a proxy's
            yield found[1]
