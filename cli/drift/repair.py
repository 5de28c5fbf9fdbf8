"""Repair drift, as a run: give traffic back to the deployed version, or update without deploying anything new.

An update cannot repair a difference that the provider does not see, because it finds no change. But the version that
the engine uploaded still exists, with its code, files, bindings and secrets, and gets the traffic back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cli.deploy import config_change, service_plan
from cli.drift import Drift, find_drift
from cli.engine.pulumi import outputs_or_none
from cli.runs.recorder import RunRecorder
from cli.ui.errors import CommandError
from clients.workers_api import Workers
from errors import Fix
from settings import Settings
from stack_outputs import owner_of_worker
from storage.releases import digests, named


def run_repair(recording: RunRecorder, drifts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Repair the drifts, as the task of a run. Raises CommandError, also if something still differs afterwards."""
    engine = recording.engine
    parsed = [Drift(**each) for each in drifts]
    settings = engine.stack.settings()
    replaced = any(each.remedy == "replacement" for each in parsed)
    updated = tuple(dict.fromkeys(each.about for each in parsed if each.remedy == "update"))
    services = [name for name in updated if not (replaced and name == "backend")]
    if services:
        _refuse_other_bytes(recording)
    for each in parsed:
        if each.remedy == "version" and each.version:
            _route_to_version(recording, settings, each.about, each.version)
    if replaced:
        values = {"oracle-net:replacement": str(settings.replacement + 1)}
        config_change.run_config_change(recording, values, only=() if services else config_change.DATA_ONLY)
    elif updated:
        done = recording.update(*service_plan.options(updated, engine.stack.settings()))
        if done.status != 0:
            raise engine.failure(done, f"oracle drift {engine.stack.name} --repair")
    return _verify(recording)


def _verify(recording: RunRecorder) -> dict[str, Any]:
    stack = recording.engine.stack.name
    after = find_drift(recording.engine)
    if remaining := [each.what for each in after.drifts]:
        raise CommandError(
            f"Differences remain after the repair: {' '.join(remaining)}", Fix(f"oracle drift {stack}", "to see them")
        )
    recording.say("No differences remain.")
    return {"unknown": list(after.unknown)}


def _refuse_other_bytes(recording: RunRecorder) -> None:
    """Refuse an update that would deploy another release than the declared one. Raises CommandError."""
    engine = recording.engine
    outputs = outputs_or_none(engine.export())
    stack = engine.stack.name
    planned = service_plan.planned_changes(recording.preview()).new.get("release") or {}
    if outputs is None:
        raise CommandError(f"The last update of {stack} did not finish.", Fix(engine.stack.update, "to finish it"))
    old, built = digests(outputs.release), digests(named(planned)) if planned else {}
    if others := [name for name, runs in old.items() if built.get(name, runs) != runs]:
        raise CommandError(
            f"The checkouts have another release of {', '.join(others)} than the declared one, and a repair deploys no "
            "new release.",
            Fix(f"oracle deploy {' '.join(others)} --stack {stack}", "to deploy it"),
        )


def _route_to_version(recording: RunRecorder, settings: Settings, service: str, version: str) -> None:
    """Give an existing version all traffic. `force`, because its secrets may differ, which is intended.

    Raises UserError, also if the Worker has another owner.
    """
    engine, script = recording.engine, settings.workers[service].script
    stack = engine.stack.name
    path = f"/accounts/{settings.account_id}/workers/scripts/{script}/deployments?force=true"
    shares = {"strategy": "percentage", "versions": [{"version_id": version, "percentage": 100}]}
    token = engine.environment.get("CLOUDFLARE_API_TOKEN")
    with (
        recording.step(f"{service}-version", "repair"),
        Workers(engine.stack.cloudflare, settings.account_id, token) as cloudflare,
    ):
        mark = owner_of_worker(cloudflare.bindings(script) or {})
        if mark not in (None, str(engine.owner)):
            taken = Fix(f"oracle doctor --stack {stack}", "to see which names belong to other stacks")
            raise CommandError(f"The Worker {script} belongs to {mark}.", taken)
        cloudflare.request("POST", path, shares)
    recording.say(f"{script}: all traffic goes to version {version} again.")
