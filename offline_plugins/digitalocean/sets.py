"""The two orders of a set: as the plugin shows it, and as it is sent.

Shown (outputs, previews): by the text of its items, the order of cty's sets. Sent, and in the inputs after a read: by
hash, the order of terraform-plugin-sdk's Set.List (helper/schema/serialize.go): the CRC-32 of a serialised item, as
text.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

from offline_plugins.digitalocean.fields import Field, Shape
from offline_plugins.resource import UNKNOWN


def shown(field: Field, items: list[Any]) -> list[Any]:
    """Return the items as the plugin shows them, each once."""
    unique = {_key(field, item): item for item in items}
    return [unique[key] for key in sorted(unique)]


def sent(field: Field, items: list[Any]) -> list[Any]:
    """Return the items in the order of their hashes."""
    return sorted(items, key=lambda item: str(crc32(_serialised(field, item).encode())))


def _key(field: Field, item: Any) -> tuple[Any, ...]:
    if not field.fields:
        return (item is UNKNOWN, 0 if item is UNKNOWN else item)
    return tuple(_quoted(item.get(name)) for name in sorted(nested.name for nested in field.fields))


def _quoted(value: Any) -> str:
    """Return a key that sorts text before unknown before null, like cty's hash bytes."""
    return "?" if value is UNKNOWN else "~" if value is None else f'"{value}"'


def _serialised(field: Field, item: Any) -> str:
    if not field.fields:
        return _text(item) + ";"
    members = sorted(field.fields, key=lambda nested: nested.tf)
    return "".join(f"{nested.tf}:{_text(item.get(nested.name), nested)};" for nested in members)


def _text(value: Any, field: Field | None = None) -> str:
    if value is None or value is UNKNOWN:
        return "0" if field and field.shape in (Shape.BOOL, Shape.INT) else ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)
