"""Runs the whole program under Pulumi's mocks, as a stack would: its own configuration file, no cloud, no engine."""

from __future__ import annotations

import asyncio
import re
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks, resource, sync_await
from pulumi.runtime.proto import source_pb2

import yaml_text
from components import backend_generation
from tests.support.stacks import stack_file

LIVE_URL = "https://jellyfish-app-abcde.ondigitalocean.app"
MADE_PASSWORD = "made-password-of-the-mock"
SIGNATURE = "4dabf18193072939515e22adb298388d"  # pulumi.runtime.rpc: marks an object as a special value
SECRET = "1b47061264138c4ac30d75fd1eb44270"
PROJECT = Path(__file__).parents[2]


_loops: list[asyncio.AbstractEventLoop] = []


def _thread_loop() -> asyncio.AbstractEventLoop:
    """The thread's event loop. The mocks make one in each thread that registers a resource, and never close it."""
    try:
        return asyncio.get_event_loop()
    except RuntimeError:
        _loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(_loops[-1])
        return _loops[-1]


mocks._ensure_event_loop = sync_await._ensure_event_loop = _thread_loop  # type: ignore[attr-defined]
# Pulumi reports which lines declare a resource; finding them below so many calls takes a quarter of a run.
resource._get_stack_trace = source_pb2.StackTrace


@dataclass(frozen=True)
class Declared:
    """One resource that the program registered. Inputs are wire values: secrets are wrapped."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    protected: bool = False


@dataclass
class Run(mocks.Mocks):
    """What a run of the program declared and exported."""

    resources: list[Declared] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    protected: set[str] = field(default_factory=set)
    """The names of the resources that the engine is to protect, components included."""
    requests: list[Any] = field(default_factory=list)
    """The registrations as the engine gets them, options included."""
    registered: dict[str, set[str]] = field(default_factory=dict)
    """The names of each component's outputs, by the component's type."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.resources.append(Declared(args.typ, args.name, args.inputs, args.name in self.protected))
        answers = {
            "random:index/randomPassword:RandomPassword": {"result": MADE_PASSWORD},
            "pulumi-python:dynamic:BackendData": {"url": LIVE_URL},
        }
        if args.typ == "pulumi-python:dynamic:BackendGeneration":
            answers[args.typ] = backend_generation.count_app(dict(args.inputs), {})
        return f"{args.name}-id", {**args.inputs, **answers.get(args.typ, {})}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"the program should not call {args.token}")

    def of(self, token: str) -> list[Declared]:
        """All of a type, of which there is one at least: what is asserted of each is asserted of something."""
        found = [resource for resource in self.resources if resource.type == token]
        assert found, f"the program declares no {token}"
        return found

    def declares(self, token: str) -> bool:
        return any(resource.type == token for resource in self.resources)

    def one(self, name: str) -> Declared:
        return next(resource for resource in self.resources if resource.name == name)


def plain(value: Any) -> Any:
    """A wire value with its secrets unwrapped."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return plain(value["value"])
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def hidden(value: Any) -> Any:
    """A wire value as the state shows it: what is secret is not there."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return "[secret]"
        return {key: hidden(item) for key, item in value.items()}
    return [hidden(item) for item in value] if isinstance(value, list) else value


def filled_in(template: str) -> str:
    """A stack's file with values in place of those that a template cannot have."""
    return re.sub(r"0{32,64}", lambda zeros: "1" * len(zeros[0]), template).replace(".account.workers", ".team.workers")


def config_of(stack: str) -> dict[str, Any]:
    """The `config` section of `Pulumi.<stack>.yaml` as the engine hands it to the program, filled in by somebody."""
    import json

    document = yaml_text.load(filled_in(stack_file(stack).read_text()))
    config = document["config"]
    return {key: json.dumps(value) if isinstance(value, dict) else str(value) for key, value in config.items()}


class Monitor(mocks.MockMonitor):
    """Records what mocks do not get: protection, and the other resource options."""

    def RegisterResource(self, request: Any) -> Any:
        self.mocks.requests.append(request)  # type: ignore[attr-defined]
        if request.protect:
            self.mocks.protected.add(request.name)  # type: ignore[attr-defined]
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: Any) -> Any:
        kind = request.urn.split("::")[2].rpartition("$")[2]
        self.mocks.registered[kind] = set(request.outputs.fields)  # type: ignore[attr-defined]
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def run(
    config: Mapping[str, str], secret_keys: list[str] | None = None, *, preview: bool = False, stack: str = "unit"
) -> Run:
    """Runs `__main__.py` with `config`. Raises pulumi.RunError as the program does."""

    def whole() -> dict[str, Any]:
        outputs: dict[str, Any] = {}
        original = pulumi.export
        pulumi.export = outputs.__setitem__  # type: ignore[assignment]
        try:
            runpy.run_path(str(PROJECT / "__main__.py"), run_name="__main__")
        finally:
            pulumi.export = original
        return outputs

    return run_declared(whole, config, secret_keys, preview=preview, stack=stack)


def run_declared(
    declare: Callable[[], dict[str, Any]],
    config: Mapping[str, str],
    secret_keys: list[str] | None = None,
    *,
    preview: bool = False,
    stack: str = "unit",
) -> Run:
    """Runs a function that declares resources and returns the stack's outputs."""
    seen = Run()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pulumi.runtime.set_mocks(seen, "oracle-net", stack, preview, monitor=Monitor(seen), organization="organization")
    pulumi.runtime.set_all_config(dict(config), secret_keys or [])

    @pulumi.runtime.test  # type: ignore[untyped-decorator]
    def go() -> Any:
        return pulumi.Output.all(**declare()).apply(seen.outputs.update)

    try:
        go()
    finally:
        asyncio.set_event_loop(None)
        for made in [loop, *_loops]:
            made.close()
        _loops.clear()
    return seen
