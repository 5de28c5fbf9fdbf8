"""A change of a stack's configuration and the update that carries it out, taken back when the update refused it."""

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
from cli.engine.pulumi import Engine, failed
from cli.engine.recover import settled
from cli.engine.workspace import Stack
from cli.runs.recorder import RunRecorder
from cli.runs.store import AFTER, KEPT, Run, RunInfo, Runs, steps
from cli.runs.supervise import run_in_view, start_detached
from cli.ui.errors import CommandError
from settings import from_file
from stack_outputs import KEPT_VARIABLE

SECRET = "ORACLE_NEW_SECRET_"
"""Begins the names of the variables by which a run gets secrets."""
GATE = "pulumi-python:dynamic:BackendGeneration"
"""The type of the resource that refuses what cannot be done."""
BACKEND = ("backend",)
DATA_ONLY = service_plan.resources(BACKEND)
"""What changes when the data becomes another: the backend, and what must follow it."""
GATES = frozenset({"backend-image", "backend-disk", "backend-generation"})
"""The names of what comes before anything that changes what runs."""


def ready(name: str, quiet: bool = False, *, make: bool = False) -> Engine:
    """The engine of a stack at rest; `make` it where there is none.

    Raises CommandError, also when an update is at work.
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
    """Sets configuration (None removes a key) and runs the update, as a run that is shown. Raises CommandError.

    What is in `secrets` is set encrypted; it reaches the run by its environment, and is in no file and no argument.
    `only` names the resources that may change, with the code and the files that run, whatever the sources are.

    When nothing had changed yet as the update failed, the configuration is put back; otherwise it stays, and the next
    update goes on where this one ended.
    """
    names = {key: f"{SECRET}{number}" for number, key in enumerate(secrets or {})}
    hidden = {names[key]: value for key, value in (secrets or {}).items()}
    with Runs(engine.stack.runs).start(kind, engine.owner, sys.argv[1:]) as run:
        task = {"do": "change", "values": dict(values), "secrets": names, "only": list(only)}
        start_detached(run, engine.stack, task, hidden)
        return run_in_view(run)


@dataclass(frozen=True, kw_only=True)
class OtherData:
    """A wipe or a restore that is asked for: the backend and what must follow it change, and nothing else does."""

    kind: str
    values: Mapping[str, str | None]
    again: str
    """The command that asks for it, and goes on with it."""
    environment: Mapping[str, str] = field(default_factory=dict)


def replace_data(engine: Engine, wanted: OtherData, agree: Callable[[Sequence[str]], None]) -> RunInfo:
    """Shows `agree` what a preview says, and carries just that out, as a run that is shown. Raises CommandError.

    The release that runs is kept, whatever the checkouts hold. What `agree` raises has changed nothing.
    """
    engine.environment.update(wanted.environment)
    with Runs(engine.stack.runs).start(wanted.kind, engine.owner, sys.argv[1:]) as run:
        lines = _previewed(RunRecorder(engine, run), wanted)
        try:
            agree(lines)
        except BaseException:
            run.discard()
            raise
        task = {"do": "change", "values": dict(wanted.values), "only": list(DATA_ONLY), "again": wanted.again}
        start_detached(run, engine.stack, task, wanted.environment)
        return run_in_view(run)


def run_config_change(
    recording: RunRecorder,
    values: Mapping[str, str | None],
    secrets: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    again: str = "",
) -> dict[str, Any]:
    """A change as the run's task; `secrets` names a variable of the environment for each key, and `again` the command
    that goes on where this ends, unless an update does. Raises CommandError.
    """
    engine = recording.engine
    with _configured(engine, values, {key: _taken(engine, name) for key, name in (secrets or {}).items()}):
        done = recording.update(*(_narrowed(recording, only, engine.export()) if only else ()))
        if done.status == 0:
            return {}
        if _begun(recording, values):
            on = again if again and not _moved(recording, values) else engine.stack.update
            sentence = failed(done, f"Nothing is lost; go on: {on}", "The update failed: ")
            raise CommandError(engine.sentence(done, sentence))
        raise Refused(engine.sentence(done, failed(done, "")))


def bring_up(recording: RunRecorder) -> dict[str, Any]:
    """A plain update as the run's task. Raises CommandError."""
    done = recording.update()
    if done.status != 0:
        engine = recording.engine
        sentence = failed(done, f"Then go on: {engine.stack.update}", "The update failed: ")
        raise CommandError(engine.sentence(done, sentence))
    return {}


