"""Conversion between the plugin's properties and the API's JSON."""

from __future__ import annotations

from typing import Any

from offline_plugins.digitalocean import sets
from offline_plugins.digitalocean.fields import Field, Shape, is_zero, zero
from offline_plugins.resource import UNKNOWN, Props


def expand(fields: tuple[Field, ...], props: Props) -> dict[str, Any]:
    """Return the JSON of planned outputs: without unknown values and, but for `always`, empty ones (also `false`)."""
    sent: dict[str, Any] = {}
    for field in fields:
        value = props.get(field.name)
        if field.always and is_zero(value):
            sent[field.json] = zero(field)
        elif value is not UNKNOWN and not is_zero(value):
            sent[field.json] = _expand_one(field, value)
    return sent


def _expand_one(field: Field, value: Any) -> Any:
    if field.shape is Shape.SET:
        value = sets.sent(field, value)
    if field.fields and isinstance(value, list):
        return [expand(field.fields, item) for item in value]
    return expand(field.fields, value) if field.fields else value


def flatten(fields: tuple[Field, ...], body: dict[str, Any]) -> Props:
    """Return the outputs of a response; missing values are empty text, 0, false, an empty list, or null for a block."""
    return {field.name: _flatten_one(field, body.get(field.json)) for field in fields}


def _flatten_one(field: Field, value: Any) -> Any:
    if value is None:
        return zero(field)
    if field.shape is Shape.ONE:
        return flatten(field.fields, value)
    if field.fields:
        value = [flatten(field.fields, item) for item in value]
    return sets.shown(field, value) if field.shape is Shape.SET else value
