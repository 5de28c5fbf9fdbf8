"""Tables of a resource's attributes, and the conversion of values between the program and the API.

A resource is a table of `Attribute`s under the program's names (camelCase). The official plugin derives from its schema
what Check refuses, which values are secret, the content of a body, and the meaning of a response. Here all that is
derived from the table. Plans and diffs are made from the same table, in `plan`.

A missing value and null are the same; no function here returns a null inside an object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from offline_plugins.resource import UNKNOWN, Failure, Props, ProviderError, Secret

Kind = Literal[
    "text", "time", "bool", "number", "texts", "text set", "object", "objects", "object set", "bool or texts"
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One attribute. `wire` is its name in bodies and responses; without one it is in neither."""

    wire: str = ""
    kind: Kind = "text"
    required: bool = False
    optional: bool = True  # the program may set it
    computed: bool = False  # the API sets it when the program does not
    default: Any = None  # used when the program sets nothing; only for computed attributes
    stable: bool = False  # computed, and unchanged by updates
    replaces: bool = False
    secret: bool = False
    choices: tuple[str, ...] = ()  # compared without case
    computed_for: tuple[str, str] | None = None  # computed only when a sibling has this value
    fields: Mapping[str, Attribute] = field(default_factory=dict)
    about: str = ""  # the official plugin's description; part of its message about a missing value
    deprecated: bool = False


Fields = Mapping[str, Attribute]

_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "time": (str,),
    "bool": (bool,),
    "number": (int, float),
    "texts": (list,),
    "text set": (list,),
    "objects": (list,),
    "object set": (list,),
    "object": (dict,),
}


def clean(value: Any) -> Any:
    """Return the value without nulls in its objects."""
    if isinstance(value, Secret):
        return clean(value.value)
    if isinstance(value, dict):
        return {key: clean(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [clean(item) for item in value]
    return value


def walk(fields: Fields, props: Props, path: str = "") -> Iterator[tuple[str, Attribute, Props, str]]:
    """Yield every known attribute below `props`, set or not: path, attribute, its object, its name there."""
    for name, attribute in fields.items():
        here = f"{path}.{name}" if path else name
        yield here, attribute, props, name
        value = props.get(name)
        if attribute.kind == "object" and isinstance(value, dict):
            yield from walk(attribute.fields, value, here)
        elif attribute.kind in ("objects", "object set") and isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, dict):
                    yield from walk(attribute.fields, item, f"{here}[{index}]")


def unknown_properties(fields: Fields, props: Props, path: str = "") -> Iterator[str]:
    """Yield the paths in `props` that the table lacks, or has only as an output."""
    for name, value in props.items():
        here = f"{path}.{name}" if path else name
        attribute = fields.get(name)
        if attribute is None or not attribute.optional:
            yield here
        elif attribute.kind == "object" and isinstance(value, dict):
            yield from unknown_properties(attribute.fields, value, here)
        elif attribute.kind in ("objects", "object set") and isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, dict):
                    yield from unknown_properties(attribute.fields, item, f"{here}[{index}]")


def failures(fields: Fields, props: Props, name: str) -> list[Failure]:
    """Check the program's inputs against the table; failures are in the official plugin's words.

    Raises ProviderError for a value of another type. An unknown property is a failure of our own: the official plugin
    drops it silently.
    """
    refused = [_unknown(path) for path in unknown_properties(fields, props)]
    for path, attribute, holder, key in walk(fields, props):
        value = holder.get(key)
        if value is None:
            if attribute.required:
                refused.append(Failure(f"Missing required property '{path}': {attribute.about}"))
        elif value is not UNKNOWN:
            _check_type(path, attribute, value)
            if attribute.choices and value.lower() not in map(str.lower, attribute.choices):
                refused.append(Failure(_not_a_choice(path, attribute, value, name)))
    return refused


def _unknown(path: str) -> Failure:
    return Failure(
        f"Property '{path}' is not supported by the offline plugin. Fix: remove it, "
        "or run `oracle up --plugins official`.",
        path,
    )


