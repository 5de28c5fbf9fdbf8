"""Waiting for a deployment, by the official plugin's rules.

The progress counts, not the phase. A deployment is done when every step is SUCCESS (also when there are no steps), and
has failed when any step is in error. Cancelled and superseded deployments are therefore waited for until the timeout.
The official plugin polls every ten seconds; this one polls at once and then less and less often, down to once a second.
"""

from __future__ import annotations

import time
from typing import Any

from offline_plugins.api import Api
from offline_plugins.digitalocean.answers import call
from offline_plugins.resource import ProviderError

CREATE_SECONDS = 30 * 60.0  # the resource's only timeout, which also applies to updates
_FIRST_POLL, _SLOWEST, _GROWTH = 0.05, 1.0, 1.3
_READING = "Error trying to read app deployment state"


def wait(api: Api, app: dict[str, Any], per_page: int, seconds: float) -> None:
    """Wait until the app's pending deployment (or the newest, when none is pending) is done.

    Raises ProviderError when it failed, or is not done after `seconds`.
    """
    path = f"/v2/apps/{app['id']}/deployments"
    pending = (app.get("pending_deployment") or {}).get("id")
    until = time.monotonic() + seconds
    pause = _FIRST_POLL
    while True:
        api.pause(pause)
        deployment = _one(api, path, pending) if pending else _newest(api, path, per_page)
        if deployment and _done(app["id"], deployment):
            return
        pending = deployment["id"] if deployment else None
        if time.monotonic() > until:
            raise ProviderError(f"timeout waiting for app ({app['id']}) deployment")
        pause = min(_SLOWEST, pause * _GROWTH)


def _one(api: Api, path: str, id: str) -> dict[str, Any]:
    deployment: dict[str, Any] = call(api, _READING, "GET", f"{path}/{id}")["deployment"]
    return {**deployment, "id": id}


def _newest(api: Api, path: str, per_page: int) -> dict[str, Any] | None:
    listed = call(api, _READING, "GET", path, query={"per_page": str(per_page)}).get("deployments") or []
    return listed[0] if listed else None


def _done(app: str, deployment: dict[str, Any]) -> bool:
    progress = deployment.get("progress") or {}
    if all(step.get("status") == "SUCCESS" for step in progress.get("steps") or []):
        return True
    if progress.get("error_steps", 0) > 0:
        raise ProviderError(f"error deploying app ({app}) (deployment ID: {deployment['id']}):\n{_printed(progress)}")
    return False


def _printed(progress: dict[str, Any]) -> str:
    """Return the progress as godo.Stringify prints it."""
    counts = ("pending_steps", "running_steps", "success_steps", "error_steps", "total_steps")
    named = ", ".join(f"{_exported(name)}:{progress.get(name, 0)}" for name in counts)
    steps = " ".join(_printed_step(step) for step in progress.get("steps") or [])
    return f"godo.DeploymentProgress{{{named}, Steps:[{steps}]}}"


def _printed_step(step: dict[str, Any]) -> str:
    never = "time.Time{wall:, ext:}"
    reason = step.get("reason") or {}
    parts = [f"Name:{_quoted(step.get('name'))}", f"Status:{_quoted(step.get('status'))}"]
    if step.get("steps"):
        parts.append(f"Steps:[{' '.join(_printed_step(inner) for inner in step['steps'])}]")
    parts += [f"StartedAt:{never}", f"EndedAt:{never}"]
    if reason:
        code, message = _quoted(reason.get("code")), _quoted(reason.get("message"))
        parts.append(f"Reason:godo.DeploymentProgressStepReason{{Code:{code}, Message:{message}}}")
    parts.append(f"ComponentName:{_quoted(step.get('component_name'))}")
    parts.append(f"MessageBase:{_quoted(step.get('message_base'))}")
    return f"godo.DeploymentProgressStep{{{', '.join(parts)}}}"


def _exported(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _quoted(text: str | None) -> str:
    return f'"{text or ""}"'
