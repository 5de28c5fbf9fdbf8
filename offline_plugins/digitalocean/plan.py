"""The planned outputs of a resource, from the program's inputs and the stored outputs.

Null in inputs means "not set". Depending on the property it becomes a default, the API's earlier value, unknown when
the API will set it, or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from offline_plugins.digitalocean import sets
from offline_plugins.digitalocean.fields import SCALARS, Field, Shape, child, is_zero, zero
from offline_plugins.resource import UNKNOWN, Props


@dataclass(frozen=True)
class _Mode:
    creating: bool  # the resource does not exist yet
    in_set: bool = False
    added: bool = False  # the block does not exist yet


def plan(fields: tuple[Field, ...], news: Props, olds: Props | None) -> Props:
    """Plan all properties of the table; `olds` is None for a resource to be created."""
    return _block(fields, news, olds, _Mode(creating=olds is None))


def _block(fields: tuple[Field, ...], news: Props, olds: Props | None, mode: _Mode) -> Props:
    here = replace(mode, added=olds is None)
    return {field.name: _field(field, news.get(field.name), child(olds, field.name), here) for field in fields}


def _field(field: Field, new: Any, old: Any, mode: _Mode) -> Any:
    if new is UNKNOWN:
        return UNKNOWN
    if field.shape in SCALARS:
        return _scalar(field, new, old, mode)
    if field.shape is Shape.ONE:
        return _unsaid(field, old, mode) if new is None else _block(field.fields, new, old, mode)
    if field.shape is Shape.SET:
        return _set(field, new, old, mode)
    if new is None or (new == [] and field.fields):
        return _unsaid(field, old, mode)
    if not field.fields:
        return new
    return [
        item if item is UNKNOWN else _block(field.fields, item, _nth(old, index), mode)
        for index, item in enumerate(new)
    ]


def _scalar(field: Field, new: Any, old: Any, mode: _Mode) -> Any:
    if new is None and field.default is not None:
        new = field.default
    if new is None:
        return _unsaid(field, old, mode)
    if new == field.unsaid:
        return "" if not old or mode.in_set else new
    if field.caseless and isinstance(old, str) and old.lower() == new.lower():
        return old
    return new


def _unsaid(field: Field, old: Any, mode: _Mode) -> Any:
    """Return the planned value of a property that the program does not set."""
    if mode.in_set:
        return UNKNOWN if field.computed else zero(field)
    if field.computed:
        return _left_to_api(field, mode) if old is None else old
    if field.shape in SCALARS:
        return old if is_zero(old) else None
    if field.shape is Shape.SET and not field.fields and not old:
        return old
    return zero(field)


def _left_to_api(field: Field, mode: _Mode) -> Any:
    """Return the planned value of a property that the API will set, or has left empty."""
    if mode.creating:
        return UNKNOWN
    if field.shape in (Shape.LIST, Shape.SET):
        return UNKNOWN if mode.added else []
    return None  # also in an added block: there the SDK loses single values


def _set(field: Field, new: Any, old: Any, mode: _Mode) -> Any:
    if new is None or (new == [] and field.fields):
        return _unsaid(field, old, mode)
    if not field.fields:
        return sets.shown(field, new)
    if UNKNOWN in new:
        return UNKNOWN
    items = [_member(field, item, old if isinstance(old, list) else [], mode) for item in new]
    return sets.shown(field, items)


def _member(field: Field, new: Props, olds: list[Props], mode: _Mode) -> Any:
    """Plan one block of a set; values that the API sets are taken from the stored block that is otherwise the same."""
    planned = _block(field.fields, new, None, replace(mode, in_set=True))
    for old in olds:
        if all(value == old.get(name) for name, value in planned.items() if value is not UNKNOWN):
            open_ones = {name for name, value in planned.items() if value is UNKNOWN}
            if all(new.get(name) is None for name in open_ones):
                return old
    return planned


def _nth(items: Any, index: int) -> Any:
    return items[index] if isinstance(items, list) and index < len(items) else None


def settled(fields: tuple[Field, ...], planned: Props) -> Props:
    """Return the plan of a step that failed half-way as state: nested blocks whole, unknown values at the top null."""
    return {field.name: _settle(field, planned[field.name], top=True) for field in fields}


def _settle(field: Field, value: Any, top: bool) -> Any:
    if value is UNKNOWN or value is None:
        return None if top and value is UNKNOWN else zero(field)
    if field.fields and isinstance(value, list):
        return [
            {nested.name: _settle(nested, item[nested.name], top=False) for nested in field.fields} for item in value
        ]
    if field.fields and isinstance(value, dict):
        return {nested.name: _settle(nested, value[nested.name], top=False) for nested in field.fields}
    return value
