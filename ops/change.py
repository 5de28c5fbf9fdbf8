"""A change of a stack's configuration and the update that carries it out, taken back when the update refused it."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ops import local_cloud
from ops.engine import Engine, Finished
from ops.failures import KILLED, Failure, program_sentence
from ops.recover import recover
from ops.workspace import Stack

OPTIONS = ("--yes", "--skip-preview", "--suppress-permalink=true", "--suppress-outputs")
STEP = re.compile(r"^ *[-+~]{1,2} +[\w-]+:\S*?(\w+) (\S+) ([a-z ]+?) \((\d+(?:\.\d+)?)s\)", re.MULTILINE)
GATE = "pulumi-python:dynamic:BackendGeneration"
"""The type of the resource that refuses what cannot be done."""


def ready(name: str) -> Engine:
    """The engine of a stack at rest. Raises Failure, also when another update is at work."""
    stack = Stack(name)
    stack.settings()
    if stack.on_local_cloud:
        local_cloud.start(stack)
    engine = Engine(stack)
    engine.ensure_stack()
    if stack.on_local_cloud:
        for line in recover(engine):
            print(line)
    return engine


def apply(engine: Engine, values: Mapping[str, str | None], environment: Mapping[str, str] | None = None) -> Finished:
    """Sets configuration (None removes a key), runs the update, shows it with a timeline. Raises Failure.

    When nothing had changed yet as the update failed, the configuration is put back; otherwise it stays, and the next
    update goes on where this one ended.
    """
    engine.environment.update(environment or {})
    with _configured(engine, values):
        begin = time.monotonic()
        done = engine.shown("up", *OPTIONS, "--stack", engine.stack.name)
        if done.status == 0:
            _timeline(done.output, time.monotonic() - begin)
            return done
        cause = (program_sentence(done.output) or (KILLED if done.status < 0 else "what is wrong stands above")).rstrip(
            "."
        )
        on = f"pulumi up -s {engine.stack.name}" if not engine.stack.on_local_cloud else "make up"
        if _begun(engine, values):
            raise Failure(engine.sentence(done, f"The update failed: {cause}. Nothing is lost; go on: {on}"))
        raise Refused(engine.sentence(done, cause + "."))


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


@dataclass(frozen=True)
class Step:
    kind: str
    name: str
    verb: str
    seconds: float


def _steps(output: str) -> Iterator[Step]:
    for kind, name, verb, seconds in STEP.findall(output):
        yield Step(kind, name, verb, float(seconds))


def _timeline(output: str, whole: float) -> None:
    """The finished steps in their order, with a bar for each one's seconds."""
    done = [step for step in _steps(output) if not step.verb.split()[0].endswith("ing") and "refresh" not in step.verb]
    if not done:
        return
    longest = max(max(step.seconds for step in done), 0.1)
    print("\nTimeline")
    for step in done:
        bar = "#" * round(30 * step.seconds / longest)
        print(f"  {step.name:<24} {step.verb:<20} {step.seconds:>6.1f} s  {bar}".rstrip())
    print(f"  {'whole':<24} {'':<20} {whole:>6.1f} s")
    sys.stdout.flush()
