"""Readable errors of dynamic providers and hooks.

The SDK's host of dynamic providers answers every exception with `traceback.format_exc()` (pulumi/dynamic/__main__.py,
_abort_with_traceback). It answers a hook's exception with its message only (pulumi/runtime/_callbacks.py):
`KeyError('url')` becomes `'url'`, and an exception without a message counts as success. A known failure is shown as its
problem and its fixes, without a traceback. An unexpected failure is shown as one sentence and its traceback.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pulumi
from pulumi.dynamic import ConfigureRequest, ResourceProvider

import advice
from errors import STACK, UserError
from lifecycle.clouds import Clouds
from lifecycle.naming import owner
from stack_outputs import RUN_VARIABLE
from tracebacks import full_text, located

UNEXPECTED = "the program did not expect this, whose trace follows: {}\n{}"

Hook = Callable[[pulumi.ResourceHookArgs], Awaitable[None]]

_format_exc = traceback.format_exc


class Provider(ResourceProvider):
    """The base of our dynamic providers: its errors are shown as text, with the commands of the running stack."""

    serialize_as_secret_always = False
    stack = STACK
    """The running stack. A provider in the state that an older program has pickled does not have it."""
    clouds = Clouds()
    """Of the class, because the engine stores what an instance has. Tests give an instance fakes."""

    def __init__(self) -> None:
        self.stack = owner().stack

    def configure(self, _req: ConfigureRequest) -> None:
        show_errors_as_text(self.stack)


def describe(error: BaseException, stack: str = "") -> str:
    """Return the text of an error; for an unexpected one, its last line and the traceback.

    `stack` is the stack that the text names; without it, the running one.
    """
    if isinstance(error, UserError) and str(error):
        named = stack or (owner().stack if error.helps or error.go_on else "")
        return advice.text(error, named, "" if os.environ.get(RUN_VARIABLE) else f"pulumi up --stack {named}")
    if isinstance(error, pulumi.RunError) and str(error):
        return str(error)
    return UNEXPECTED.format(located(error), full_text(error)).rstrip()


@contextmanager
def shown_as_text() -> Iterator[None]:
    """Raise pulumi.RunError, of which the engine shows only the text, for each `UserError`."""
    try:
        yield
    except UserError as error:
        raise pulumi.RunError(describe(error)) from None


def guarded(hook: Hook) -> Hook:
    """Return the hook with a message for every failure: the SDK takes an exception without one for success."""

    @functools.wraps(hook)
    async def checked(args: pulumi.ResourceHookArgs) -> None:
        try:
            await hook(args)
        except Exception as error:
            raise pulumi.RunError(describe(error)) from error

    return checked


async def in_thread(work: Callable[..., object], *arguments: object) -> None:
    """Run a hook's blocking work beside the event loop. Raises pulumi.RunError with the failure's message."""
    try:
        await asyncio.to_thread(work, *arguments)
    except Exception as error:
        raise pulumi.RunError(describe(error)) from error


def show_errors_as_text(stack: str) -> None:
    """Make this process show an error of the stack's update as its text, and exit at once when asked to.

    The engine gives all plugins together five seconds to exit, and reports those that take longer.
    """

    def format_exc(*arguments: Any, **options: Any) -> str:
        current = sys.exc_info()[1]
        return describe(current, stack) if current else _format_exc(*arguments, **options)

    traceback.format_exc = format_exc
    atexit.register(os._exit, 0)
