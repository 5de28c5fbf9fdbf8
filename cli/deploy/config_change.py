"""Change a stack's configuration and run the update; restore the configuration if the update refuses the change."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cli.deploy import service_plan
from cli.engine import local_cloud, stack_file
from cli.engine.pulumi import Engine, resources_in
from cli.engine.recover import settled
from cli.engine.workspace import Stack
from cli.runs.recorder import RunRecorder
from cli.runs.store import AFTER, PINNED, Run, RunInfo, Runs, steps
from cli.runs.supervise import run_in_view, start_detached
from cli.ui.errors import CommandError
from errors import UserError
from settings import from_file
from stack_outputs import PINNED_VARIABLE

SECRET = "ORACLE_NEW_SECRET_"
"""The prefix of the variables through which a run gets secrets."""
GATE = "pulumi-python:dynamic:BackendGeneration"
"""The type of the resource that refuses impossible changes."""
BACKEND = ("backend",)
DATA_ONLY = service_plan.resources(BACKEND)
"""The resources that change with the data: the backend and its dependents."""
GATES = frozenset({"backend-image", "backend-disk", "backend-generation"})
"""The names of the resources that are processed before any running resource changes."""


def ready(name: str, quiet: bool = False, *, make: bool = False) -> Engine:
    """Return the engine of an idle stack; with `make`, create the stack if it does not exist.

    Raises CommandError, also when an update is running.
    """
    stack = Stack(name)
    stack.settings()
    if stack.on_local_cloud:
        local_cloud.start(stack)
    engine = Engine(stack)
    if stack.on_local_cloud:
        for line in settled(engine, make=make):
            print(line, file=sys.stderr if quiet else sys.stdout)
    else:
        engine.ensure_stack() if make else engine.require_stack()
    return engine


def apply(
    engine: Engine,
    kind: str,
    values: Mapping[str, str | None],
    secrets: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
) -> RunInfo:
    """Set configuration (None removes a key) and run the update in view. Raises CommandError.

    `secrets` are set encrypted. They reach the run through its environment, and are in no file and no argument. `only`
    names the resources that may change; code and files then come from the running release instead of the sources.

    If the update fails before it changes anything, the configuration is restored. Otherwise it stays, and the next
    update continues from there.
    """
    names = {key: f"{SECRET}{number}" for number, key in enumerate(secrets or {})}
    environment = {names[key]: value for key, value in (secrets or {}).items()}
    with Runs(engine.stack.runs).start(kind, engine.owner, sys.argv[1:]) as run:
        task = {"do": "change", "values": dict(values), "secrets": names, "only": list(only)}
        start_detached(run, engine.stack, task, environment)
        return run_in_view(run)


@dataclass(frozen=True, kw_only=True)
class OtherData:
    """A requested wipe or restore: only the backend and its dependents change."""

    kind: str
    values: Mapping[str, str | None]
    retry_command: str
    """The command that continues it after a failure. `oracle wipe --undo` would then choose another backup."""
    environment: Mapping[str, str] = field(default_factory=dict)


def replace_data(engine: Engine, request: OtherData, agree: Callable[[Sequence[str]], None]) -> RunInfo:
    """Show `agree` the preview, then run exactly that change in view. Raises CommandError.

    The running release is deployed again, whatever the checkouts contain. If `agree` raises, nothing has changed.
    """
    engine.environment.update(request.environment)
    with Runs(engine.stack.runs).start(request.kind, engine.owner, sys.argv[1:]) as run:
        lines = _preview(RunRecorder(engine, run), request)
        try:
            agree(lines)
        except BaseException:
            run.discard()
            raise
        task = {"do": "change", "values": dict(request.values), "only": list(DATA_ONLY)}
        task["retry_command"] = request.retry_command
        start_detached(run, engine.stack, task, request.environment)
        return run_in_view(run)


def run_config_change(
    recording: RunRecorder,
    values: Mapping[str, str | None],
    secrets: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    retry_command: str = "",
) -> dict[str, Any]:
    """Perform a configuration change as the run's task. Raises CommandError.

    `secrets` names a variable of the environment for each key. `retry_command` is the command that continues an
    unfinished change, unless an update does.
    """
    engine = recording.engine
    with _configured(engine, values, {key: _take_variable(engine, name) for key, name in (secrets or {}).items()}):
        done = recording.update(*(_target_options(recording, only, engine.export()) if only else ()))
        if done.status == 0:
            return {}
        if _has_changes(recording, values):
            continues = retry_command and not _traffic_has_moved(recording, values)
            go_on = retry_command if continues else engine.stack.update
            raise engine.failure(done, go_on, "The update failed", "Nothing is lost.")
        raise Refused.of(engine.failure(done))


def bring_up(recording: RunRecorder) -> dict[str, Any]:
    """Perform a plain update as the run's task. Raises CommandError."""
    done = recording.update()
    if done.status != 0:
        raise recording.engine.failure(done, recording.engine.stack.update, "The update failed")
    return {}