def outcome(failure: CommandError) -> dict[str, Any]:
    """What is kept of a failure beside its sentence."""
    return {"refused": True} if isinstance(failure, Refused) else {}


def touched(run: Run) -> bool:
    """Whether the run's update has begun to change anything that runs."""
    return any(step.op not in ("build", "preview", "refresh") and step.name not in GATES for step in steps(run))


class Refused(CommandError):
    """The update ended before it had changed anything."""


def _previewed(recording: RunRecorder, wanted: OtherData) -> list[str]:
    """What would change, in words. Raises CommandError, also where something else than the backend would."""
    engine = recording.engine
    after = recording.run.add_file(AFTER, engine.stack.file.read_bytes())
    _set(engine, wanted.values, "--config-file", str(after))
    state = engine.export()
    outputs = engine.outputs(state)
    options = ["--config-file", str(after), *_narrowed(recording, DATA_ONLY, state)]
    plan = service_plan.planned_changes(recording.preview(*options, again=wanted.again))
    settings = from_file(after)
    service_plan.refuse_unrelated_changes(BACKEND, plan, outputs, settings)
    return list(service_plan.describe(BACKEND, plan, outputs, settings, engine.stack.name))


def _narrowed(recording: RunRecorder, only: Sequence[str], state: Mapping[str, Any]) -> list[str]:
    """The options that hold the engine to some resources; the program is given what runs, as the state tells it, in
    place of its sources.
    """
    engine = recording.engine
    kept = service_plan.pinned_services((), engine.stack.settings(), state, engine.outputs(state).release)
    engine.environment[KEPT_VARIABLE] = str(recording.run.add_file(KEPT, json.dumps(kept).encode()))
    return service_plan.targets(only)


def _taken(engine: Engine, name: str) -> str:
    """The variable's value, which nothing that is started from now on gets to see."""
    engine.environment.pop(name, None)
    return os.environ.pop(name)


@contextmanager
def _configured(engine: Engine, values: Mapping[str, str | None], secrets: Mapping[str, str]) -> Iterator[None]:
    file = engine.stack.file
    before = file.read_bytes()
    try:
        for key, hidden in secrets.items():
            engine.set_secret(key, hidden)
        _set(engine, values)
        yield
    except Refused:
        stack_file.replace(file, before)
        raise


def _set(engine: Engine, values: Mapping[str, str | None], *options: str) -> None:
    for key, value in values.items():
        if value is not None:
            engine.run_checked("config", "set", *options, "--stack", engine.stack.name, "--", key, value)
        elif engine.stack.config(key) is not None:
            engine.run_checked("config", "rm", key, *options, "--stack", engine.stack.name)


def _moved(recording: RunRecorder, values: Mapping[str, str | None]) -> bool:
    """Whether the traffic has moved: what is left to do is then an update's, and asking again would begin anew."""
    generation, restart = values.get("oracle-net:generation"), values.get("oracle-net:restart")
    if generation is not None:
        return recording.engine.outputs().generation == int(generation)
    return restart is None or service_plan.restarts(recording.engine.export()) == int(restart)


def _begun(recording: RunRecorder, values: Mapping[str, str | None]) -> bool:
    """Whether the wanted generation has passed its gate, which comes before anything that changes; where no other is
    wanted, whether anything has been touched.
    """
    wanted = values.get("oracle-net:generation")
    if wanted is None:
        return touched(recording.run)
    resources = (recording.engine.export().get("deployment") or {}).get("resources") or []
    gates = [each for each in resources if each["type"] == GATE]
    return any(int(each["outputs"]["generation"]) == int(wanted) for each in gates)
