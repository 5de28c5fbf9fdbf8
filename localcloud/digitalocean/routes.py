"""The table of endpoints below /v2. All need the bearer token, even unknown paths."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from localcloud.cloud import Cloud
from localcloud.digitalocean import catalog
from localcloud.digitalocean.apps import Apps
from localcloud.digitalocean.errors import MESSAGES, ApiError, not_found
from localcloud.digitalocean.platform import ACCOUNT, DEFAULT_PROJECT, Platform
from localcloud.digitalocean.responses import page, reply
from localcloud.digitalocean.uptime import Uptime

Handler = Callable[[Request], Awaitable[Response]]
Table = list[tuple[str, str, Handler]]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def routes(cloud: Cloud, platform: Platform) -> list[BaseRoute]:
    """Return all routes below /v2."""
    table = [*_apps(Apps(platform)), *_uptime(Uptime(cloud)), *_catalog()]
    known: list[BaseRoute] = [Route(path, _guarded(cloud, call), methods=[verb]) for verb, path, call in table]
    return [*known, Route("/v2/{rest:path}", _guarded(cloud, _missing), methods=METHODS)]


def _guarded(cloud: Cloud, handler: Handler) -> Handler:
    async def checked(request: Request) -> Response:
        expected = f"Bearer {cloud.tokens.digitalocean}"
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected.encode()):
            raise ApiError(401, "Unable to authenticate you", "Unauthorized")
        return await handler(request)

    return checked


async def _missing(_: Request) -> Response:
    raise ApiError(404, MESSAGES[404])


def _apps(apps: Apps) -> Table:
    app = "/v2/apps/{app_id}"
    one = app + "/deployments/{deployment_id}"
    return [
        ("GET", "/v2/apps/regions", _regions),
        ("GET", "/v2/apps/tiers/instance_sizes", _sizes),
        ("GET", "/v2/apps/tiers/instance_sizes/{slug}", _size),
        ("POST", "/v2/apps/propose", apps.propose),
        ("GET", "/v2/apps", apps.list),
        ("POST", "/v2/apps", apps.create),
        ("GET", app, apps.get),
        ("PUT", app, apps.update),
        ("DELETE", app, apps.delete),
        ("POST", app + "/restart", apps.restart),
        ("GET", app + "/deployments", apps.list_deployments),
        ("POST", app + "/deployments", apps.create_deployment),
        ("GET", one, apps.get_deployment),
        ("POST", one + "/cancel", apps.cancel_deployment),
        ("GET", one + "/logs", apps.logs),
        ("GET", one + "/components/{component}/logs", apps.logs),
        ("GET", one + "/components/{component}/exec", apps.exec),
        ("GET", app + "/logs", apps.logs),
        ("GET", app + "/components/{component}/logs", apps.logs),
        ("GET", app + "/components/{component}/exec", apps.exec),
        ("GET", app + "/instances", apps.instances),
        ("GET", app + "/health", apps.health),
        ("GET", app + "/alerts", apps.alerts),
        ("POST", app + "/alerts/{alert_id}/destinations", apps.alert_destinations),
        ("POST", app + "/rollback", apps.rollback),
        ("POST", app + "/rollback/validate", apps.validate_rollback),
        ("POST", app + "/rollback/commit", apps.commit_rollback),
        ("POST", app + "/rollback/revert", apps.revert_rollback),
    ]


def _uptime(uptime: Uptime) -> Table:
    check = "/v2/uptime/checks/{check_id}"
    alert = check + "/alerts/{alert_id}"
    return [
        ("GET", "/v2/uptime/checks", uptime.list),
        ("POST", "/v2/uptime/checks", uptime.create),
        ("GET", check, uptime.get),
        ("PUT", check, uptime.update),
        ("DELETE", check, uptime.delete),
        ("GET", check + "/state", uptime.state),
        ("GET", check + "/alerts", uptime.list_alerts),
        ("POST", check + "/alerts", uptime.create_alert),
        ("GET", alert, uptime.get_alert),
        ("PUT", alert, uptime.update_alert),
        ("DELETE", alert, uptime.delete_alert),
    ]


def _catalog() -> Table:
    return [
        ("GET", "/v2/account", _account),
        ("GET", "/v2/regions", _datacenters),
        ("GET", "/v2/projects", _projects),
        ("GET", "/v2/projects/{project_id}", _project),
    ]


async def _regions(_: Request) -> Response:
    """List the App Platform regions."""
    return reply({"regions": catalog.regions()})


async def _sizes(_: Request) -> Response:
    """List the instance sizes."""
    return reply({"instance_sizes": catalog.sizes()})


async def _size(request: Request) -> Response:
    """Show an instance size."""
    size = catalog.size(request.path_params["slug"])
    if size is None:
        raise not_found("instance size")
    return reply({"instance_size": size})


async def _account(_: Request) -> Response:
    """Show the account."""
    return reply({"account": ACCOUNT})


async def _datacenters(request: Request) -> Response:
    """List the data centers."""
    return page(request, "regions", catalog.datacenters())


async def _projects(request: Request) -> Response:
    """List the projects: only one."""
    return page(request, "projects", [catalog.project()])


async def _project(request: Request) -> Response:
    """Show the project."""
    if request.path_params["project_id"] not in ("default", DEFAULT_PROJECT):
        raise not_found("project")
    return reply({"project": catalog.project()})
