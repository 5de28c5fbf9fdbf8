"""The environment of a shell that has loaded `oracle env`: the variables it set, and their values before.

The values before are stored in one variable. So the same shell can load another stack's environment, and no command
uses one stack with the state, the passphrase or the tokens of another.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping

BEFORE = "ORACLE_ENV_BEFORE"
"""JSON: for each variable that was set, a digest of its value, and the value before (null when it was not set)."""
SHARED = frozenset({"PATH"})
"""Variables that are the same for all stacks and that users change too; their values before are never restored."""


def unloaded(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment before the first `oracle env`.

    A variable that the user has set again since, such as a token from .envrc, is not changed.
    """
    restored = dict(environment)
    for name, (digest, before) in _record(restored.pop(BEFORE, "")).items():
        if name in restored and _digest(restored[name]) == digest:
            del restored[name]
            restored |= {name: before} if before is not None else {}
    return restored


def script(environment: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[str]:
    """Yield lines for bash, zsh and sh that undo the last load and set the variables `wanted` now."""
    before = unloaded(environment)
    record = {name: (_digest(value), before.get(name)) for name, value in wanted.items() if name not in SHARED}
    target = {**before, **wanted, BEFORE: json.dumps(record)}
    yield from (f"unset {name}" for name in environment if name not in target)
    for name, value in target.items():
        if name in wanted or environment.get(name) != value:
            yield f"export {name}={shlex.quote(value)}"


def _record(text: str) -> dict[str, tuple[str, str | None]]:
    """Parse the record that `script` wrote; empty when the variable contains anything else."""
    try:
        return {name: (str(digest), before) for name, (digest, before) in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _digest(value: str) -> str:
    """Return a digest that identifies a value without storing it a second time."""
    return hashlib.sha256(value.encode(errors="surrogateescape")).hexdigest()[:16]
