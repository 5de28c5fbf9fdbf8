"""The recorded cases: reading them, their values, and comparing states as they do.

Their notation: `{"$secret": v}` is a secret, `{"$unknown": true}` a value that is not known yet; a delta is
`{path: value}` with "$absent" for what went away. Bookkeeping of the official plugins (`__meta`,
`__pulumi_raw_state_delta`) is left out of every comparison; see README.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from offline_plugins.resource import UNKNOWN, Secret

RECORDED = Path(__file__).parent / "recorded"
ABSENT = "$absent"
_BOOKKEEPING = ("__meta", "__pulumi_raw_state_delta")


@cache
def load(name: str) -> dict[str, Any]:
    """The recording `recorded/NAME.json`; not to be changed by its readers."""
    found: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
    return found


def localised(recorded: Any, placeholders: Mapping[str, str]) -> Any:
    """A copy with placeholders ("PORT", "/ABSOLUTE/PROGRAM/DIR") replaced in every text."""
    text = json.dumps(recorded)
    for placeholder, value in placeholders.items():
        text = text.replace(placeholder, value)
    return json.loads(text)


def case(recording: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The case of that name."""
    found: dict[str, Any] = next(one for one in recording["cases"] if one["name"] == name)
    return found


def values(recorded: Any) -> Any:
    """Recorded notation as values of `offline_plugins.resource`; bookkeeping is left out."""
    if isinstance(recorded, dict):
        if "$secret" in recorded:
            return Secret(values(recorded["$secret"]))
        if "$unknown" in recorded:
            return UNKNOWN
        return {key: values(item) for key, item in recorded.items() if key not in _BOOKKEEPING}
    if isinstance(recorded, list):
        return [values(item) for item in recorded]
    return recorded


def plain(value: Any) -> Any:
    """Values without secrets, as the engine sends them."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def bare(recorded: Any) -> Any:
    """Recorded notation without bookkeeping."""
    if isinstance(recorded, dict):
        return {key: bare(item) for key, item in recorded.items() if key not in _BOOKKEEPING}
    return [bare(item) for item in recorded] if isinstance(recorded, list) else recorded


def leaves(recorded: Any, path: str = "") -> dict[str, Any]:
    """Every value by its path, as in `spec.envs[0].key`; empty lists and objects are values of their own."""
    if isinstance(recorded, dict) and not ({"$secret", "$unknown"} & set(recorded)):
        items = [(f"{path}.{key}" if path else key, item) for key, item in recorded.items()]
    elif isinstance(recorded, list):
        items = [(f"{path}[{index}]", item) for index, item in enumerate(recorded)]
    else:
        return {path: recorded}
    found = {place: value for inner, item in items for place, value in leaves(item, inner).items()}
    return found if found or not path else {path: recorded}


def delta(old: Any, new: Any) -> dict[str, Any]:
    """What differs, in the recordings' form."""
    before, after = leaves(old), leaves(new)
    changed = {path: value for path, value in after.items() if path not in before or before[path] != value}
    return changed | {path: ABSENT for path in before if path not in after}


def changed(inputs: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """The base case's inputs with one row's `remove` and `set` applied."""
    result: dict[str, Any] = json.loads(json.dumps(inputs))
    for path in row.get("remove", []):
        holder, last = _holder(result, path)
        del holder[last]
    for path, value in row.get("set", {}).items():
        holder, last = _holder(result, path)
        if isinstance(holder, list) and last == len(holder):
            holder.append(value)
        else:
            holder[last] = value
    return result


def _holder(props: Any, path: str) -> tuple[Any, Any]:
    words = [int(word[1:-1]) if word.startswith("[") else word for word in re.findall(r"[^.\[\]]+|\[\d+\]", path)]
    for word in words[:-1]:
        props = props[word]
    return props, words[-1]
