"""Answers of DigitalOcean's API about apps: deployments, specs, and parts whose shape is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from errors import Help, UserError

RUNNING_PHASES = frozenset({"PENDING_BUILD", "BUILDING", "PENDING_DEPLOY", "DEPLOYING"})


class AppPlatformError(UserError):
    """A refused request or a failed deployment, whose cause is the end of its log if there is one."""

    def __init__(self, problem: str, *helps: Help, cause: BaseException | str = "", status: int | None = None) -> None:
        super().__init__(problem, *helps, cause=cause)
        self.status = status
        """The HTTP status of a refusal."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One deployment in the API's form. Secrets in `spec` are encrypted: `EV[…]`."""

    id: str
    phase: str
    spec: dict[str, Any]

    @property
    def finished(self) -> bool:
        return self.phase not in RUNNING_PHASES

    def variable(self, service: str, name: str) -> str | None:
        """Return a plain variable of the service in this deployment's spec."""
        return variable(self.spec, service, name)

    @classmethod
    def of(cls, answer: Mapping[str, Any] | None) -> Deployment | None:
        """Read an optional deployment in an answer of the API. Raises KeyError or TypeError for another shape."""
        return cls.read(answer) if answer else None

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Deployment:
        """Read a deployment. Raises KeyError or TypeError for another shape."""
        return cls(
            id=text_of(answer["id"]),
            phase=text_of(answer.get("phase", "UNKNOWN")),
            spec=object_of(answer.get("spec") or {}),
        )


def component(spec: Mapping[str, Any], service: str) -> Mapping[str, Any]:
    """Return a service of a spec, or of a deployment, by its name; empty if there is none of that name."""
    return next((each for each in spec.get("services") or [] if each.get("name") == service), {})


def variable(spec: dict[str, Any], service: str, name: str) -> str | None:
    """Return a service's plain variable in a spec, or None."""
    envs = component(spec, service).get("envs") or []
    return next((str(env.get("value")) for env in envs if env.get("key") == name), None)


def app_of(answer: Any) -> dict[str, Any]:
    text_of(answer["id"])
    text_of(answer["spec"]["name"])
    return object_of(answer)


def object_of(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(value)
    return value


def list_of(value: Any) -> list[Any]:
    """Check for a list. A missing one is empty: the API leaves out empty lists."""
    if not isinstance(value or [], list):
        raise TypeError(value)
    return value or []


def alert_of(value: Any) -> dict[str, Any]:
    text_of(value["id"])
    text_of(value["spec"]["rule"])
    return object_of(value)


def check_of(value: Any) -> dict[str, Any]:
    return {**value, "id": text_of(value["id"]), "name": text_of(value["name"])}


def text_of(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
