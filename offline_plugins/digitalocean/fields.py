"""Tables of a resource's properties, one per resource, for check, plan, diff and the API's JSON.

The official plugin bridges a Terraform provider (helper/schema of terraform-plugin-sdk v2). Its treatment of a property
follows from a few attributes of the property's schema; `Field` holds these. The tables list the properties of this
plugin. The official plugin's further properties are listed with `in_api=False`, because they show in outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from offline_plugins.resource import UNKNOWN, Props, Secret


class Shape(Enum):
    """The shape of a property. ONE is a list of at most one block, which the plugin shows as a plain object."""

    TEXT = "text"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    ONE = "one"
    LIST = "list"
    SET = "set"


SCALARS: Final = {Shape.TEXT: "", Shape.INT: 0, Shape.FLOAT: 0, Shape.BOOL: False}


@dataclass(frozen=True, kw_only=True)
class Field:
    """One property. `tf`: its name in the Terraform schema; `api`: in the API's JSON, the same by default."""

    name: str
    tf: str
    shape: Shape = Shape.TEXT
    fields: tuple[Field, ...] = ()  # of a block
    item: Shape | None = None  # of a list or set of scalars
    api: str | None = None
    required: bool = False
    computed: bool = False  # the API may set it: leaving it out, or removing it, keeps the current value
    default: Any = None
    secret: bool = False
    replaces: bool = False
    in_api: bool = True
    importable: bool = True
    yields: str = ""  # an import leaves it out when this other property is set: the two exclude each other
    always: bool = False  # in the API's JSON even when empty
    named: bool = False  # gets a name made from the resource's when it is not set
    one_of: tuple[str, ...] = ()
    between: tuple[int, int] | None = None
    length: tuple[int, int] | None = None
    filled: bool = False  # must not be empty text
    caseless: bool = False  # a change of case alone is no change
    unsaid: str = ""  # a value that means the same as empty text, and is shown and sent as such

    @property
    def json(self) -> str:
        return self.tf if self.api is None else self.api


def zero(field: Field) -> Any:
    """Return the property's value after an update in which nobody set it."""
    if field.shape in SCALARS:
        return SCALARS[field.shape]
    return None if field.shape is Shape.ONE else []


def is_zero(value: Any) -> bool:
    """Return whether the value is missing from the API's JSON: null, false, 0, "" or []. An unknown value is not."""
    return value is None or ((value is not UNKNOWN and value in (False, 0, "")) or value == [])


def known(value: Any) -> bool:
    """Return whether nothing in the value is unknown."""
    if isinstance(value, dict):
        return all(known(item) for item in value.values())
    if isinstance(value, list):
        return all(known(item) for item in value)
    return value is not UNKNOWN


def seal(fields: tuple[Field, ...], value: Any) -> Any:
    """Return the value with its secret properties marked."""
    if not isinstance(value, dict):
        return value
    table = {field.name: field for field in fields}
    return {name: _seal_one(table[name], item) if name in table else item for name, item in value.items()}


def _seal_one(field: Field, value: Any) -> Any:
    if field.secret:
        return Secret(value)
    if field.fields and isinstance(value, list):
        return [seal(field.fields, item) for item in value]
    return seal(field.fields, value) if field.fields else value


def without_defaults(value: Any) -> Any:
    """Return the value without the lists `__defaults`, in which the plugin records Check's defaults."""
    if isinstance(value, dict):
        return {name: without_defaults(item) for name, item in value.items() if name != "__defaults"}
    if isinstance(value, list):
        return [without_defaults(item) for item in value]
    return value


def child(props: Props | None, name: str) -> Any:
    """Return `props[name]`; None when either is missing."""
    return props.get(name) if isinstance(props, dict) else None