def _check_type(path: str, attribute: Attribute, value: Any) -> None:
    wanted = _TYPES.get(attribute.kind)
    items: list[Any] = value if isinstance(value, list) else []
    if wanted is None:  # checked by its resource
        return
    if not isinstance(value, wanted) or (attribute.kind == "number" and isinstance(value, bool)):
        given = type(value).__name__
        raise ProviderError(f"Property '{path}' takes a {attribute.kind}, not a {given}; correct the program.")
    if attribute.kind in ("texts", "text set") and not all(item is UNKNOWN or isinstance(item, str) for item in items):
        raise ProviderError(f"Property '{path}' takes a list of texts only; correct the program.")


def _not_a_choice(path: str, attribute: Attribute, value: str, name: str) -> str:
    choices = " ".join(f'"{choice}"' for choice in attribute.choices)
    return (
        f"Invalid Attribute Value Match. Attribute {snake(path)} value must be one of: [{choices}], "
        f"got: \"{value}\". Examine values at '{name}.{path}'."
    )


def snake(path: str) -> str:
    """Return a path in the API's spelling: `assets.config.htmlHandling` is `assets.config.html_handling`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in path)


def deprecations(fields: Fields, props: Props) -> list[str]:
    """Return Check's warnings about deprecated attributes that are set."""
    return [
        f'property "{path}" is deprecated: This attribute is deprecated.'
        for path, attribute, holder, key in walk(fields, props)
        if attribute.deprecated and holder.get(key) is not None
    ]


def marked(fields: Fields, props: Props, unknowns: bool = False) -> Props:
    """Copy the values, with secrets wrapped; unknown ones too if `unknowns` (in Check, not in previews)."""
    out: Props = {}
    for name, value in props.items():
        attribute = fields.get(name)
        if attribute is None:
            out[name] = value
        elif attribute.secret and (unknowns or value is not UNKNOWN):
            out[name] = Secret(value)
        elif attribute.kind == "object" and isinstance(value, dict):
            out[name] = marked(attribute.fields, value, unknowns)
        elif attribute.kind in ("objects", "object set") and isinstance(value, list):
            out[name] = [marked(attribute.fields, item, unknowns) if isinstance(item, dict) else item for item in value]
        else:
            out[name] = value
    return out


def to_body(fields: Fields, props: Props) -> dict[str, Any]:
    """Return the content of a request's body: the known values that have a wire name, under it, sorted."""
    pairs = {
        attribute.wire: _to_wire(attribute, props[name])
        for name, attribute in fields.items()
        if attribute.wire and props.get(name, UNKNOWN) is not UNKNOWN
    }
    return dict(sorted(pairs.items()))


def _to_wire(attribute: Attribute, value: Any) -> Any:
    if attribute.kind == "object":
        return to_body(attribute.fields, value)
    if attribute.kind in ("objects", "object set"):
        return [to_body(attribute.fields, item) for item in value]
    return value


def from_answer(fields: Fields, answer: Mapping[str, Any]) -> Props:
    """Return the attributes that a response sets; fields outside the table are ignored."""
    out: Props = {}
    for name, attribute in fields.items():
        if attribute.wire and answer.get(attribute.wire) is not None:
            out[name] = _from_wire(attribute, answer[attribute.wire])
    return out


def _from_wire(attribute: Attribute, value: Any) -> Any:
    if attribute.kind == "object":
        return from_answer(attribute.fields, value)
    if attribute.kind in ("objects", "object set"):
        return [from_answer(attribute.fields, item) for item in value]
    if attribute.kind == "text set":
        return sorted(value)
    if attribute.kind == "time":
        return short_time(value)
    return value


def short_time(text: str) -> str:
    """Drop zeros at the end of a time's fraction (RFC 3339), as Go does: `…01.000000Z` is `…01Z`."""
    if "." not in text or not text.endswith("Z"):
        return text
    seconds, fraction = text[:-1].split(".", 1)
    fraction = fraction.rstrip("0")
    return f"{seconds}.{fraction}Z" if fraction else f"{seconds}Z"
