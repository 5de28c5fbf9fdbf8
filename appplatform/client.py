"""Requests to `/v2/apps`. Shapes as in DigitalOcean's API reference, https://docs.digitalocean.com/reference/api/."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from loopback import client, httpx
from waiting import backoff

TOKEN_VARIABLES = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN")
RUNNING_PHASES = frozenset({"PENDING_BUILD", "BUILDING", "PENDING_DEPLOY", "DEPLOYING"})
LOG_TAIL = 25


class AppPlatformError(Exception):
    """A refused request or a failed deployment; one sentence, the end of a log behind it where there is one."""

    def __init__(self, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        """The HTTP status of a refusal."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One deployment as the API shows it. `spec` holds secrets as `EV[…]` only."""

    id: str
    phase: str
    spec: dict[str, Any]

    @property
    def finished(self) -> bool:
        return self.phase not in RUNNING_PHASES

    def variable(self, service: str, name: str) -> str | None:
        """A plain variable of the service in this deployment's spec."""
        return variable(self.spec, service, name)

    @classmethod
    def of(cls, answer: dict[str, Any] | None) -> Deployment | None:
        if not answer:
            return None
        return cls(id=answer["id"], phase=answer.get("phase", "UNKNOWN"), spec=answer.get("spec") or {})


def variable(spec: dict[str, Any], service: str, name: str) -> str | None:
    """A service's plain variable in a spec, or None."""
    component = next((each for each in spec.get("services") or [] if each["name"] == service), None)
    envs = (component or {}).get("envs") or []
    return next((str(env.get("value")) for env in envs if env["key"] == name), None)


class AppPlatform:
    """`endpoint` is the API's origin, `token` is taken from the environment when it is not given."""

    def __init__(self, endpoint: str, token: str | None = None, timeout: float = 30.0) -> None:
        token = token or next((os.environ[name] for name in TOKEN_VARIABLES if os.environ.get(name)), None)
        if token is None:
            raise AppPlatformError(
                'DIGITALOCEAN_TOKEN is not set; load the stack\'s environment: eval "$(oracle env STACK)"'
            )
        self._http = client(timeout, {"Authorization": f"Bearer {token}"})
        self._endpoint = endpoint.rstrip("/")

    def __enter__(self) -> AppPlatform:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def app(self, app_id: str) -> dict[str, Any]:
        app: dict[str, Any] = self.request("GET", f"/v2/apps/{app_id}")["app"]
        return app

    def known(self, app_id: str) -> dict[str, Any] | None:
        """The app, or None when there is no such app any more."""
        try:
            return self.app(app_id)
        except AppPlatformError as error:
            if error.status == 404:
                return None
            raise

    def url(self, app_id: str) -> str:
        """The app's public address, no slash at its end. Raises AppPlatformError while it has none."""
        app = self.app(app_id)
        found = app.get("live_url") or app.get("default_ingress")
        if not found:
            raise AppPlatformError(f"The app {app['spec']['name']} has no address yet; try again: pulumi up")
        return str(found).rstrip("/")

    def find(self, name: str) -> dict[str, Any] | None:
        """The account's app of that name, or None."""
        return next((app for app in self._apps() if app["spec"]["name"] == name), None)

    def names(self) -> list[str]:
        """The names of the account's apps."""
        return [app["spec"]["name"] for app in self._apps()]

    def deployment(self, app_id: str, deployment_id: str) -> Deployment:
        answer = Deployment.of(self.request("GET", f"/v2/apps/{app_id}/deployments/{deployment_id}")["deployment"])
        assert answer is not None
        return answer

    def deployments(self, app_id: str) -> list[Deployment]:
        """The newest first, a page of them."""
        answers = self.request("GET", f"/v2/apps/{app_id}/deployments").get("deployments") or []
        return [deployment for answer in answers if (deployment := Deployment.of(answer))]

    def deploy_again(self, app_id: str) -> Deployment:
        """Starts a deployment of the app's present spec."""
        answer = Deployment.of(
            self.request("POST", f"/v2/apps/{app_id}/deployments", {"force_build": True})["deployment"]
        )
        assert answer is not None
        return answer

    def restart(self, app_id: str) -> Deployment:
        """Starts another container of what runs, with an empty disk."""
        answer = Deployment.of(self.request("POST", f"/v2/apps/{app_id}/restart", {})["deployment"])
        assert answer is not None
        return answer

    def wait(self, app_id: str, deployment_id: str, seconds: float) -> Deployment:
        """The deployment once it is ACTIVE. Raises AppPlatformError with the log's end when it ends otherwise."""
        for _ in backoff(seconds):
            deployment = self.deployment(app_id, deployment_id)
            if deployment.phase == "ACTIVE":
                return deployment
            if deployment.finished:
                tail = self.log_tail(app_id, deployment_id)
                raise AppPlatformError(
                    f"The backend's deployment {deployment_id} ended {deployment.phase}.\n{tail}".rstrip()
                )
        raise AppPlatformError(
            f"The backend's deployment {deployment_id} did not end within {seconds:.0f} s; try again: pulumi up"
        )

    def log_tail(self, app_id: str, deployment_id: str, lines: int = LOG_TAIL) -> str:
        """The last lines of the build and deploy logs, and of the run log, as text; empty when there are none."""
        parts = [self._log(app_id, deployment_id, kind, lines) for kind in ("BUILD", "DEPLOY", "RUN")]
        text = "\n".join(part.strip("\n") for part in parts if part.strip())
        return "\n".join(text.splitlines()[-lines:])

    def console_url(self, app_id: str, service: str) -> str:
        """The address of a websocket to a shell in the running container, valid once and for a short time."""
        url: str = self.request("GET", f"/v2/apps/{app_id}/components/{service}/exec")["url"]
        return url

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The decoded answer. Raises AppPlatformError with the API's own message."""
        try:
            response = self._http.request(method, f"{self._endpoint}{path}", json=body)
        except httpx.HTTPError as error:
            raise AppPlatformError(
                f"DigitalOcean's API at {self._endpoint} does not answer ({_reason(error)}); {self._remedy()}"
            ) from None
        if response.status_code >= 400:
            raise AppPlatformError(
                f"DigitalOcean refused {method} {path}: {_message(response)} (status {response.status_code}).",
                response.status_code,
            )
        return dict(response.json()) if response.content else {}

    def _remedy(self) -> str:
        return (
            "start the local cloud: oracle cloud start" if "127.0.0.1" in self._endpoint else "try again in a minute."
        )

    def _apps(self) -> Iterator[dict[str, Any]]:
        page = 1
        while apps := self.request("GET", f"/v2/apps?page={page}&per_page=100").get("apps"):
            yield from apps
            page += 1

    def _log(self, app_id: str, deployment_id: str, kind: str, lines: int) -> str:
        query = f"type={kind}&follow=false&tail_lines={lines}"
        try:
            answer = self.request("GET", f"/v2/apps/{app_id}/deployments/{deployment_id}/logs?{query}")
            return "\n".join(self._http.get(url).text for url in answer.get("historic_urls") or [])
        except (AppPlatformError, httpx.HTTPError):
            return ""  # a log that cannot be had must not hide why it was wanted


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json().get("message") or response.reason_phrase).rstrip(".")
    except ValueError:
        return response.reason_phrase


def _reason(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__
