"""Convert dataclasses to readable JSON, and parse it back strictly."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from errors import Remedy
from storage.backups.errors import BackupsError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


def dump(value: DataclassInstance) -> str:
    return json.dumps(asdict(value), indent=2, ensure_ascii=False) + "\n"


def load(kind: type[T], text: str, name: str) -> T:
    """Parse the text of the object `name` as a `kind`. Unknown keys are ignored. Raises BackupsError."""
    from pydantic import TypeAdapter, ValidationError

    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    try:
        value: T = adapter.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise BackupsError(f"{name} is damaged ({where}: {first['msg']}).", Remedy.LIST_BACKUPS) from None
    return value
