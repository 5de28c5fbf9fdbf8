"""The detailed difference between stored and planned outputs, property by property, in the bridge's form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from offline_plugins.digitalocean.fields import Field, Shape, child
from offline_plugins.resource import UNKNOWN, Diffed, Kind, Props

_REPLACING = {Kind.ADD: Kind.ADD_REPLACE, Kind.DELETE: Kind.DELETE_REPLACE, Kind.UPDATE: Kind.UPDATE_REPLACE}


def diff(
    fields: tuple[Field, ...], olds: Props, planned: Props, news: Props, stables: list[str], ignored: Sequence[str] = ()
) -> Diffed:
    """Compare the outputs. `news` are the program's inputs, which give the positions of set items.

    An `ignored` property is no difference, even when only the state has it after a refresh: the bridge removes it from
    Terraform's own diff (pulumi-terraform-bridge, pkg/tfshim/sdk-v2, processIgnoreChanges).
    """
    detailed: dict[str, Kind] = {}
    replaces: list[str] = []
    for field in fields:
        changes = dict(_field(field, field.name, olds.get(field.name), planned.get(field.name), news.get(field.name)))
        changes = {path: kind for path, kind in changes.items() if not _below(path, ignored)}
        if changes and field.replaces:
            replaces.append(field.name)
            changes = {path: _REPLACING[kind] for path, kind in changes.items()}
        detailed.update(changes)
    changed = sorted({path.split(".")[0].split("[")[0] for path in detailed})
    stable = [name for name in stables if name not in changed]
    return Diffed(bool(detailed), changed, sorted(replaces), detailed, stable)


def _below(path: str, places: Sequence[str]) -> bool:
    return any(path == place or path.startswith((f"{place}.", f"{place}[")) for place in places)


def _absent(value: Any) -> bool:
    return value is None or value == []


def _field(field: Field, path: str, old: Any, new: Any, inputs: Any) -> Iterator[tuple[str, Kind]]:
    if _absent(old) or _absent(new):
        if not (_absent(old) and _absent(new)):
            yield path, Kind.ADD if _absent(old) else Kind.DELETE
    elif new is UNKNOWN:
        yield path, Kind.UPDATE
    elif field.shape is Shape.SET:
        yield from _set(field, path, old, new, inputs if isinstance(inputs, list) else [])
    elif field.shape is Shape.LIST:
        yield from _list(field, path, old, new, inputs if isinstance(inputs, list) else [])
    elif field.fields:
        yield from _block(field.fields, path, old, new, inputs)
    elif old != new:
        yield path, Kind.UPDATE


def _block(fields: tuple[Field, ...], path: str, old: Props, new: Props, inputs: Any) -> Iterator[tuple[str, Kind]]:
    for field in fields:
        name = field.name
        yield from _field(field, f"{path}.{name}", old.get(name), new.get(name), child(inputs, name))


def _item(field: Field, path: str, old: Any, new: Any, inputs: Any) -> Iterator[tuple[str, Kind]]:
    if old is None or new is None:
        yield path, Kind.ADD if old is None else Kind.DELETE
    elif new is UNKNOWN:
        yield path, Kind.UPDATE
    elif field.fields:
        yield from _block(field.fields, path, old, new, inputs)
    elif old != new:
        yield path, Kind.UPDATE


def _list(field: Field, path: str, old: list[Any], new: list[Any], inputs: list[Any]) -> Iterator[tuple[str, Kind]]:
    for index in range(max(len(old), len(new))):
        yield from _item(field, f"{path}[{index}]", _nth(old, index), _nth(new, index), _nth(inputs, index))


def _set(field: Field, path: str, old: list[Any], new: list[Any], inputs: list[Any]) -> Iterator[tuple[str, Kind]]:
    """Yield removed items by their position in the state, and added items by their position in the program.

    An added item that is not found in the program as planned makes one change of the whole set.
    """
    removed = {index: item for index, item in enumerate(old) if item not in new}
    came = [item for item in new if item not in old]
    added: dict[int, Any] = {}
    for item in came:
        places = [
            index for index, candidate in enumerate(inputs) if index not in added and _same(field, item, candidate)
        ]
        if not places:
            yield path, Kind.UPDATE
            return
        added[places[0]] = item
    for index in sorted(removed.keys() | added.keys()):
        yield from _item(field, f"{path}[{index}]", removed.get(index), added.get(index), _nth(inputs, index))


def _same(field: Field, planned: Any, program_item: Any) -> bool:
    """Return whether a planned item equals the program's; values that the API sets are not compared."""
    if not field.fields:
        return bool(planned == program_item)
    return all(
        planned[nested.name] is UNKNOWN or planned[nested.name] == child(program_item, nested.name)
        for nested in field.fields
    )


def _nth(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None
