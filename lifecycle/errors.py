"""Errors of dynamic providers and of hooks as sentences.

The SDK's host of dynamic providers answers every exception with `traceback.format_exc()` (pulumi/dynamic/__main__.py,
_abort_with_traceback), and a hook's with its message alone (pulumi/runtime/_callbacks.py): `KeyError('url')` becomes
`'url'`, and an exception without a message counts as success. A known failure is a sentence that ends in the next
command, and a trace around it would bury it; an unknown one begins with a sentence, and its trace follows.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pulumi

from tracebacks import full_text, located

OURS = frozenset({"artifacts", "clients", "components", "lifecycle", "settings", "sources", "storage"})
"""The packages whose exceptions are sentences."""
UNEXPECTED = "the program did not expect this, whose trace follows: {}\n{}"

Hook = Callable[[pulumi.ResourceHookArgs], Awaitable[None]]

_format_exc = traceback.format_exc


class UserError(Exception):
    """A failure that a person can act on: its text is all there is to show."""


def describe(error: BaseException) -> str:
    """What is shown of an exception: its sentence, or its last line and the trace when nobody expected it."""
    known = isinstance(error, UserError | pulumi.RunError) or type(error).__module__.partition(".")[0] in OURS
    if known and str(error):
        return str(error)
    return UNEXPECTED.format(located(error), full_text(error)).rstrip()


def guarded(hook: Hook) -> Hook:
    """The hook, whose every failure has a text: the SDK takes an exception without one for success."""

    @functools.wraps(hook)
    async def checked(args: pulumi.ResourceHookArgs) -> None:
        try:
            await hook(args)
        except Exception as error:
            raise pulumi.RunError(describe(error)) from error

    return checked


async def in_thread(work: Callable[..., None], *arguments: object) -> None:
    """Run a hook's blocking work beside the event loop. Raises pulumi.RunError with the failure's sentence."""
    try:
        await asyncio.to_thread(work, *arguments)
    except Exception as error:
        raise pulumi.RunError(describe(error)) from error


def _format(*arguments: Any, **options: Any) -> str:
    current = sys.exc_info()[1]
    return describe(current) if current else _format_exc(*arguments, **options)


def show_errors_as_text() -> None:
    """Makes this process show a `Sentence` as its text alone, and end at once when it is told to.

    The engine gives all plugins together five seconds to end, and complains of those that come after.
    """
    traceback.format_exc = _format
    atexit.register(os._exit, 0)
