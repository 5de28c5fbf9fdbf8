"""Handlers of /v2/apps: parse the request, call the platform, build the response."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from localcloud.digitalocean import catalog
from localcloud.digitalocean.containers import Container
from localcloud.digitalocean.errors import ApiError, invalid, not_found
from localcloud.digitalocean.models import App, Deployment
from localcloud.digitalocean.platform import Platform
from localcloud.digitalocean.requests import body, only
from localcloud.digitalocean.responses import page, reply
from localcloud.digitalocean.views import Views

LOG_KINDS = {"BUILD": "build", "DEPLOY": "deploy", "RUN": "run", "RUN_RESTARTED": "run_restarted"}


class Apps:
    """The handlers, one method for each operation; `{app_id}` and the like come from the path."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._views = Views(platform)

    def _app(self, request: Request) -> App:
        return self._platform.app(request.path_params["app_id"])

    def _deployment(self, request: Request) -> tuple[App, Deployment]:
        app = self._app(request)
        return app, self._platform.deployment(app, request.path_params["deployment_id"])

    async def list(self, request: Request) -> Response:
        """List the apps, newest first."""
        apps = list(self._platform.shelf.apps.values())[::-1]
        return page(request, "apps", [self._views.app(app) for app in apps])

    async def create(self, request: Request) -> Response:
        """Create an app and start its first deployment: {"spec", "project_id"} → {"app"}."""
        fields = only(await body(request), "spec", "project_id")
        app = await self._platform.create(fields.get("spec"), fields.get("project_id"))
        return reply({"app": self._views.app(app)})

    async def get(self, request: Request) -> Response:
        """Show an app."""
        return reply({"app": self._views.app(self._app(request))})

    async def update(self, request: Request) -> Response:
        """Change an app's spec and start a deployment: {"spec", "update_all_source_versions"} → {"app"}."""
        app = self._app(request)
        fields = only(await body(request), "spec", "update_all_source_versions", "project_id")
        await self._platform.update(app, fields.get("spec"), bool(fields.get("update_all_source_versions")))
        return reply({"app": self._views.app(app)})

    async def delete(self, request: Request) -> Response:
        """Delete an app with its programs, disks and logs."""
        app = self._app(request)
        await self._platform.delete(app)
        return reply({"id": app.id})

    async def propose(self, request: Request) -> Response:
        """Check a spec: its validity, its name and its price."""
        fields = only(await body(request), "spec", "app_id")
        spec = self._platform.checked(fields.get("spec"))
        holder = self._platform.shelf.named(spec["name"])
        free = holder is None or holder.id == fields.get("app_id")
        shown = {"app_name_available": free, "spec": spec, "app_cost": catalog.price_of(spec), "app_is_static": False}
        return reply(shown if free else shown | {"app_name_suggestion": f"{spec['name'][:30]}-2"})

    async def restart(self, request: Request) -> Response:
        """Start a new deployment of the serving version: {"components"} → {"deployment"}."""
        app = self._app(request)
        fields = only(await body(request, optional=True), "components")
        return self._shown(self._platform.restart(app, fields.get("components") or []))

    async def list_deployments(self, request: Request) -> Response:
        """List an app's deployments, newest first."""
        deployments = self._platform.shelf.deployments(self._app(request).id)
        return page(request, "deployments", [self._views.deployment(each) for each in deployments])

    async def create_deployment(self, request: Request) -> Response:
        """Deploy an app's spec again: {"force_build"} → {"deployment"}."""
        app = self._app(request)
        fields = only(await body(request, optional=True), "force_build", "component_names")
        return self._shown(self._platform.deploy(app, bool(fields.get("force_build"))))

    async def get_deployment(self, request: Request) -> Response:
        """Show a deployment."""
        return self._shown(self._deployment(request)[1])

    async def cancel_deployment(self, request: Request) -> Response:
        """Cancel a deployment that has not finished."""
        return self._shown(await self._platform.cancel(*self._deployment(request)))

    def _shown(self, deployment: Deployment) -> Response:
        return reply({"deployment": self._views.deployment(deployment)})

    async def rollback(self, request: Request) -> Response:
        """Deploy an earlier spec: {"deployment_id", "skip_pin"} → {"deployment"}. Pins the app without skip_pin."""
        app, fields = await self._rollback_request(request)
        deployment = self._platform.rollback(app, fields["deployment_id"], bool(fields.get("skip_pin")))
        return self._shown(deployment)

    async def validate_rollback(self, request: Request) -> Response:
        """Check that a rollback is possible: {"valid", "error"?, "warnings"}."""
        app, fields = await self._rollback_request(request)
        target = self._platform.deployment(app, fields["deployment_id"])
        problem = self._platform.rollback_problem(app, target)
        return reply({"valid": problem is None, "warnings": [], **({"error": problem} if problem else {})})

    async def _rollback_request(self, request: Request) -> tuple[App, dict[str, Any]]:
        app = self._app(request)
        fields = only(await body(request), "deployment_id", "skip_pin")
        if not isinstance(fields.get("deployment_id"), str):
            raise invalid("deployment_id is required")
        return app, fields

    async def commit_rollback(self, request: Request) -> Response:
        """Unpin the app and make the rollback's spec its own."""
        self._platform.commit_rollback(self._app(request))
        return reply({})

    async def revert_rollback(self, request: Request) -> Response:
        """Unpin the app and deploy its own spec again → {"deployment"}."""
        return self._shown(self._platform.revert_rollback(self._app(request)))

    async def logs(self, request: Request) -> Response:
        """Return a log's addresses: {"live_url"?, "historic_urls"}; live_url only while the log can still grow.

        The deployment is the one in the path, or the active one, or the newest. The component's name is in the path, in
        component_name, or missing.
        """
        deployment = self._logged(request)
        kind = request.query_params.get("type", "RUN")
        if kind not in LOG_KINDS:
            raise invalid(f"log type {kind!r} is none of {', '.join(LOG_KINDS)}")
        self._check_component(request, deployment)
        follow = request.query_params.get("follow", "").lower() == "true"
        return reply(self._log_addresses(deployment, LOG_KINDS[kind], follow, _lines(request)))

    def _logged(self, request: Request) -> Deployment:
        if "deployment_id" in request.path_params:
            return self._deployment(request)[1]
        app = self._app(request)
        found = self._platform.shelf.active(app) or next(iter(self._platform.shelf.deployments(app.id)), None)
        if found is None:
            raise not_found("deployment")
        return found

    def _check_component(self, request: Request, deployment: Deployment) -> None:
        name = request.path_params.get("component") or request.query_params.get("component_name")
        if name and name != deployment.service["name"]:
            raise not_found(f"component {name}")

    def _log_addresses(self, deployment: Deployment, kind: str, follow: bool, tail: int) -> dict[str, Any]:
        runtime, streams = self._platform.runtime, self._platform.streams
        name = runtime.log_name(deployment, kind)
        shown: dict[str, Any] = {"historic_urls": []}
        if runtime.book.exists(name):
            shown["historic_urls"] = [streams.log_address(name, tail, historic=True)]
        if runtime.book.growing(name):
            shown["live_url"] = streams.log_address(name, tail, follow=follow)
        return shown

    async def exec(self, request: Request) -> Response:
        """Return a websocket address of a shell in the component's container, for one use within a minute: {"url"}."""
        app = self._app(request)
        container = self._platform.runtime.containers.get(app.id)
        component = request.path_params["component"]
        if component not in [service["name"] for service in app.spec["services"]]:
            raise not_found(f"component {component}")
        if container is None or not container.running:
            raise ApiError(409, f"component {component} has no running instance", "conflict")
        self._check_instance(request, container)
        return reply({"url": self._platform.streams.console_address(app.name, container)})

    def _check_instance(self, request: Request, container: Container) -> None:
        wanted = request.path_params.get("deployment_id")
        if wanted and container.plan.folder.name != self._deployment(request)[1].id:
            raise ApiError(409, f"deployment {wanted} has no running instance", "conflict")
        name = request.query_params.get("instance_name")
        if name and name != container.name:
            raise not_found(f"instance {name}")

    async def instances(self, request: Request) -> Response:
        """List the app's instances."""
        return reply({"instances": self._views.instances(self._app(request))})

    async def health(self, request: Request) -> Response:
        """Show the app's health."""
        return reply({"app_health": self._views.health(self._app(request))})

    async def alerts(self, request: Request) -> Response:
        """List the app's alerts."""
        return reply({"alerts": self._views.alerts(self._app(request))})

    async def alert_destinations(self, request: Request) -> Response:
        """Set an alert's destinations: {"emails", "slack_webhooks"} → {"alert"}."""
        app, alert_id = self._app(request), request.path_params["alert_id"]
        fields = only(await body(request), "emails", "slack_webhooks")
        if alert_id not in [alert["id"] for alert in self._views.alerts(app)]:
            raise not_found("alert")
        app.destinations[alert_id] = {name: value for name, value in fields.items() if value}
        self._platform.shelf.save(app)
        return reply({"alert": next(alert for alert in self._views.alerts(app) if alert["id"] == alert_id)})


def _lines(request: Request) -> int:
    """Return the requested number of last lines; 0, -1 and a missing number mean all."""
    try:
        return max(int(request.query_params.get("tail_lines") or 0), 0)
    except ValueError:
        raise invalid("tail_lines must be a number") from None
