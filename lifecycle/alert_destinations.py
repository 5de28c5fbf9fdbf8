"""The destinations of alerts. They are not part of a spec, so each new app copies those of the serving app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pulumi

from clients.app_platform import AppPlatform
from errors import UserError
from lifecycle.context import BackendContext, app_with_traffic
from lifecycle.errors import describe, in_thread

DESTINATIONS = ("emails", "slack_webhooks")


def destinations_hook(context: BackendContext) -> Callable[[pulumi.ResourceHookArgs], Awaitable[None]]:
    """Return an after-hook of a new app, which copies the destinations."""

    async def hook(args: pulumi.ResourceHookArgs) -> None:
        await in_thread(copy_destinations, context, args.id)

    return hook


def copy_destinations(context: BackendContext, app_id: str) -> None:
    """Copy the serving app's alert destinations to another app.

    Does not fail: an alert without destinations goes to the team's own address, and a printed line says so.
    """
    try:
        name = app_with_traffic(context.clouds, context.traffic)
        with context.clouds.app_platform(context.expected.endpoint) as platform:
            serving = platform.find(name) if name else None
            if serving is not None and serving["id"] != app_id:
                _copy(platform, serving["id"], app_id)
    except UserError as error:
        problem = "The alerts' destinations could not be copied, so the alerts go to the team's own address."
        print(describe(UserError(problem, cause=error)), flush=True)


def _copy(platform: AppPlatform, serving: str, app_id: str) -> None:
    known = {_key(each): _destinations(each) for each in platform.alerts(serving)}
    for alert in platform.alerts(app_id):
        destinations = known.get(_key(alert))
        if destinations and destinations != _destinations(alert):
            platform.request("POST", f"/v2/apps/{app_id}/alerts/{alert['id']}/destinations", destinations)
            print(f"The alert {alert['spec']['rule']} has the destinations of the app before", flush=True)


def _key(alert: dict[str, Any]) -> tuple[str, str]:
    return str(alert.get("component_name") or ""), str(alert["spec"]["rule"])


def _destinations(alert: dict[str, Any]) -> dict[str, Any]:
    return {name: alert[name] for name in DESTINATIONS if alert.get(name)}
