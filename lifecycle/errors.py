"""Readable errors of dynamic providers and hooks.

The SDK's host of dynamic providers answers every exception with `traceback.format_exc()` (pulumi/dynamic/__main__.py,
_abort_with_traceback). It answers a hook's exception with its message only (pulumi/runtime/_callbacks.py):
`KeyError('url')` becomes `'url'`, and an exception without a message counts as success. A known failure is shown as its
message, which ends in the next command, without a traceback. An unexpected failure is shown as one sentence and its
traceback.
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
"""The packages whose exceptions have readable messages."""
UNEXPECTED = "the program did not expect this, whose trace follows: {}\n{}"

Hook = Callable[[pulumi.ResourceHookArgs], Awaitable[None]]

_format_exc = traceback.format_exc


class UserError(Exception):
    """A failure that the user can act on. Only its message is shown."""


def describe(error: BaseException) -> str:
    """Return an exception's message; for an unexpected exception, its last line and the traceback."""
    known = isinstance(error, UserError | pulumi.RunError) or type(error).__module__.partition(".")[0] in OURS
    if known and str(error):
        return str(error)
    return UNEXPECTED.format(located(error), full_text(error)).rstrip()


def guarded(hook: Hook) -> Hook:
    """Return the hook with a message for every failure: the SDK takes an exception without one for success."""

    @functools.wraps(hook)
    async def checked(args: pulumi.ResourceHookArgs) -> None:
        try:
            await hook(args)
        except Exception as error:
            raise pulumi.RunError(describe(error)) from error

    return checked


async def in_thread(work: Callable[..., None], *arguments: object) -> None:
    """Run a hook's blocking work beside the event loop. Raises pulumi.RunError with the failure's message."""
    try:
        await asyncio.to_thread(work, *arguments)
    except Exception as error:
        raise pulumi.RunError(describe(error)) from error


def _format(*arguments: Any, **options: Any) -> str:
    current = sys.exc_info()[1]
    return describe(current) if current else _format_exc(*arguments, **options)


def show_errors_as_text() -> None:
    """Make this process show a `UserError` as its message only, and exit at once when asked to.

    The engine gives all plugins together five seconds to exit, and reports those that take longer.
    """
    traceback.format_exc = _format
    atexit.register(os._exit, 0)
