"""Recorded cases of digitalocean name each other in words; this finds what they mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.parity.recordings import case, changed, load, localised
from tests.parity.stub import Answer, Request, content

TYPES = {
    "digitalocean.App": "digitalocean:index/app:App",
    "digitalocean.UptimeCheck": "digitalocean:index/uptimeCheck:UptimeCheck",
    "digitalocean.UptimeAlert": "digitalocean:index/uptimeAlert:UptimeAlert",
}
_GENERAL = "create: SECRET only at app level, GENERAL in the service"
_CONDITION = ("SECRET only at app level", "ignoreChanges spec.envs")


@dataclass(frozen=True)
class State:
    """A resource as the engine has it stored."""

    id: str
    outputs: dict[str, Any]
    inputs: dict[str, Any]


@cache
def scenes(name: str, port: str) -> Scenes:
    """The cases of a recording, with the test server's address in them; read once, for it is long."""
    return Scenes(name, port)


class Scenes:
    """The cases of one recording, on the port where the API's test server listens."""

    def __init__(self, name: str, port: str) -> None:
        self.type = TYPES[name]
        self.recording = localised(load(name), {"127.0.0.1:PORT": f"127.0.0.1:{port}"})

    def case(self, name: str) -> dict[str, Any]:
        return case(self.recording, name)

    def created(self, name: str) -> State:
        """What a create case leaves."""
        steps = self.case(name)["steps"]
        checked = next(step for step in steps if step["rpc"] == "Check")["response"]["inputs"]
        response = steps[-1]["response"]
        return State(response["id"], response["properties"], checked)

    def read(self, name: str) -> State:
        """What a read case leaves."""
        response = self.case(name)["steps"][0]["response"]
        return State(response["id"], response["properties"], response["inputs"])

    def base(self, name: str) -> State:
        """The state that a case starts from."""
        return self.created(self._create_of(name))

    def before(self, name: str, step: Mapping[str, Any]) -> State:
        """Stored state of a Diff or Update."""
        words = json.dumps(step["request"])
        if "read" not in words and "the diff before" not in words:
            return self.base(name)
        if "that added" in name:
            return self.read("read: minimal, API added features, ingress, alerts and http_port")
        if any(word in name for word in _CONDITION):
            return self.read("read: SECRET only at app level")
        kind = "everything set" if "everything set" in name else "minimal"
        return self.read(
            next(one["name"] for one in self.recording["cases"] if one["name"].startswith(f"read: {kind}"))
        )

    def news(self, name: str, step: Mapping[str, Any]) -> dict[str, Any]:
        """Checked inputs of a Diff or Update, as the engine sends them."""
        news: dict[str, Any] = self.base(name).inputs
        request = step["request"]
        said = request.get("news")
        if isinstance(said, str) and " = " in said:
            path, value = said.split(" = ")
            news = changed(news, {"set": {path: value}})
        if "RELEASE 1 -> 2" in name:
            news = changed(news, {"set": {"spec.services[0].envs[0].value": "2"}})
        for path in request.get("ignoreChanges", []):
            assert path == "spec.envs"
            news = changed(news, {"set": {path: self.before(name, step).inputs["spec"]["envs"]}})
        return news

    def _create_of(self, name: str) -> str:
        if any(word in name for word in _CONDITION):
            return _GENERAL
        return "create: everything set" if "everything set" in name else "create: minimal"


def platform(base: list[Mapping[str, Any]], row: Mapping[str, Any]) -> Callable[[Request], Answer]:
    """Answers for a row that names only its requests: the base case's app, with the spec that was put."""
    answered = next(one["responseBody"]["app"] for one in reversed(base) if "app" in (one.get("responseBody") or {}))
    app = {**answered, "active_deployment": {"id": row["outputsDelta"].get("activeDeploymentId", "")}}

    def answer(request: Request) -> Answer:
        if request.method == "PUT":
            app.update(spec=_encrypted(content(request)["spec"]), updated_at="2026-01-02T00:00:00Z")
            pending = {"id": app["active_deployment"]["id"]}
            return {"status": 200, "responseBody": {"app": {**app, "pending_deployment": pending}}}
        if "/deployments/" in request.path:
            steps = [{"name": "build", "status": "SUCCESS"}]
            return {"status": 200, "responseBody": {"deployment": {"progress": {"steps": steps}}}}
        return {"status": 200, "responseBody": {"app": app}}

    return answer


def _encrypted(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec as the API answers it: SECRET values are ciphertext."""
    copy: dict[str, Any] = json.loads(json.dumps(spec))
    for holder in [copy, *copy.get("services", [])]:
        for env in holder.get("envs", []):
            if env.get("type") == "SECRET":
                env["value"] = "EV[1:0000000000000000:PLACEHOLDER]"
    return copy
