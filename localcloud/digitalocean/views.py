"""The API's JSON forms of apps, deployments and their alerts."""

from __future__ import annotations

import uuid
from typing import Any

from localcloud.digitalocean import catalog
from localcloud.digitalocean.models import PENDING_BUILD, App, Deployment
from localcloud.digitalocean.platform import ACCOUNT, Platform


class Views:
    """Translates the platform's models into the API's JSON, without empty values, as in the API."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._edge_port = platform.cloud.edge_port

    def app(self, app: App) -> dict[str, Any]:
        """Return an app with its relevant deployments. Addresses appear with the first active deployment."""
        shelf = self._platform.shelf
        latest = shelf.deployments(app.id)
        shown = {
            "id": app.id,
            "owner_uuid": ACCOUNT["uuid"],
            "spec": app.spec,
            "created_at": app.created_at,
            "updated_at": app.updated_at,
            "last_deployment_created_at": latest[0].created_at if latest else "",
            "last_deployment_active_at": app.active_at,
            "tier_slug": catalog.tier_of(app.spec),
            "project_id": app.project_id,
            "region": catalog.region(app.spec["region"]),
            "domains": self._domains(app),
            "pinned_deployment": self._one(shelf.deployment(app.id, app.pinned_id)),
            "active_deployment": self._one(shelf.active(app)),
            **self._unfinished(latest),
            **(self._addresses(app) if app.active_id else {}),
        }
        return {name: value for name, value in shown.items() if value not in (None, "", [])}

    def _unfinished(self, deployments: list[Deployment]) -> dict[str, Any]:
        """Return the newest waiting deployment as pending, and the one being built or deployed as in progress."""
        waiting = next((each for each in deployments if each.phase == PENDING_BUILD), None)
        running = next((each for each in deployments if each.unfinished and each.phase != PENDING_BUILD), None)
        return {"pending_deployment": self._one(waiting), "in_progress_deployment": self._one(running)}

    def _addresses(self, app: App) -> dict[str, str]:
        primary = next((each["domain"] for each in app.domains if each.get("type") == "PRIMARY"), app.host)
        live = f"http://{primary}:{self._edge_port}"
        return {
            "default_ingress": f"http://{app.host}:{self._edge_port}",
            "live_url": live,
            "live_url_base": live,
            "live_domain": primary,
        }

    def _domains(self, app: App) -> list[dict[str, Any]]:
        return [
            {"id": str(uuid.uuid5(uuid.UUID(app.id), each["domain"])), "spec": each, "phase": "ACTIVE", "progress": {}}
            for each in app.domains
        ]

    def _one(self, deployment: Deployment | None) -> dict[str, Any] | None:
        return self.deployment(deployment) if deployment else None

    def deployment(self, deployment: Deployment) -> dict[str, Any]:
        """Return a deployment."""
        service: dict[str, Any] = {"name": deployment.service["name"]}
        if deployment.commit:
            service["source_commit_hash"] = deployment.commit
        shown = {
            "id": deployment.id,
            "spec": deployment.spec,
            "services": [service],
            "phase": deployment.phase,
            "phase_last_updated_at": deployment.phase_at,
            "created_at": deployment.created_at,
            "updated_at": deployment.updated_at,
            "cause": deployment.cause,
            "cause_details": deployment.cause_details,
            "cloned_from": deployment.cloned_from,
            "previous_deployment_id": deployment.previous_id,
            "tier_slug": catalog.tier_of(deployment.spec),
            "progress": deployment.progress.show(),
        }
        return {name: value for name, value in shown.items() if value != ""}

    def alerts(self, app: App) -> list[dict[str, Any]]:
        """Return the alerts of the app and its component, each with its own id and destinations."""
        listed = [self._alert(app, spec, "") for spec in app.spec.get("alerts", [])]
        for service in app.spec["services"]:
            listed += [self._alert(app, spec, service["name"]) for spec in service.get("alerts", [])]
        return listed

    def _alert(self, app: App, spec: dict[str, Any], component: str) -> dict[str, Any]:
        alert_id = str(uuid.uuid5(uuid.UUID(app.id), f"{component}/{spec['rule']}"))
        shown = {"id": alert_id, "component_name": component, "spec": spec, "phase": "ACTIVE", "progress": {}}
        destinations = app.destinations.get(alert_id, {})
        return {name: value for name, value in (shown | destinations).items() if value not in ("", [])}

    def instances(self, app: App) -> list[dict[str, Any]]:
        """Return the serving container, if it runs."""
        container = self._platform.runtime.containers.get(app.id)
        if container is None or not container.running:
            return []
        name = container.plan.service["name"]
        return [{"component_name": name, "instance_name": container.name, "component_type": "SERVICE"}]

    def health(self, app: App) -> dict[str, Any]:
        """Return the component's state: HEALTHY while its program runs."""
        container = self._platform.runtime.containers.get(app.id)
        up = container is not None and container.running
        component = {
            "name": app.spec["services"][0]["name"],
            "replicas_desired": 1,
            "replicas_ready": int(up),
            "state": "HEALTHY" if up else "UNHEALTHY",
        }
        return {"components": [component]}
