"""Requests to `/v2/apps`. Shapes as in DigitalOcean's API reference, https://docs.digitalocean.com/reference/api/."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from clients.app_platform.answers import (
    AppPlatformError,
    Deployment,
    alert_of,
    app_of,
    check_of,
    list_of,
    object_of,
    text_of,
)
from clients.app_platform.console import CommandResult, run_command
from clients.cloud_api import WRONG_SHAPE, Api, ApiError, received
from clients.http import client, httpx
from errors import Remedy, SetKey
from retry import backoff

T = TypeVar("T")

ADDRESS_KEY = "digitalocean:apiEndpoint"
TOKEN_VARIABLES = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN")
LOG_TAIL = 25
LOG_SECONDS = 30.0
NO_LOGS = frozenset({"text/html", "application/xml", "text/xml", "application/xhtml+xml"})
PAGE = 100
MOST_PAGES = 100


class AppPlatform:
    """DigitalOcean's API at the origin `endpoint`. By default the token is that of the environment.

    GETs are retried for `patience` seconds, by default a quarter of `timeout`; those of `wait` for its whole duration.
    """

    def __init__(
        self, endpoint: str, token: str | None = None, timeout: float = 30.0, patience: float | None = None
    ) -> None:
        variable = next((name for name in TOKEN_VARIABLES if os.environ.get(name)), TOKEN_VARIABLES[0])
        token = token or os.environ.get(variable)
        if not token:
            raise AppPlatformError("DIGITALOCEAN_TOKEN is not set.", Remedy.LOAD_ENVIRONMENT)
        with _translated_errors():
            self._api = Api(
                "DigitalOcean", endpoint, token, variable, timeout=timeout, patience=patience, address_key=ADDRESS_KEY
            )

    def __enter__(self) -> AppPlatform:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.close()

    def app(self, app_id: str) -> dict[str, Any]:
        """Return the app, which has an id and a spec with a name. Raises AppPlatformError."""
        return self._get(f"/v2/apps/{app_id}", lambda answer: app_of(answer["app"]))

    def known(self, app_id: str) -> dict[str, Any] | None:
        """Return the app, or None if it no longer exists."""
        try:
            return self.app(app_id)
        except AppPlatformError as error:
            if error.status == 404:
                return None
            raise

    def url(self, app_id: str) -> str:
        """Return the app's public address without a slash at its end. Raises AppPlatformError while it has none."""
        app = self.app(app_id)
        address = app.get("live_url") or app.get("default_ingress")
        if not address:
            raise AppPlatformError(f"The app {app['spec']['name']} has no address yet.", Remedy.RETRY)
        return str(address).rstrip("/")

    def find(self, name: str) -> dict[str, Any] | None:
        """Return the account's app of that name, or None."""
        return next((app for app in self._apps() if app["spec"]["name"] == name), None)

    def names(self) -> list[str]:
        """Return the names of the account's apps."""
        return [app["spec"]["name"] for app in self._apps()]

    def alerts(self, app_id: str) -> list[dict[str, Any]]:
        """Return the app's alerts with their ids, specs and destinations (godo's AppAlert)."""
        return self._get(
            f"/v2/apps/{app_id}/alerts", lambda answer: [alert_of(each) for each in list_of(answer.get("alerts"))]
        )

    def uptime_check(self, name: str) -> str | None:
        """Return the id of the account's uptime check of that name, or None."""
        return next((str(each["id"]) for each in self.uptime_checks() if each["name"] == name), None)

    def uptime_checks(self) -> list[dict[str, Any]]:
        """Return the account's uptime checks in the API's form."""
        path = f"/v2/uptime/checks?per_page={2 * PAGE}"
        return self._get(path, lambda answer: [check_of(each) for each in list_of(answer.get("checks"))])

    def check_name(self, check_id: str) -> str | None:
        """Return the name of an uptime check; None if it no longer exists."""
        try:
            return self._get(f"/v2/uptime/checks/{check_id}", lambda answer: text_of(answer["check"]["name"]))
        except AppPlatformError as error:
            if error.status == 404:
                return None
            raise

    def deployment(self, app_id: str, deployment_id: str, seconds: float | None = None) -> Deployment:
        """Return one deployment. `seconds` is the time for retries when the API fails."""
        path = f"/v2/apps/{app_id}/deployments/{deployment_id}"
        with _translated_errors():
            return self._api.ask("GET", path, lambda answer: Deployment.read(answer["deployment"]), seconds=seconds)

    def deployments(self, app_id: str) -> list[Deployment]:
        """Return the first page of the app's deployments, newest first."""
        return self._get(
            f"/v2/apps/{app_id}/deployments",
            lambda answer: [Deployment.read(each) for each in list_of(answer.get("deployments"))],
        )

    def deploy_again(self, app_id: str) -> Deployment:
        """Start a deployment of the app's current spec."""
        return self._begin(f"/v2/apps/{app_id}/deployments", {"force_build": True})

    def restart(self, app_id: str) -> Deployment:
        """Start a new container of the running deployment, with an empty disk."""
        return self._begin(f"/v2/apps/{app_id}/restart", {})

    def wait(self, app_id: str, deployment_id: str, seconds: float) -> Deployment:
        """Wait until the deployment is ACTIVE. Raises AppPlatformError with the end of its log if it fails."""
        end = time.monotonic() + seconds
        for _ in backoff(seconds):
            deployment = self.deployment(app_id, deployment_id, max(0.0, end - time.monotonic()))
            if deployment.phase == "ACTIVE":
                return deployment
            if deployment.finished:
                raise AppPlatformError(
                    f"The backend's deployment {deployment_id} ended with {deployment.phase}.",
                    cause=self._log_or_reason(app_id, deployment_id),
                )
        raise AppPlatformError(
            f"The backend's deployment {deployment_id} did not end within {seconds:.0f} s.", Remedy.RETRY
        )

    def log_tail(self, app_id: str, deployment_id: str, lines: int = LOG_TAIL) -> str:
        """Return the last lines of the build, deploy and run logs; empty if there are none or the request fails."""
        try:
            return self._log_tail(app_id, deployment_id, lines)
        except AppPlatformError:
            return ""  # the failed request must not hide the failure whose log was requested

    def console_url(self, app_id: str, service: str) -> str:
        """Return the address of a websocket to a shell in the running container, valid once and for a short time."""
        return self._get(f"/v2/apps/{app_id}/components/{service}/exec", lambda answer: text_of(answer["url"]))

    def run_command(self, app_id: str, service: str, command: Sequence[str], seconds: float = 60.0) -> CommandResult:
        """Run a command in the running container. Raises AppPlatformError, ConsoleError."""
        return run_command(self.console_url(app_id, service), command, seconds)

    def live_log(self, app_id: str, deployment_id: str, service: str, lines: int) -> str | None:
        """Return the address to follow a run log, from its last `lines` lines on; None if the deployment has ended."""
        path = f"/v2/apps/{app_id}/deployments/{deployment_id}/components/{service}/logs"
        query = f"type=RUN&follow=true&tail_lines={lines}"
        return self._get(f"{path}?{query}", lambda answer: text_of(answer.get("live_url") or "") or None)

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request and return the decoded answer; {} if it is empty. Raises AppPlatformError."""
        with _translated_errors():
            return self._api.ask(method, path, lambda answer: object_of({} if answer is None else answer), body)

    def _get(self, path: str, read: Callable[[Any], T]) -> T:
        return self._read("GET", path, None, read)

    def _begin(self, path: str, body: dict[str, Any]) -> Deployment:
        return self._read("POST", path, body, lambda answer: Deployment.read(answer["deployment"]))

    def _read(self, method: str, path: str, body: dict[str, Any] | None, read: Callable[[Any], T]) -> T:
        answer = self.request(method, path, body)
        try:
            return read(answer)
        except WRONG_SHAPE:
            raise AppPlatformError(
                f"The answer to {method} {path} is not from DigitalOcean's API.", SetKey(ADDRESS_KEY, "ADDRESS")
            ) from None

    def _apps(self) -> Iterator[dict[str, Any]]:
        for page in range(1, MOST_PAGES + 1):
            path = f"/v2/apps?page={page}&per_page={PAGE}"
            apps = self._get(path, lambda answer: [app_of(each) for each in list_of(answer.get("apps"))])
            yield from apps
            if len(apps) < PAGE:
                return

    def _log_or_reason(self, app_id: str, deployment_id: str) -> str:
        try:
            return self._log_tail(app_id, deployment_id, LOG_TAIL)
        except AppPlatformError as error:
            return f"its log could not be read: {error}"

    def _log_tail(self, app_id: str, deployment_id: str, lines: int) -> str:
        parts = [self._log(app_id, deployment_id, kind, lines) for kind in ("BUILD", "DEPLOY", "RUN")]
        text = "\n".join(part.strip("\n") for part in parts if part.strip())
        return "\n".join(text.splitlines()[-lines:])

    def _log(self, app_id: str, deployment_id: str, kind: str, lines: int) -> str:
        path = f"/v2/apps/{app_id}/deployments/{deployment_id}/logs?type={kind}&follow=false&tail_lines={lines}"
        addresses = self._get(path, lambda answer: [text_of(each) for each in list_of(answer.get("historic_urls"))])
        return "\n".join(fetch_log(address) for address in addresses)


def fetch_log(address: str) -> str:
    """Download the log at an address from the API; empty if there is none.

    The address is signed and belongs to another host, so no token is sent. Answers of another kind count as no log,
    for example the XML of an object store or the page of a proxy.
    """
    try:
        with client(LOG_SECONDS) as http, http.stream("GET", address) as response:
            answer = received(response, LOG_SECONDS)
    except httpx.HTTPError:
        return ""
    if answer.status != 200 or answer.kind in NO_LOGS:
        return ""
    return answer.body.decode(errors="replace")


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Translate ApiError into AppPlatformError."""
    try:
        yield
    except ApiError as error:
        raise AppPlatformError(error.problem, *error.helps, cause=error.cause, status=error.status) from None
