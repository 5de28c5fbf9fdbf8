"""The config section of Pulumi.yaml matches the settings: keys, types and defaults.

that change nothing.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

import settings
import yaml_text
from settings import errors, loading
from tests.unit import program

PROJECT = yaml_text.load((program.PROJECT / "Pulumi.yaml").read_text())
SCHEMA: dict[str, dict[str, Any]] = PROJECT["config"]
FIELDS = {to_camel(name): field for name, field in settings.Settings.model_fields.items()}
MACHINE_TYPES = {int: "integer", bool: "boolean"}


def section(field: FieldInfo) -> bool:
    """Whether the key's value is an object of its own."""
    return any(isinstance(part, type) and issubclass(part, BaseModel) for part in parts(field.annotation))


def parts(annotation: Any) -> list[Any]:
    return [annotation, *(each for part in getattr(annotation, "__args__", ()) for each in parts(part))]


def declared(key: str, field: FieldInfo) -> dict[str, Any]:
    """What Pulumi.yaml should say of the key, but for its description."""
    if key in settings.SECRET_KEYS:
        return {"secret": True, "default": ""}
    if section(field):
        return {"type": "object", "default": {}}
    kind = MACHINE_TYPES.get(field.annotation, "string") if isinstance(field.annotation, type) else "string"
    if field.is_required() or field.default is None:
        return {"type": kind, "default": ""}
    # The engine has no fractions: such a value is a text there, as every value is on its way to the program.
    return {"type": kind, "default": str(field.default) if kind == "string" else field.default}


@pytest.mark.parametrize("key", sorted(FIELDS))
def test_every_setting_is_in_pulumi_yaml(key: str) -> None:
    assert key in SCHEMA, f"Pulumi.yaml says nothing of {key}: {json.dumps(declared(key, FIELDS[key]))}"
    found = dict(SCHEMA[key])
    assert found.pop("description", "").strip(), f"{key} has no description"
    assert found == declared(key, FIELDS[key])


def test_pulumi_yaml_has_no_unknown_key() -> None:
    assert set(SCHEMA) <= set(FIELDS)


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_the_defaults_of_pulumi_yaml_change_nothing(stack: str) -> None:
    """The engine passes them to the program for every key that the stack does not set."""
    own = program.config_of(stack)
    given = {f"oracle-net:{key}": as_given(about["default"]) for key, about in SCHEMA.items()}
    assert loaded({**given, **own}) == loaded(own)


def test_an_empty_default_counts_as_missing() -> None:
    """The program, not the engine, reports the missing key and its fix."""
    values = loading.given({key: about["default"] for key, about in SCHEMA.items()})
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(values)
    for key in ("adminEmail", "workersUrl", "backend", "workers"):
        assert f"oracle-net:{key} is missing; {errors.CONSEQUENCES[key]}" in str(caught.value)


def as_given(default: Any) -> str:
    """As the engine hands a default on: a text, JSON for an object."""
    return default if isinstance(default, str) else json.dumps(default)


def loaded(config: dict[str, str]) -> settings.Settings:
    import pulumi

    pulumi.runtime.set_all_config(config, [])
    try:
        return settings.load()
    finally:
        pulumi.runtime.set_all_config({}, [])
