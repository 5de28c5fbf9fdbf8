"""A double of both clouds' clients, for tests of whose a thing is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Clouds:
    """An account: apps and Workers with their owners, domains with their Workers, checks with their names."""

    apps: dict[str, str | None] = field(default_factory=dict)
    scripts: dict[str, str | None] = field(default_factory=dict)
    domains: dict[str, str] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)

    def __call__(self, *_: object, **__: object) -> Clouds:
        return self

    def __enter__(self) -> Clouds:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def find(self, name: str) -> dict[str, Any] | None:
        return {"id": name, "spec": spec(name, self.apps[name])} if name in self.apps else None

    def bindings(self, script: str) -> dict[str, dict[str, Any]] | None:
        if script not in self.scripts:
            return None
        mark = {"name": "STACK", "type": "plain_text", "text": self.scripts[script]}
        return {"BACKEND": {"text": "app"}} | ({"STACK": mark} if self.scripts[script] else {})

    def leads_to(self, hostname: str) -> str | None:
        return self.domains.get(hostname)

    def check_name(self, check_id: str) -> str | None:
        return self.checks.get(check_id)


def spec(name: str, owner: str | None) -> dict[str, Any]:
    envs = [{"key": "MODE", "value": "a"}, *([{"key": "STACK", "value": owner}] if owner else [])]
    return {"name": name, "services": [{"name": "any", "envs": envs}]}
