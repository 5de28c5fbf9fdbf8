"""Errors of dynamic providers as sentences.

The SDK's host of dynamic providers answers every exception with `traceback.format_exc()` (pulumi/dynamic/__main__.py,
_abort_with_traceback). A known failure is a sentence that ends in the next command, and a stack trace around it would
bury it; an unknown one keeps its trace.
"""

from __future__ import annotations

import atexit
import os
import sys
import traceback
from typing import Any

_format_exc = traceback.format_exc


class Sentence(Exception):
    """A failure that a person can act on: its text is all there is to show."""


def _format(*arguments: Any, **options: Any) -> str:
    current = sys.exc_info()[1]
    return str(current) if isinstance(current, Sentence) else _format_exc(*arguments, **options)


def show_sentences() -> None:
    """Makes this process show a `Sentence` as its text alone, and end at once when it is told to.

    The engine gives all plugins together five seconds to end, and complains of those that come after.
    """
    traceback.format_exc = _format
    atexit.register(os._exit, 0)
