"""The environment of a shell into which `oracle env` was loaded: what it set, and what stood there before.

What stood there is kept in one variable, so that the same shell can be given another stack's environment, and so that
no command works on one stack with the state, the passphrase or the tokens of another.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping

BEFORE = "ORACLE_ENV_BEFORE"
"""JSON: for each variable that was set, a digest of its value, and the value before (null where it was not set)."""
SHARED = frozenset({"PATH"})
"""What is the same for all stacks, and what people change too; it is never put back."""


def unloaded(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment as it was before the first `oracle env`.

    A variable that has been set again since, such as a token from .envrc, is its user's and stays.
    """
    found = dict(environment)
    for name, (digest, before) in _record(found.pop(BEFORE, "")).items():
        if name in found and _digest(found[name]) == digest:
            del found[name]
            found |= {name: before} if before is not None else {}
    return found


def script(environment: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[str]:
    """The lines, for bash, zsh and sh, that take back what was loaded before and set what is `wanted` now."""
    before = unloaded(environment)
    record = {name: (_digest(value), before.get(name)) for name, value in wanted.items() if name not in SHARED}
    target = {**before, **wanted, BEFORE: json.dumps(record)}
    yield from (f"unset {name}" for name in environment if name not in target)
    for name, value in target.items():
        if name in wanted or environment.get(name) != value:
            yield f"export {name}={shlex.quote(value)}"


def _record(text: str) -> dict[str, tuple[str, str | None]]:
    """Empty where the variable does not hold what `script` wrote."""
    try:
        return {name: (str(digest), before) for name, (digest, before) in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _digest(value: str) -> str:
    """Tells whether a value is still the one that was set, without holding it a second time."""
    return hashlib.sha256(value.encode(errors="surrogateescape")).hexdigest()[:16]