def outcome(failure: UserError) -> dict[str, Any]:
    """Return the part of a run's result that describes its failure."""
    return {"refused": True} if isinstance(failure, Refused) else {}


def touched(run: Run) -> bool:
    """Return whether the run's update has changed a running resource, or tried to."""
    return any(step.op not in ("build", "preview", "refresh") and step.name not in GATES for step in steps(run))


class Refused(CommandError):
    """The update ended before it changed anything."""


def _preview(recording: RunRecorder, request: OtherData) -> list[str]:
    """Preview the change and describe it. Raises CommandError, also when unrelated resources would change."""
    engine = recording.engine
    after = recording.run.add_file(AFTER, engine.stack.file.read_bytes())
    _set_config(engine, request.values, "--config-file", str(after))
    state = engine.export()
    outputs = engine.outputs(state)
    options = ["--config-file", str(after), *_target_options(recording, DATA_ONLY, state)]
    plan = service_plan.planned_changes(recording.preview(*options))
    settings = from_file(after)
    service_plan.refuse_unrelated_changes(BACKEND, plan, outputs, settings)
    return list(service_plan.describe(BACKEND, plan, outputs, settings, engine.stack.name))


def _target_options(recording: RunRecorder, only: Sequence[str], state: Mapping[str, Any]) -> list[str]:
    """Return the engine's options for updating `only` these resources.

    The program gets the running services from the state in place of its sources.
    """
    engine = recording.engine
    pinned = service_plan.pinned_services((), engine.stack.settings(), state, engine.outputs(state).release)
    engine.environment[PINNED_VARIABLE] = str(recording.run.add_file(PINNED, json.dumps(pinned).encode()))
    return service_plan.targets(only)


def _take_variable(engine: Engine, name: str) -> str:
    """Return a variable's value and remove it, so that later processes do not get it."""
    engine.environment.pop(name, None)
    return os.environ.pop(name)


@contextmanager
def _configured(engine: Engine, values: Mapping[str, str | None], secrets: Mapping[str, str]) -> Iterator[None]:
    file = engine.stack.file
    before = file.read_bytes()
    try:
        for key, value in secrets.items():
            engine.set_secret(key, value)
        _set_config(engine, values)
        yield
    except Refused:
        stack_file.replace(file, before)
        raise


def _set_config(engine: Engine, values: Mapping[str, str | None], *options: str) -> None:
    for key, value in values.items():
        if value is not None:
            engine.run_checked("config", "set", *options, "--stack", engine.stack.name, "--", key, value)
        elif engine.stack.config(key) is not None:
            engine.run_checked("config", "rm", key, *options, "--stack", engine.stack.name)


def _traffic_has_moved(recording: RunRecorder, values: Mapping[str, str | None]) -> bool:
    """Return whether the traffic has moved.

    An update then finishes the change; the command itself would start another one.
    """
    generation, restart = values.get("oracle-net:generation"), values.get("oracle-net:restart")
    if generation is not None:
        return recording.engine.outputs().generation == int(generation)
    return restart is None or service_plan.restarts(recording.engine.export()) == int(restart)


def _has_changes(recording: RunRecorder, values: Mapping[str, str | None]) -> bool:
    """Return whether the update has changed anything, or tried to.

    If a new generation is requested, this is so once the generation has passed its gate, which precedes every change.
    """
    generation = values.get("oracle-net:generation")
    if generation is None:
        return touched(recording.run)
    resources = resources_in(recording.engine.export())
    gates = [each for each in resources if each["type"] == GATE]
    return any(int(each["outputs"]["generation"]) == int(generation) for each in gates)
