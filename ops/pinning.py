"""A stack held to a receipt, as a run: the file says it, the preview is told in words, the update carries it out.

Until the update has changed something, whatever ends it puts the stack's file back as it was. From then on the receipt
stays, and the next update goes on where this one ended.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from contract import Outputs, Release
from ops import deploy, planning, receipts
from ops.ask import agree
from ops.closing import follow_to_the_table
from ops.deploy import Plan
from ops.engine import Engine, cause
from ops.failures import Failure
from ops.folding import say
from ops.following import hand_over
from ops.planning import SERVICES, Foreseen
from ops.recording import Recording
from ops.runs import Run, Runs, steps

BEFORE = "before.yaml"
"""In a run's folder: the stack's file as it was."""
GATES = frozenset({"backend-image", "backend-generation"})
"""What comes before anything that changes what runs."""


@dataclass(frozen=True, kw_only=True)
class Pin:
    """What is asked for."""

    kind: str
    """promote or rollback."""
    release: Release
    again: str
    """The command that asks for it."""
    lines: Sequence[str]
    """What is worth knowing, before the preview's words."""


def pin(engine: Engine, wanted: Pin, *, yes: bool, as_json: bool) -> None:
    """Writes the receipt, shows what it would do, asks, and carries it out. Raises Failure."""
    stack = engine.stack
    with Runs(stack.runs).start(wanted.kind, stack.name, sys.argv[1:]) as run:
        before = _keep_file(run, stack.file.read_bytes())
        with receipts.put_back(stack.file, before):
            receipts.write(stack, wanted.release)
            plan = _prepared(Recording(engine, run, None if as_json else say), wanted)
            if not agree(yes, wanted.again, f"{wanted.kind.capitalize()} this?"):
                run.discard()
                raise Failure("Nothing was changed.")
            hand_over(run, stack, {"do": "pin", "prepared": asdict(plan)})
        follow_to_the_table(run, as_json)


def refuse_unattended(again: str, *, yes: bool, as_json: bool) -> None:
    """Raises Failure where nobody could be asked."""
    if not yes and (as_json or not sys.stdin.isatty()):
        raise Failure(f"Nobody is at a terminal to agree to this; agree beforehand: {again} --yes")


def carry_out(recording: Recording, prepared: dict[str, Any]) -> dict[str, Any]:
    """The update as the run's task. Raises Failure."""
    stack, file = recording.engine.stack.name, recording.engine.stack.file
    try:
        done = recording.update()
    except KeyboardInterrupt:
        if not _begun(recording.run):
            _undo(recording)
        raise
    if done.status == 0:
        return deploy.closing(recording, Plan(**prepared))
    if not _begun(recording.run):
        _undo(recording)
        raise Failure(
            f"{recording.engine.failure(done, '')} Nothing was changed, and {file.name} is as it was.".strip()
        )
    raise Failure(
        recording.engine.sentence(done, f"The update failed: {cause(done)}. ")
        + f"What runs is in between, and nothing is lost. Go on: pulumi up -s {stack}; or back: oracle rollback {stack}"
    )


def _keep_file(run: Run, content: bytes) -> bytes:
    path = run.folder / BEFORE
    path.touch(mode=0o600)
    path.write_bytes(content)
    return content


def _undo(recording: Recording) -> None:
    receipts.replace(recording.engine.stack.file, (recording.run.folder / BEFORE).read_bytes())


def _begun(run: Run) -> bool:
    """Whether anything that runs has been touched."""
    return any(step.op not in ("build", "preview", "refresh") and step.name not in GATES for step in steps(run))


def _prepared(recording: Recording, wanted: Pin) -> Plan:
    """Previews, and says what would change. Raises Failure."""
    engine = recording.engine
    outputs, settings = deploy.known_outputs(engine), engine.stack.settings()
    if outputs:
        planning.refuse_loss(SERVICES, settings, outputs, engine.export())
    plan = planning.foreseen(recording.preview(again=wanted.again))
    lines = [*wanted.lines, *planning.words(SERVICES, plan, outputs, settings), *deploy.risk(engine, plan)]
    recording.say("\n".join(["", *lines, ""]))
    return Plan(SERVICES, tuple(lines), _nothing(plan, outputs))


def _nothing(plan: Foreseen, outputs: Outputs | None) -> bool:
    return not plan.changes and outputs is not None and plan.new.get("release") == outputs.release
