"""Texts of unexpected exceptions, the last line or the whole traceback, without secrets of the environment."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
LONGEST = 300
"""Limit of a line in characters: an exception may quote a whole file."""
HIDDEN = "[secret]"
SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSPHRASE|_KEY\b|CREDENTIAL", re.IGNORECASE)
SHORTEST = 8
"""Minimum length of a hidden value in characters: shorter values occur in ordinary words."""


def last_line(error: BaseException) -> str:
    """Return the exception's type and message on one line."""
    return " ".join(_hide("".join(traceback.format_exception_only(error))).split())[:LONGEST]


def full_text(error: BaseException) -> str:
    """Return the whole traceback."""
    return _hide("".join(traceback.format_exception(error)))


def located(error: BaseException) -> str:
    """Return `last_line` with the innermost line of the project's own code, if there is one."""
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
        elif login := re.match(r"\w+://[^/@]*:([^/@]+)@", value):  # for example a proxy's password
            yield login[1]
