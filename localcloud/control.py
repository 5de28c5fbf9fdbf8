"""The local cloud's own endpoints below /_cloud: health, faults, request log, images, repositories, logs, consoles."""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from localcloud import VERSION, console_page
from localcloud.cloud import Cloud
from localcloud.cloudflare.startup import api_of
from localcloud.edge_faults import EdgeFaults
from localcloud.edge_process import EdgeError
from localcloud.faults import FaultError, RequestFault, read
from localcloud.images import ImageError
from localcloud.repositories import Repository, RepositoryError

if TYPE_CHECKING:
    from localcloud.digitalocean import Platform

Handler = Callable[[Request], Awaitable[Response]]


def routes(cloud: Cloud, platform: Platform) -> list[BaseRoute]:
    """Return all routes. All need the bearer token, except health and the log and console addresses."""
    control = Control(cloud, platform)

    def mine(handler: Handler) -> Handler:
        return authorized(cloud, handler)

    return [
        Route("/_cloud/health", control.health, methods=["GET"]),
        Route("/_cloud/faults", mine(control.faults), methods=["GET", "POST", "DELETE"]),
        Route("/_cloud/requests", mine(control.requests), methods=["GET", "DELETE"]),
        Route("/_cloud/workers/{worker}/scheduled", mine(control.scheduled), methods=["POST"]),
        Route("/_cloud/images/{digest}", mine(control.image), methods=["PUT", "HEAD"]),
        Route("/_cloud/repositories", mine(control.repositories), methods=["GET", "POST"]),
        Route("/_cloud/repositories/{name:path}", mine(control.repository), methods=["DELETE"]),
        Route("/_cloud/pushes", mine(control.push), methods=["POST"]),
        *platform.streams.routes(),
        *console_page.routes(cloud, platform),
    ]


def authorized(cloud: Cloud, handler: Handler) -> Handler:
    """Require the DigitalOcean bearer token for a handler."""

    async def checked(request: Request) -> Response:
        expected = f"Bearer {cloud.tokens.digitalocean}"
        authorization = request.headers.get("authorization", "")
        if not hmac.compare_digest(authorization.encode(), expected.encode()):
            return problem(401, "wrong or missing token: send the digitalocean token of tokens.json as bearer")
        return await handler(request)

    return checked


def problem(status: int, sentence: str) -> JSONResponse:
    """Build an error response of these endpoints."""
    return JSONResponse({"error": sentence}, status)


class Control:
    """The handlers, one method for each endpoint."""

    def __init__(self, cloud: Cloud, platform: Platform) -> None:
        self._cloud = cloud
        self._platform = platform
        self._edge_faults = EdgeFaults(cloud.edge)

    async def health(self, _: Request) -> Response:
        """Answer that the local cloud serves: it listens only after edge, Workers and apps have started."""
        edge = f"http://127.0.0.1:{self._cloud.edge_port}"
        return JSONResponse({"status": "ok", "version": VERSION, "pid": os.getpid(), "edge": edge})

    async def faults(self, request: Request) -> Response:
        """POST adds one fault or a list of them, GET lists the remaining ones, DELETE removes all."""
        try:
            if request.method == "DELETE":
                self._cloud.faults.clear()
                await self._edge_faults.clear()
            elif request.method == "POST":
                await self._add_faults(await request.json())
            listing = self._cloud.faults.listing()
            listing["requests"] += await self._edge_faults.left()
        except (FaultError, ValueError) as error:
            return problem(400, str(error))
        except EdgeError as error:
            return problem(503, str(error))
        return JSONResponse(listing)

    async def _add_faults(self, descriptions: Any) -> None:
        faults = read(descriptions)
        there = [fault for fault in faults if isinstance(fault, RequestFault) and fault.host is not None]
        await self._edge_faults.add(there)  # raises when it refuses them: then no fault is added
        self._cloud.faults.add([fault for fault in faults if fault not in there])

    async def requests(self, request: Request) -> Response:
        """Return the request log of the APIs and of edge hosts with a `record` fault; DELETE empties both."""
        try:
            if request.method == "DELETE":
                self._cloud.requests.clear()
                await self._edge_faults.forget()
            recorded = await self._edge_faults.recorded()
        except EdgeError as error:
            return problem(503, str(error))
        return JSONResponse({"requests": self._cloud.requests.listing(), "edge": recorded})

    async def scheduled(self, request: Request) -> Response:
        """POST calls a Worker's `scheduled` handler now: ?cron=…, and ?time=… in milliseconds for another moment."""
        worker, cron = request.path_params["worker"], request.query_params.get("cron", "")
        try:
            moment = datetime.fromtimestamp(int(request.query_params.get("time") or time.time() * 1000) / 1000, UTC)
            outcome = await api_of(self._cloud).schedules.run(worker, cron, moment)
        except (ValueError, OverflowError, OSError):
            return problem(400, "time must be a number of milliseconds since 1970")
        except EdgeError as error:
            return problem(404, str(error))
        return JSONResponse({"outcome": outcome}, 200 if outcome == "ok" else 500)

    async def image(self, request: Request) -> Response:
        """PUT stores a packed image under its digest; HEAD checks that it exists."""
        digest, repository = request.path_params["digest"], request.query_params.get("repository")
        if request.method == "HEAD":
            return Response(status_code=200 if self._cloud.images.has(digest, repository) else 404)
        if not repository:
            return problem(400, "say which repository the image belongs to: ?repository=NAME")
        try:
            size = await self._cloud.images.put(digest, repository, request.stream())
        except ImageError as error:
            return problem(422, str(error))
        except OSError as error:
            return problem(507, f"the image cannot be stored: {error.strerror}")
        except ClientDisconnect:
            return problem(400, "the upload broke off")
        return JSONResponse({"digest": digest, "repository": repository, "size": size}, 201)

    async def repositories(self, request: Request) -> Response:
        """GET lists the repositories that apps may be built from; POST adds or replaces one."""
        if request.method == "POST":
            try:
                self._cloud.repositories.put(Repository.read(await request.json()))
            except (RepositoryError, ValueError) as error:
                return problem(400, str(error))
        return JSONResponse({"repositories": self._cloud.repositories.listing()})

    async def repository(self, request: Request) -> Response:
        """DELETE removes the access to a repository. Apps built from it keep running."""
        name = request.path_params["name"]
        if not self._cloud.repositories.remove(name):
            return problem(404, f"The local cloud has no repository {name}.")
        return JSONResponse({"repositories": self._cloud.repositories.listing()})

    async def push(self, request: Request) -> Response:
        """Receive GitHub's push event: {"repository", "branch"} → {"deployments"}, of apps that deploy on push."""
        try:
            fields = await request.json()
            pushed = await self._platform.push(str(fields["repository"]), str(fields.get("branch") or "main"))
        except (KeyError, TypeError, AttributeError, ValueError):
            return problem(400, 'say what was pushed to: {"repository": "OWNER/REPO", "branch": "main"}')
        except RepositoryError as error:
            return problem(404, str(error))
        names = {app.id: app.name for app in self._platform.shelf.apps.values()}
        shown = [{"app": names[each.app_id], "id": each.id, "cause": each.cause} for each in pushed]
        return JSONResponse({"deployments": shown})
