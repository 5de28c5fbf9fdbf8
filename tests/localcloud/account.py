"""A DigitalOcean account on the local cloud, as a test uses it: through the HTTP API only."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.support.cloud import RunningCloud
from tests.support.http import NO_TLS
from tests.support.waiting import until

PROGRAM = Path(__file__).with_name("program.py")
REPOSITORY = "backend"
ENDED = ("ACTIVE", "ERROR", "CANCELED", "SUPERSEDED")
Json = Any


def image(files: Mapping[str, str], command: list[str]) -> tuple[str, bytes]:
    """A packed image and its digest; every file is executable."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in {"config.json": json.dumps({"cmd": command}), **files}.items():
            member = tarfile.TarInfo(name if name == "config.json" else f"rootfs/{name}")
            member.size, member.mode = len(text.encode()), 0o755
            tar.addfile(member, io.BytesIO(text.encode()))
    packed = buffer.getvalue()
    return f"sha256:{hashlib.sha256(packed).hexdigest()}", packed


class Account:
    """Requests with the account's token; apps are reached through the edge by their Host."""

    def __init__(self, cloud: RunningCloud) -> None:
        self.cloud = cloud
        headers = {"authorization": f"Bearer {cloud.tokens.digitalocean}"}
        self.http = httpx.Client(base_url=cloud.url, headers=headers, trust_env=False, timeout=30, verify=NO_TLS)
        """Control plane, with the token."""
        self.edge = httpx.Client(base_url=cloud.edge_url, trust_env=False, timeout=30, verify=NO_TLS)
        """Apps by their Host, and any other address, without the token."""

    def __enter__(self) -> Account:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        self.edge.close()

    def push(self, files: Mapping[str, str], command: list[str]) -> str:
        """Put an image into the store; its digest."""
        digest, packed = image(files, command)
        answer = self.http.put(f"/_cloud/images/{digest}", params={"repository": REPOSITORY}, content=packed)
        assert answer.status_code == 201, answer.text
        return digest

    def push_program(self) -> str:
        """The test program's image."""
        return self.push({"program.py": PROGRAM.read_text()}, [sys.executable, "-I", "-S", "program.py"])

    def spec(self, name: str, **changes: Json) -> Json:
        """A spec that runs the test program; `changes` go into its service, except envs of the app in `app_envs`."""
        app_envs = changes.pop("app_envs", None)
        digest = changes.pop("digest", None) or self.push_program()
        service = {
            "name": "web",
            "http_port": 8090,
            "image": {"registry_type": "GHCR", "registry": "o", "repository": REPOSITORY, "digest": digest},
            "health_check": {"http_path": "/health", "period_seconds": 1, "failure_threshold": 8},
            "termination": {"drain_seconds": 5, "grace_period_seconds": 2},
        }
        spec = {"name": name, "region": "nyc", "services": [service | changes]}
        return spec | ({"envs": app_envs} if app_envs else {})

    def create(self, spec: Json) -> Json:
        """A new app, its first deployment not awaited."""
        answer = self.http.post("/v2/apps", json={"spec": spec})
        assert answer.status_code == 200, answer.text
        return answer.json()["app"]

    def up(self, name: str, **changes: Json) -> Json:
        """A new app that serves."""
        app = self.create(self.spec(name, **changes))
        self.wait(app["id"], app["pending_deployment"]["id"], "ACTIVE")
        return self.app(app["id"])

    def update(self, app_id: str, spec: Json, phase: str = "ACTIVE") -> Json:
        """Another spec; the deployment after it has ended in this phase."""
        answer = self.http.put(f"/v2/apps/{app_id}", json={"spec": spec})
        assert answer.status_code == 200, answer.text
        return self.wait(app_id, answer.json()["app"]["pending_deployment"]["id"], phase)

    def app(self, app_id: str) -> Json:
        """GET of an app."""
        answer = self.http.get(f"/v2/apps/{app_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()["app"]

    def deployment(self, app_id: str, deployment_id: str) -> Json:
        """GET of a deployment."""
        return self.http.get(f"/v2/apps/{app_id}/deployments/{deployment_id}").json()["deployment"]

    def wait(self, app_id: str, deployment_id: str, phase: str, seconds: float = 40) -> Json:
        """The deployment once it has ended; it must be in this phase then."""
        ended = until(lambda: self._ended(app_id, deployment_id), f"deployment ends {phase}", seconds)
        assert ended["phase"] == phase, (ended["phase"], self.log(app_id, deployment_id, "BUILD"))
        return ended

    def _ended(self, app_id: str, deployment_id: str) -> Json:
        deployment = self.deployment(app_id, deployment_id)
        return deployment if deployment["phase"] in ENDED else None

    def wait_phase(self, app_id: str, deployment_id: str, phase: str) -> Json:
        """The deployment as soon as it is in this phase."""
        return until(
            lambda: found if (found := self.deployment(app_id, deployment_id))["phase"] == phase else None,
            f"deployment is {phase}",
        )

    def log(self, app_id: str, deployment_id: str, kind: str) -> str:
        """A log's historic text; empty when there is none."""
        answer = self.http.get(f"/v2/apps/{app_id}/deployments/{deployment_id}/logs", params={"type": kind}).json()
        return "".join(self.edge.get(url).text for url in answer["historic_urls"])

    def get(self, app: Json, path: str = "/") -> httpx.Response:
        """A request to an app, through the edge."""
        host = urlsplit(app["live_url"]).netloc
        return self.edge.get(path, headers={"host": host})

    def delete_all(self) -> None:
        """No app is left."""
        for app in self.http.get("/v2/apps?per_page=200").json()["apps"]:
            assert self.http.delete(f"/v2/apps/{app['id']}").status_code == 200

    def fault(self, **description: Json) -> None:
        """Ask for trouble."""
        answer = self.http.post("/_cloud/faults", json=description)
        assert answer.status_code == 200, answer.text

    def clear_faults(self) -> None:
        """End all trouble."""
        self.http.delete("/_cloud/faults")
