"""The plan of an update, for reviewers: a description, the changed resources, data loss, and cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import advice
from cli.backups.stack_backups import StackBackups
from cli.deploy import service_plan
from cli.deploy.deploy import preview_deploy
from cli.deploy.service_plan import Change, PlannedChange
from cli.engine.pulumi import Engine, outputs_or_none
from cli.runs.recorder import RunRecorder
from cli.ui import phrases
from clients.app_platform import AppPlatform, AppPlatformError
from errors import UserError
from settings import Settings
from stack_outputs import Outputs

REPLACES = service_plan.MOVES
KINDS = ("create", "update", "replace", "delete")


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The plan of an update.

    `loss` describes lost data, and `cost` the change of the monthly price; each is empty if there is no such change.
    """

    stack: str
    words: tuple[str, ...]
    changes: tuple[tuple[str, str], ...]
    """The resource and create, update, replace or delete; each resource once."""
    loss: str
    cost: str

    def counts(self) -> dict[str, int]:
        """Return the number of resources for each kind of change, in the order of KINDS."""
        numbers = Counter(kind for _, kind in self.changes)
        return {kind: numbers[kind] for kind in KINDS if numbers[kind]}

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "changes": [{"resource": name, "change": kind} for name, kind in self.changes]}


def forecast(recording: RunRecorder, services: Sequence[str] = ()) -> Forecast:
    """Build and preview the whole stack, or a deploy of the given services. Raises CommandError."""
    engine = recording.engine
    settings, state = engine.stack.settings(), engine.export()
    outputs = outputs_or_none(state)
    chosen = service_plan.chosen(services, settings)
    if services and outputs:
        plan = preview_deploy(recording, chosen, state, images=False)
    else:
        if settings.receipt is None:  # a receipt is deployed instead of the checkouts' builds
            recording.build(images=False)
        plan = service_plan.planned_changes(recording.preview())
    loss = "\n".join(_loss(engine, settings, outputs, plan))
    return Forecast(
        stack=engine.stack.name,
        words=tuple(service_plan.describe(chosen, plan, outputs, settings, engine.stack.name)),
        changes=tuple(_changes(plan)),
        loss=loss,
        cost=_cost(engine, settings, outputs),
    )


def _changes(plan: PlannedChange) -> Iterator[tuple[str, str]]:
    """Yield each resource once; a replacement consists of several steps."""
    ops: dict[str, set[str]] = {}
    for change in plan.changes:
        ops.setdefault(change.name, set()).add(change.op)
    for name, kinds in sorted(ops.items()):
        yield (
            name,
            "replace" if kinds & REPLACES else next(kind for kind in (*sorted(kinds), "update") if kind in KINDS),
        )


def _loss(engine: Engine, settings: Settings, outputs: Outputs | None, plan: PlannedChange) -> Iterator[str]:
    """Yield the reasons for a data loss, and the amount of data; nothing when no data is lost."""
    if outputs is None:
        return
    reasons = list(_loss_reasons(settings, outputs, plan))
    if not reasons:
        return
    yield from reasons
    try:
        backend = StackBackups(engine).backend()
        yield phrases.loss(outputs.backend_app, backend.summary())
    except UserError as error:
        failure = UserError("Its records could not be counted.", cause=error)
        yield advice.text(failure, engine.stack.name, retry="")


def _loss_reasons(settings: Settings, outputs: Outputs, plan: PlannedChange) -> Iterator[str]:
    gone = Change(service_plan.APP, "delete") in [Change(each.name, each.op) for each in plan.changes]
    moves = bool(plan.ops(service_plan.APP) & service_plan.MOVES)
    data = {key for change in plan.changes if change.name == service_plan.DATA for key in change.inputs}
    if settings.generation != outputs.generation:
        what = f"a restore of {settings.restore_from}" if settings.restore_from else "a wipe"
        yield f"The generation goes from {outputs.generation} to {settings.generation}: {what}."
    elif "restart" in data:
        yield f"oracle-net:restart becomes {settings.restart}: the backend gets an empty disk."
    elif moves and settings.data == "ephemeral":
        yield "Another app replaces the backend, and its data is not migrated, because oracle-net:data is ephemeral."
    if gone and not moves:
        yield "The backend's app is deleted."


def _cost(engine: Engine, settings: Settings, outputs: Outputs | None) -> str:
    """Return the change of the price, from App Platform's proposals for the running spec and for the declared size.

    It is empty when the price does not change, or is unknown.
    """
    token = engine.environment.get("DIGITALOCEAN_TOKEN")
    if outputs is None or not token:
        return ""
    try:
        with AppPlatform(engine.stack.digitalocean, token) as platform:
            spec = platform.app(outputs.backend_app_id)["spec"]
            before, after = _price(platform, spec), _price(platform, _with_declared_size(spec, settings))
    except (AppPlatformError, TypeError, ValueError, KeyError):
        return ""  # a plan is useful without its price
    return f"${before:.2f} a month becomes ${after:.2f}, as DigitalOcean says." if before != after else ""


def _price(platform: AppPlatform, spec: dict[str, Any]) -> float:
    return float(platform.request("POST", "/v2/apps/propose", {"spec": spec})["app_cost"])


def _with_declared_size(spec: dict[str, Any], settings: Settings) -> dict[str, Any]:
    (service,) = spec["services"]
    size = {"instance_size_slug": settings.backend.size, "instance_count": settings.backend.instances}
    return {**spec, "services": [{**service, **size}]}
