"""Runs the whole program under Pulumi's mocks, as a stack would: its own configuration file, no cloud, no engine."""

from __future__ import annotations

import asyncio
import runpy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import mocks
from pulumi.runtime.stack import Stack as _Stack  # noqa: F401  (imported for its side effect of registering the root type)

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Declared:
    """One resource that the program registered. Secret inputs are shown as the engine would see them: unwrapped."""

    type: str
    name: str
    inputs: Mapping[str, Any]


@dataclass
class Run(mocks.Mocks):
    """What a run of the program declared and exported."""

    resources: list[Declared] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.resources.append(Declared(args.typ, args.name, args.inputs))
        answers = {
            "digitalocean:index/app:App": {"liveUrl": "https://jellyfish-app-abcde.ondigitalocean.app"},
            "random:index/randomPassword:RandomPassword": {"result": "made-password-of-the-mock"},
        }
        return f"{args.name}-id", {**args.inputs, **answers.get(args.typ, {})}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"the program should not call {args.token}")

    def one(self, name: str) -> Declared:
        return next(resource for resource in self.resources if resource.name == name)


def config_of(stack: str) -> dict[str, Any]:
    """The `config` section of `Pulumi.<stack>.yaml`, values as the engine hands them to the program."""
    import json

    document = yaml.safe_load((PROJECT / f"Pulumi.{stack}.yaml").read_text())
    config = document["config"]
    return {key: json.dumps(value) if isinstance(value, dict) else str(value) for key, value in config.items()}


def run(config: Mapping[str, str], secret_keys: list[str] | None = None, *, preview: bool = False) -> Run:
    """Runs `__main__.py` with `config`. Raises pulumi.RunError as the program does."""
    seen = Run()
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(seen, project="oracle-net", stack="unit", preview=preview)
    pulumi.runtime.set_all_config(dict(config), secret_keys or [])

    @pulumi.runtime.test  # type: ignore[untyped-decorator]
    def go() -> Any:
        stack_outputs: dict[str, Any] = {}
        original = pulumi.export
        pulumi.export = stack_outputs.__setitem__  # type: ignore[assignment]
        try:
            runpy.run_path(str(PROJECT / "__main__.py"), run_name="__main__")
        finally:
            pulumi.export = original
        return pulumi.Output.all(**stack_outputs).apply(seen.outputs.update)

    go()
    return seen
