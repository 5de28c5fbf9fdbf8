"""A deploy as a run: build the services, describe the preview, update, and report each service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import advice
from cli.backups.stack_backups import StackBackups
from cli.deploy import first_release, service_plan
from cli.deploy.service_plan import PlannedChange
from cli.engine.events import Step
from cli.engine.pulumi import Engine, outputs_or_none
from cli.engine.workspace import Stack
from cli.runs.recorder import RunRecorder
from cli.runs.store import PINNED, steps
from cli.status import running
from cli.ui import phrases
from cli.ui.errors import CommandError, is_locked
from errors import Fix, Remedy, UserError
from retry import backoff
from stack_outputs import PINNED_VARIABLE

WAIT_FIRST, WAIT_LONGEST = 5.0, 30.0
"""Seconds between two tries while another update holds the lock."""


class Locked(CommandError):
    """Another update of the stack is running, and nothing was changed."""


@dataclass(frozen=True)
class Deployed:
    """A row of the final table."""

    service: str
    version: str
    change: str
    seconds: float | None
    address: str
    answer: str


@dataclass(frozen=True)
class Plan:
    """The plan of a deploy: `lines` describe it; `nothing` is set when the running services would not change."""

    services: tuple[str, ...]
    lines: tuple[str, ...]
    nothing: bool


def prepare(recording: RunRecorder, services: Sequence[str]) -> Plan:
    """Build and preview; describe the changes.

    Raises CommandError, also when another service would change.
    """
    engine = recording.engine
    settings = engine.stack.settings()
    chosen = service_plan.chosen(services, settings)
    state = engine.export()
    outputs = outputs_or_none(state)
    if outputs is None and chosen != settings.services:
        raise CommandError(
            f"{engine.stack.name} is not deployed yet, and the first deploy is one of all services.",
            Fix(f"oracle deploy --stack {engine.stack.name}"),
        )
    plan = preview_deploy(recording, chosen, state)
    service_plan.refuse_unrelated_changes(chosen, plan, outputs, settings)
    nothing = not plan.changes and outputs is not None and plan.new.get("release") == outputs.release
    lines = [*service_plan.describe(chosen, plan, outputs, settings, engine.stack.name), *risk(engine, plan)]
    recording.say("\n".join(["", *lines, ""]))
    return Plan(chosen, tuple(lines), nothing)


def preview_deploy(
    recording: RunRecorder,
    chosen: Sequence[str],
    state: Mapping[str, Any],
    *,
    images: bool = True,
) -> PlannedChange:
    """Build the services and preview their deploy; the other services do not change.

    Raises CommandError. Without `images` no image is built and pushed.

    The other services are pinned to `state`. It may be outdated by the time of the update, which checks it again.
    """
    engine = recording.engine
    settings, outputs = engine.stack.settings(), outputs_or_none(state)
    refuse_receipt(engine.stack)
    first_release.refuse_order(settings, chosen, engine.stack.name)
    recording.build(chosen, images=images)
    if outputs:
        service_plan.refuse_loss(chosen, settings, outputs, state, engine.stack.name)
        if chosen != settings.services:
            pinned = service_plan.pinned_services(chosen, settings, state, outputs.release)
            recording.run.add_file(PINNED, json.dumps(pinned).encode())
    _pass_pinned_services(recording)
    with first_release.without_adopted_keys(engine, first_release.first_releases(settings, chosen)):
        return service_plan.planned_changes(recording.preview(*service_plan.options(chosen, settings)))


def run_deploy(
    recording: RunRecorder, services: Sequence[str], prepared: Mapping[str, Any] | None, wait: float = 0
) -> dict[str, Any]:
    """Perform a deploy as the run's task, and prepare it if that was not done. Raises CommandError.

    While another update holds the stack's lock, the deploy is tried again for `wait` seconds. Each try prepares it
    again, since the other update has changed the running services.
    """
    for _ in backoff(wait, WAIT_FIRST, WAIT_LONGEST):
        try:
            return _deploy(recording, services, prepared)
        except Locked as failure:
            locked, prepared = failure, None
            if wait:
                recording.say(f"Waiting for another update, then trying again. {failure}")
    raise locked


def _deploy(recording: RunRecorder, services: Sequence[str], prepared: Mapping[str, Any] | None) -> dict[str, Any]:
    plan = Plan(**prepared) if prepared else prepare(recording, services)
    first_time: tuple[str, ...] = ()
    _pass_pinned_services(recording)
    if plan.nothing:
        recording.say("Nothing to deploy: the declared release runs already.")
    else:
        _refuse_stale(recording)
        settings = recording.engine.stack.settings()
        first_time = first_release.first_releases(settings, plan.services)
        first_release.release(recording.engine, first_time)
        done = recording.update(*service_plan.options(plan.services, settings))
        if done.status != 0:
            failure = recording.engine.failure(done, recording.run.info.command, then="Nothing is lost.")
            raise Locked.of(failure) if is_locked(done.output) else failure
    return closing(recording, plan, first_time)


def closing(recording: RunRecorder, plan: Plan, taken: Sequence[str] = ()) -> dict[str, Any]:
    """Print the table of services and return it as the run's result.

    `taken` are the services that were released for the first time. Raises CommandError when a service does not answer.
    """
    rows = [
        replace(row, change="taken over") if row.service in taken else row for row in _rows(recording, plan.services)
    ]
    recording.say(_aligned(*table(rows)))
    result: dict[str, Any] = {"plan": list(plan.lines), "services": [asdict(row) for row in rows]}
    if silent := [row.service for row in rows if row.answer != "ok" and row.service in plan.services]:
        recording.run.write(result=result)
        raise CommandError(
            f"{', '.join(silent)} is deployed and does not answer correctly.",
            Fix(f"oracle status {recording.engine.stack.name}", "to see the cause"),
        )
    return result


def table(rows: Sequence[Deployed]) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns, and a line for each service."""
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
    """Raise CommandError if the stack deploys its receipt, so that the checkouts' builds would not be deployed."""
    if stack.settings().receipt is not None:
        raise CommandError(
            f"{stack.name} deploys the release that its receipt names, so the checkouts were not built.",
            Fix(f"oracle promote FROM {stack.name}", "to deploy another stack's release"),
            Fix(f"pulumi config rm oracle-net:receipt --stack {stack.name}", "to deploy the checkouts again"),
        )


