"""A change of a stack's configuration and the update that carries it out, taken back when the update refused it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ops import local_cloud
from ops.engine import Engine, cause
from ops.failures import Failure
from ops.following import hand_over, shown
from ops.recording import Recording
from ops.recover import recover
from ops.runs import RunInfo, Runs
from ops.workspace import Stack

GATE = "pulumi-python:dynamic:BackendGeneration"
"""The type of the resource that refuses what cannot be done."""


def ready(name: str, quiet: bool = False) -> Engine:
    """The engine of a stack at rest. Raises Failure, also when another update is at work."""
    stack = Stack(name)
    stack.settings()
    if stack.on_local_cloud:
        local_cloud.start(stack)
    engine = Engine(stack)
    engine.ensure_stack()
    if stack.on_local_cloud:
        for line in recover(engine):
            print(line, file=sys.stderr if quiet else sys.stdout)
    return engine


def apply(
    engine: Engine, kind: str, values: Mapping[str, str | None], environment: Mapping[str, str] | None = None
) -> RunInfo:
    """Sets configuration (None removes a key) and runs the update, as a run that is shown. Raises Failure.

    When nothing had changed yet as the update failed, the configuration is put back; otherwise it stays, and the next
    update goes on where this one ended.
    """
    with Runs(engine.stack.runs).start(kind, engine.stack.name, sys.argv[1:]) as run:
        hand_over(run, engine.stack, {"do": "change", "values": dict(values)}, environment)
        return shown(run)


def carry_out(recording: Recording, values: Mapping[str, str | None]) -> dict[str, Any]:
    """A change as the run's task. Raises Failure."""
    engine = recording.engine
    with _configured(engine, values):
        done = recording.update()
        if done.status == 0:
            return {}
        on = engine.stack.update
        if _begun(engine, values):
            raise Failure(engine.sentence(done, f"The update failed: {cause(done)}. Nothing is lost; go on: {on}"))
        raise Refused(engine.sentence(done, cause(done) + "."))


def bring_up(recording: Recording) -> dict[str, Any]:
    """A plain update as the run's task. Raises Failure."""
    done = recording.update()
    if done.status != 0:
        sentence = f"The update failed: {cause(done)}. Then go on: {recording.engine.stack.update}"
        raise Failure(recording.engine.sentence(done, sentence))
    return {}


def outcome(failure: Failure) -> dict[str, Any]:
    """What is kept of a failure beside its sentence."""
    return {"refused": True} if isinstance(failure, Refused) else {}


class Refused(Failure):
    """The update ended before it had changed anything."""


@contextmanager
def _configured(engine: Engine, values: Mapping[str, str | None]) -> Iterator[None]:
    file = engine.stack.file
    before = file.read_bytes()
    try:
        for key, value in values.items():
            if value is not None:
                engine.must("config", "set", key, value, "--stack", engine.stack.name)
            elif engine.stack.config(key) is not None:
                engine.must("config", "rm", key, "--stack", engine.stack.name)
        yield
    except Refused:
        scratch = file.with_name(f".{file.name}.{os.getpid()}")
        scratch.write_bytes(before)
        scratch.replace(file)
        raise


def _begun(engine: Engine, values: Mapping[str, str | None]) -> bool:
    """Whether the wanted generation has passed its gate, which comes before anything that changes."""
    wanted = values.get("oracle-net:generation")
    if wanted is None:
        return True
    resources = (engine.export().get("deployment") or {}).get("resources") or []
    gates = [each for each in resources if each["type"] == GATE]
    return any(int(each["outputs"]["generation"]) == int(wanted) for each in gates)
