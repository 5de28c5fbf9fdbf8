"""A deploy as a run: builds, what it would do in words, the update, and what became of each service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from cli.backups.stack_backups import StackBackups
from cli.deploy import first_release, service_plan
from cli.deploy.service_plan import PlannedChange
from cli.engine.events import Step
from cli.engine.pulumi import Engine, outputs_or_none
from cli.engine.workspace import Stack
from cli.runs.recorder import RunRecorder
from cli.runs.store import KEPT, steps
from cli.status import running
from cli.ui import phrases
from cli.ui.errors import CommandError, is_locked
from retry import backoff
from stack_outputs import KEPT_VARIABLE

WAIT_FIRST, WAIT_LONGEST = 5.0, 30.0
"""Seconds between two tries while another update holds the lock."""


class Locked(CommandError):
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


def prepare(recording: RunRecorder, services: Sequence[str]) -> Plan:
    """Builds, stages, previews; says what would change.

    Raises CommandError, also where another service would be touched.
    """
    engine = recording.engine
    settings = engine.stack.settings()
    wanted = service_plan.chosen(services, settings)
    state = engine.export()
    outputs = outputs_or_none(state)
    if outputs is None and wanted != settings.services:
        raise CommandError(f"Nothing runs in {engine.stack.name} yet; deploy all of it first: oracle deploy")
    plan = preview_deploy(recording, wanted, state)
    service_plan.refuse_unrelated_changes(wanted, plan, outputs, settings)
    nothing = not plan.changes and outputs is not None and plan.new.get("release") == outputs.release
    lines = [*service_plan.describe(wanted, plan, outputs, settings, engine.stack.name), *risk(engine, plan)]
    recording.say("\n".join(["", *lines, ""]))
    return Plan(wanted, tuple(lines), nothing)


def preview_deploy(
    recording: RunRecorder,
    wanted: Sequence[str],
    state: Mapping[str, Any],
    again: str = "oracle deploy",
    *,
    images: bool = True,
) -> PlannedChange:
    """Builds the services, and previews what a deploy of them would do; the others keep what they run. Raises
    CommandError, which ends in the command to type `again`. Without `images` none is built and pushed.

    `state` is what the others are known by; it may have become another since, which is seen before the update.
    """
    engine = recording.engine
    settings, outputs = engine.stack.settings(), outputs_or_none(state)
    refuse_receipt(engine.stack)
    first_release.refuse_order(settings, wanted, engine.stack.name)
    recording.build(wanted, images=images)
    if outputs:
        service_plan.refuse_loss(wanted, settings, outputs, state, engine.stack.name)
        if wanted != settings.services:
            kept = service_plan.pinned_services(wanted, settings, state, outputs.release)
            recording.run.add_file(KEPT, json.dumps(kept).encode())
    _keep(recording)
    with first_release.without_adopted_keys(engine, first_release.first_releases(settings, wanted)):
        return service_plan.planned_changes(recording.preview(*service_plan.options(wanted, settings), again=again))


def run_deploy(
    recording: RunRecorder, services: Sequence[str], prepared: Mapping[str, Any] | None, wait: float = 0
) -> dict[str, Any]:
    """A deploy as the run's task, with its preparation when that has not been done. Raises CommandError.

    While another update holds the stack's lock it is tried again for `wait` seconds, from the preparation on: that
    update has changed what runs.
    """
    for _ in backoff(wait, WAIT_FIRST, WAIT_LONGEST):
        try:
            return _ran(recording, services, prepared)
        except Locked as failure:
            locked, prepared = failure, None
            if wait:
                recording.say(f"Waiting for another update, then trying again. {failure}")
    raise locked


def _ran(recording: RunRecorder, services: Sequence[str], prepared: Mapping[str, Any] | None) -> dict[str, Any]:
    plan = Plan(**prepared) if prepared else prepare(recording, services)
    taken: tuple[str, ...] = ()
    _keep(recording)
    if plan.nothing:
        recording.say("Nothing to deploy: what runs is what is declared.")
    else:
        _refuse_stale(recording, plan.services)
        settings = recording.engine.stack.settings()
        taken = first_release.first_releases(settings, plan.services)
        first_release.release(recording.engine, taken)
        done = recording.update(*service_plan.options(plan.services, settings))
        if done.status != 0:
            on = f"Nothing is lost; go on: {_retry_command(recording, plan.services)}"
            kind = Locked if is_locked(done.output) else CommandError
            raise kind(recording.engine.failure(done, on))
    return closing(recording, plan, taken)


def closing(recording: RunRecorder, plan: Plan, taken: Sequence[str] = ()) -> dict[str, Any]:
    """The table of what became of each service, as a run's result; `taken` are those that were released for the first
    time. Raises CommandError when one of them does not answer.
    """
    rows = [
        replace(row, change="taken over") if row.service in taken else row for row in _rows(recording, plan.services)
    ]
    recording.say(_aligned(*table(rows)))
    result: dict[str, Any] = {"plan": list(plan.lines), "services": [asdict(row) for row in rows]}
    if silent := [row.service for row in rows if row.answer != "ok" and row.service in plan.services]:
        recording.run.write(result=result)
        raise CommandError(f"{', '.join(silent)} does not answer as it should; see: oracle status")
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
    """Raises CommandError where what the checkouts build would not be deployed."""
    if stack.settings().receipt is not None:
        raise CommandError(
            f"{stack.name} deploys what its receipt names, and not what the checkouts build. Change the receipt: "
            f"oracle promote FROM {stack.name}; or let go of it: pulumi config rm oracle-net:receipt -s {stack.name}"
        )


def _refuse_stale(recording: RunRecorder, services: Sequence[str]) -> None:
    """Raises Locked where what stays as it is has become something else since it was noted."""
    path = recording.run.folder / KEPT
    outputs = outputs_or_none(recording.engine.export()) if path.exists() else None
    if outputs is not None and json.loads(path.read_text())["release"] != outputs.release:
        raise Locked(
            f"Another update has changed what runs in {recording.engine.stack.name} while this one was prepared, so "
            f"nothing was changed; try again: {_retry_command(recording, services)}"
        )


def _retry_command(recording: RunRecorder, services: Sequence[str]) -> str:
    return f"oracle deploy {' '.join(services)} --stack {recording.engine.stack.name}"


def _keep(recording: RunRecorder) -> None:
    """Names the file with what stays as it is to the program, where there is one."""
    path = recording.run.folder / KEPT
    if path.exists():
        recording.engine.environment[KEPT_VARIABLE] = str(path)


def risk(engine: Engine, plan: PlannedChange) -> Iterator[str]:
    """What the backend holds, in numbers, when another app takes over."""
    if not plan.ops(service_plan.APP) & service_plan.MOVES:
        return
    try:
        backend = StackBackups(engine).backend()
        yield f"Data: {phrases.loss(backend.outputs.backend_app, backend.summary())}"
    except CommandError as failure:
        yield f"Data: its records could not be counted. {failure}"


def _rows(recording: RunRecorder, services: Sequence[str]) -> list[Deployed]:
    """What became of every service, and what it says of itself now."""
    done = [step for step in steps(recording.run) if step.op not in ("build", "preview", "refresh")]
    return [
        Deployed(
            row.service,
            row.version,
            _outcome(
                row.service,
                services,
                [step for step in done if service_plan.belongs_to_service(step.name, row.service)],
            ),
            _span([step for step in done if service_plan.belongs_to_service(step.name, row.service)]),
            row.address,
            row.answer,
        )
        for row in running.rows(recording.engine)
    ]


def _outcome(service: str, services: Sequence[str], done: Sequence[Step]) -> str:
    ops = {step.op for step in done if step.name in (service_plan.APP, f"{service}-script")}
    if service not in services:
        return "follows the backend" if ops else "not asked for"
    if ops & service_plan.MOVES:
        return "new app" if service == "backend" else "made again"
    if "create" in ops:
        return "created"
    return "updated" if done else "unchanged"


def _span(done: Sequence[Step]) -> float | None:
    """Seconds from the first step's begin to the last one's end; None when there was nothing to do."""
    ends = [step.ended for step in done if step.ended is not None]
    return round(max(ends) - min(step.began for step in done), 1) if ends else None