def _refuse_stale(recording: RunRecorder) -> None:
    """Raise Locked if the unchanged services have changed since they were pinned."""
    path = recording.run.folder / PINNED
    outputs = outputs_or_none(recording.engine.export()) if path.exists() else None
    if outputs is not None and json.loads(path.read_text())["release"] != outputs.release:
        raise Locked(
            f"Another update has changed the release of {recording.engine.stack.name} while this one was prepared, so "
            "nothing was changed.",
            Remedy.RETRY,
        )


def _pass_pinned_services(recording: RunRecorder) -> None:
    """Give the program the file with the pinned services, if there is one."""
    path = recording.run.folder / PINNED
    if path.exists():
        recording.engine.environment[PINNED_VARIABLE] = str(path)


def risk(engine: Engine, plan: PlannedChange) -> Iterator[str]:
    """Yield the record counts of the backend when another app replaces it."""
    if not plan.ops(service_plan.APP) & service_plan.MOVES:
        return
    try:
        backend = StackBackups(engine).backend()
        yield f"Data: {phrases.loss(backend.outputs.backend_app, backend.summary())}"
    except UserError as error:
        failure = UserError("Data: its records could not be counted.", cause=error)
        yield advice.text(failure, engine.stack.name, retry="")


def _rows(recording: RunRecorder, services: Sequence[str]) -> list[Deployed]:
    """Return the outcome of every service, and its present answer."""
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
    """Return the seconds from the first step's begin to the last one's end; None when there was no step."""
    ends = [step.ended for step in done if step.ended is not None]
    return round(max(ends) - min(step.began for step in done), 1) if ends else None
