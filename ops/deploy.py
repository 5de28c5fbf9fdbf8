"""A deploy as a run: builds, what it would do in words, the update, and what became of each service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from contract import KEPT_VARIABLE
from ops import planning, releasing, words
from ops.custody import StackCustody
from ops.engine import Engine, known_outputs
from ops.events import Step
from ops.failures import Failure, is_locked
from ops.planning import Foreseen
from ops.recording import Recording
from ops.runs import KEPT, steps
from ops.status import running
from ops.workspace import Stack
from waiting import backoff

WAIT_FIRST, WAIT_LONGEST = 5.0, 30.0
"""Seconds between two tries while another update holds the lock."""


class Locked(Failure):
    """Another update of the stack is at work, and nothing was changed."""


@dataclass(frozen=True)
class Deployed:
    """A row of the table at the end."""

    service: str
    version: str
    change: str
    seconds: float | None
    address: str
    answer: str


@dataclass(frozen=True)
class Plan:
    """What a deploy would do: `lines` say it; nothing differs from what runs when `nothing`."""

    services: tuple[str, ...]
    lines: tuple[str, ...]
    nothing: bool


def prepare(recording: Recording, services: Sequence[str]) -> Plan:
    """Builds, stages, previews; says what would change. Raises Failure, also where another service would be touched."""
    engine = recording.engine
    settings = engine.stack.settings()
    wanted = planning.chosen(services, settings)
    state = engine.export()
    outputs = known_outputs(state)
    if outputs is None and wanted != settings.services:
        raise Failure(f"Nothing runs in {engine.stack.name} yet; deploy all of it first: oracle deploy")
    plan = foresee(recording, wanted, state)
    planning.refuse_strangers(wanted, plan, outputs, settings)
    nothing = not plan.changes and outputs is not None and plan.new.get("release") == outputs.release
    lines = [*planning.words(wanted, plan, outputs, settings, engine.stack.name), *risk(engine, plan)]
    recording.say("\n".join(["", *lines, ""]))
    return Plan(wanted, tuple(lines), nothing)


def foresee(
    recording: Recording,
    wanted: Sequence[str],
    state: Mapping[str, Any],
    again: str = "oracle deploy",
    *,
    images: bool = True,
) -> Foreseen:
    """Builds the services, and previews what a deploy of them would do; the others keep what they run. Raises Failure,
    which ends in the command to type `again`. Without `images` none is built and pushed.

    `state` is what the others are known by; it may have become another since, which is seen before the update.
    """
    engine = recording.engine
    settings, outputs = engine.stack.settings(), known_outputs(state)
    refuse_receipt(engine.stack)
    releasing.refuse_order(settings, wanted, engine.stack.name)
    recording.build(wanted, images=images)
    if outputs:
        planning.refuse_loss(wanted, settings, outputs, state, engine.stack.name)
        if wanted != settings.services:
            kept = planning.kept(wanted, settings, state, outputs.release)
            recording.run.add_file(KEPT, json.dumps(kept).encode())
    _keep(recording)
    with releasing.as_if_released(engine, releasing.first_releases(settings, wanted)):
        return planning.foreseen(recording.preview(*planning.options(wanted, settings), again=again))


def carry_out(
    recording: Recording, services: Sequence[str], prepared: Mapping[str, Any] | None, wait: float = 0
) -> dict[str, Any]:
    """A deploy as the run's task, with its preparation when that has not been done. Raises Failure.

    While another update holds the stack's lock it is tried again for `wait` seconds, from the preparation on: that
    update has changed what runs.
    """
    for _ in backoff(wait, WAIT_FIRST, WAIT_LONGEST):
        try:
            return _carried_out(recording, services, prepared)
        except Locked as failure:
            locked, prepared = failure, None
            if wait:
                recording.say(f"Waiting for another update, then trying again. {failure}")
    raise locked


def _carried_out(recording: Recording, services: Sequence[str], prepared: Mapping[str, Any] | None) -> dict[str, Any]:
    plan = Plan(**prepared) if prepared else prepare(recording, services)
    taken: tuple[str, ...] = ()
    _keep(recording)
    if plan.nothing:
        recording.say("Nothing to deploy: what runs is what is declared.")
    else:
        _refuse_stale(recording, plan.services)
        settings = recording.engine.stack.settings()
        taken = releasing.first_releases(settings, plan.services)
        releasing.release(recording.engine, taken)
        done = recording.update(*planning.options(plan.services, settings))
        if done.status != 0:
            on = f"Nothing is lost; go on: {_again(recording, plan.services)}"
            kind = Locked if is_locked(done.output) else Failure
            raise kind(recording.engine.failure(done, on))
    return closing(recording, plan, taken)


def closing(recording: Recording, plan: Plan, taken: Sequence[str] = ()) -> dict[str, Any]:
    """The table of what became of each service, as a run's result; `taken` are those that were released for the first
    time. Raises Failure when one of them does not answer.
    """
    rows = [
        replace(row, change="taken over") if row.service in taken else row for row in _rows(recording, plan.services)
    ]
    recording.say(_aligned(*table(rows)))
    result: dict[str, Any] = {"plan": list(plan.lines), "services": [asdict(row) for row in rows]}
    if silent := [row.service for row in rows if row.answer != "ok" and row.service in plan.services]:
        recording.run.write(result=result)
        raise Failure(f"{', '.join(silent)} does not answer as it should; see: oracle status")
    return result


def table(rows: Sequence[Deployed]) -> tuple[list[str], list[list[str]]]:
    """The columns' names, and a line for each service."""
    lines = [
        [row.service, row.version, row.change, "" if row.seconds is None else f"{row.seconds:.1f}", row.address]
        for row in rows
    ]
    return ["service", "version", "change", "seconds", "address"], lines


