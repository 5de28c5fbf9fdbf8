"""What a run asks of the network, without the engine: people's requests, the account's apps, the API's bindings."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from clients.http import client, httpx
from clients.pocketbase import freeze_state
from tests.live.project import Project


@dataclass
class Network:
    """A project that was up once: the API's address stays the same for ever."""

    project: Project

    @cached_property
    def api(self) -> str:
        template = str(self.project.config["oracle-net:workersUrl"])
        return template.format(script=self.project.config["oracle-net:workers"]["api"]["script"])

    def plant(self, title: str) -> None:
        """A post of a new human's. The backend may have been frozen a moment ago."""
        human = {"name": "Ada", "email": f"{title}@example.org", "password": "ada-password"}
        with client(timeout=30) as http:
            token = http.post(f"{self.api}/api/register", json=human).json()["token"]
            headers = {"Authorization": f"Bearer {token}"}
            answer = http.post(f"{self.api}/api/posts", json={"title": title, "body": "planted"}, headers=headers)
        assert answer.status_code == 201, answer.text

    def complaints(self) -> list[str]:
        """What is not as it must be in a network at rest."""
        urls = {app["spec"]["name"]: app["live_url"] for app in self.project.api("GET", "/v2/apps")["apps"] or []}
        apps = list(urls)
        found = [] if len(apps) == 1 else [f"{len(apps)} apps: {', '.join(apps)}"]
        bindings = self._bindings()
        if (serves := bindings.get("BACKEND", {}).get("text")) not in apps:
            found.append(f"the API serves {serves}")
        elif (frozen := freeze_state(urls[str(serves)])) is not None:
            found.append(f"a freeze is left: {frozen}")
        admin = self._asked("GET", "/api/admin/check")
        if admin is None or admin.status_code != 200 or not admin.json().get("admin"):
            found.append("the API's admin cannot log in")
        if (written := self._written()) != 201:
            found.append(f"a write is answered {written}")
        return found

    def _bindings(self) -> dict[str, dict[str, Any]]:
        config = self.project.config
        script = config["oracle-net:workers"]["api"]["script"]
        path = f"/accounts/{config['oracle-net:accountId']}/workers/scripts/{script}/settings"
        headers = {"Authorization": f"Bearer {self.project.tokens()['cloudflare']}"}
        with client(timeout=30, headers=headers) as http:
            settings = http.get(f"{config['cloudflare:baseUrl']}{path}").json()["result"]
        return {binding["name"]: binding for binding in settings["bindings"]}

    def _written(self) -> int:
        human = {"name": "Eve", "email": f"eve-{time.time_ns()}@example.org", "password": "eve-password"}
        answer = self._asked("POST", "/api/register", human)
        return answer.status_code if answer is not None else 0

    def _asked(self, method: str, path: str, body: Any = None) -> httpx.Response | None:
        try:
            with client(timeout=30) as http:
                return http.request(method, f"{self.api}{path}", json=body)
        except httpx.HTTPError:
            return None


def cloud_pid(project: Project) -> int:
    with client() as http:
        return int(http.get(f"{project.endpoint}/_cloud/health").json()["pid"])


def taken(project: Project) -> bool:
    """Whether a fault has met its request."""
    return not any(not fault.get("record") for fault in project.api("GET", "/_cloud/faults")["requests"])
