"""The text of an error as its user sees it, with the fixes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

import advice
from errors import UserError

E = TypeVar("E", bound=UserError)
RETRY = "pulumi up --stack prod"
"""The command that does again what has failed."""


def shown_text(error: UserError) -> str:
    """Return the text of an error on the stack `prod`."""
    return advice.text(error, "prod", RETRY)


@contextmanager
def raises_text(kind: type[E], pattern: str) -> Iterator[pytest.ExceptionInfo[E]]:
    """Expect an error whose text, with its fixes, matches the pattern."""
    with pytest.raises(kind) as caught:
        yield caught
    assert re.search(pattern, shown_text(caught.value)), shown_text(caught.value)