def _aligned(columns: list[str], lines: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in [columns, *lines]) for column in range(len(columns) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]])
        for line in [columns, *lines]
    )


def refuse_receipt(stack: Stack) -> None:
    """Raises Failure where what the checkouts build would not be deployed."""
    if stack.settings().receipt is not None:
        raise Failure(
            f"{stack.name} deploys what its receipt names, and not what the checkouts build. Change the receipt: "
            f"oracle promote FROM {stack.name}; or let go of it: pulumi config rm oracle-net:receipt -s {stack.name}"
        )


def _refuse_stale(recording: Recording, services: Sequence[str]) -> None:
    """Raises Locked where what stays as it is has become something else since it was noted."""
    path = recording.run.folder / KEPT
    outputs = known_outputs(recording.engine.export()) if path.exists() else None
    if outputs is not None and json.loads(path.read_text())["release"] != outputs.release:
        raise Locked(
            f"Another update has changed what runs in {recording.engine.stack.name} while this one was prepared, so "
            f"nothing was changed; try again: {_again(recording, services)}"
        )


def _again(recording: Recording, services: Sequence[str]) -> str:
    return f"oracle deploy {' '.join(services)} --stack {recording.engine.stack.name}"


def _keep(recording: Recording) -> None:
    """Names the file with what stays as it is to the program, where there is one."""
    path = recording.run.folder / KEPT
    if path.exists():
        recording.engine.environment[KEPT_VARIABLE] = str(path)


def risk(engine: Engine, plan: Foreseen) -> Iterator[str]:
    """What the backend holds, in numbers, when another app takes over."""
    if not plan.ops(planning.APP) & planning.MOVES:
        return
    try:
        backend = StackCustody(engine).backend()
        yield f"Data: {words.loss(backend.outputs.backend_app, backend.census())}"
    except Failure as failure:
        yield f"Data: its records could not be counted. {failure}"


def _rows(recording: Recording, services: Sequence[str]) -> list[Deployed]:
    """What became of every service, and what it says of itself now."""
    done = [step for step in steps(recording.run) if step.op not in ("build", "preview", "refresh")]
    return [
        Deployed(
            row.service,
            row.version,
            _became(row.service, services, [step for step in done if planning.belongs(step.name, row.service)]),
            _span([step for step in done if planning.belongs(step.name, row.service)]),
            row.address,
            row.answer,
        )
        for row in running.rows(recording.engine)
    ]


def _became(service: str, services: Sequence[str], done: Sequence[Step]) -> str:
    ops = {step.op for step in done if step.name in (planning.APP, f"{service}-script")}
    if service not in services:
        return "follows the backend" if ops else "not asked for"
    if ops & planning.MOVES:
        return "new app" if service == "backend" else "made again"
    if "create" in ops:
        return "created"
    return "updated" if done else "unchanged"


def _span(done: Sequence[Step]) -> float | None:
    """Seconds from the first step's begin to the last one's end; None when there was nothing to do."""
    ends = [step.ended for step in done if step.ended is not None]
    return round(max(ends) - min(step.began for step in done), 1) if ends else None
