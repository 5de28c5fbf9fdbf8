"""Pin a stack to a receipt, as a run: preview it, write it to the stack's file, update.

The preview reads the receipt from a copy of the stack's file. The file itself changes only after consent, so that no
other update deploys a receipt that is not agreed yet. Until the update has changed something, any failure restores the
file. From then on the receipt stays, and the next update continues from there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cli.deploy import deploy, service_plan
from cli.deploy.config_change import touched
from cli.deploy.deploy import Plan
from cli.deploy.service_plan import PlannedChange
from cli.deploy.summary import follow_to_the_table
from cli.engine import stack_file
from cli.engine.pulumi import Engine, outputs_or_none
from cli.releases import receipts
from cli.runs.recorder import RunRecorder
from cli.runs.store import AFTER, Runs
from cli.runs.supervise import start_detached
from cli.ui.errors import CommandError
from cli.ui.prompt import agree
from cli.ui.text import echo_wrapped
from errors import Fix, Remedy
from stack_outputs import Outputs, Release

BEFORE = "before.yaml"
"""A file in a run's folder: the stack's file before the run."""


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A requested promotion or rollback."""

    kind: str
    """promote or rollback."""
    release: Release
    lines: Sequence[str]
    """Lines to show before the preview's description."""


def pin(engine: Engine, request: Pin, *, yes: bool, as_json: bool) -> None:
    """Preview the receipt, ask, write it, and update. Raises CommandError."""
    stack = engine.stack
    with Runs(stack.runs).start(request.kind, engine.owner, sys.argv[1:]) as run:
        before = stack.file.read_bytes()
        after = receipts.edited(before.decode(), request.release, stack.file.name).encode()
        run.add_file(BEFORE, before)
        run.add_file(AFTER, after)
        plan = _prepare(RunRecorder(engine, run, None if as_json else echo_wrapped), request)
        if not agree(yes, f"{request.kind.capitalize()} this?"):
            run.discard()
            raise CommandError("Nothing was changed.")
        if stack.file.read_bytes() != before:
            raise CommandError(
                f"{stack.file.name} was changed by somebody else after the preview, so nothing was done.", Remedy.RETRY
            )
        with stack_file.put_back(stack.file, before):
            stack_file.replace(stack.file, after)
            start_detached(run, stack, {"do": "pin", "prepared": asdict(plan)})
        follow_to_the_table(run, as_json)


def run_pin(recording: RunRecorder, prepared: dict[str, Any]) -> dict[str, Any]:
    """Perform the update as the run's task. Raises CommandError."""
    stack = recording.engine.stack
    try:
        done = recording.update()
    except KeyboardInterrupt:
        if not touched(recording.run):
            _restore_file(recording)
        raise
    if done.status == 0:
        return deploy.closing(recording, Plan(**prepared))
    if not touched(recording.run):
        _restore_file(recording)
        raise recording.engine.failure(done, problem=f"Nothing was changed, and {stack.file.name} is as it was")
    failure = recording.engine.failure(done, stack.update, "The update failed, and nothing is lost")
    back = Fix(f"oracle rollback {stack.name}", "to go back")
    raise CommandError(failure.problem, *failure.helps, back, go_on=failure.go_on)


def _restore_file(recording: RunRecorder) -> None:
    stack_file.replace(recording.engine.stack.file, (recording.run.folder / BEFORE).read_bytes())


def _prepare(recording: RunRecorder, request: Pin) -> Plan:
    """Preview, and describe the changes. Raises CommandError."""
    engine = recording.engine
    state, settings = engine.export(), engine.stack.settings()
    outputs = outputs_or_none(state)
    if outputs:
        service_plan.refuse_loss(settings.services, settings, outputs, state, engine.stack.name)
    plan = service_plan.planned_changes(recording.preview("--config-file", str(recording.run.folder / AFTER)))
    lines = [
        *request.lines,
        *service_plan.describe(settings.services, plan, outputs, settings, engine.stack.name),
        *deploy.risk(engine, plan),
    ]
    recording.say("\n".join(["", *lines, ""]))
    return Plan(settings.services, tuple(lines), _is_unchanged(plan, outputs))


def _is_unchanged(plan: PlannedChange, outputs: Outputs | None) -> bool:
    return not plan.changes and outputs is not None and plan.new.get("release") == outputs.release
