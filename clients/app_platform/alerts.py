"""The alerts of an app spec: those of the app and those of its component, by rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clients.app_platform.client import component

THRESHOLD = ("operator", "value", "window")
UNSAID = frozenset({"", "UNSPECIFIED_OPERATOR", "UNSPECIFIED_WINDOW"})


def alerts_of(spec: Mapping[str, Any], service: str) -> dict[str, dict[str, Any]]:
    """All of them, as DigitalOcean's API names their parts; what is not said, or is the default, is left out."""
    found = [*(spec.get("alerts") or []), *(component(spec, service).get("alerts") or [])]
    return {str(each.get("rule")): alert(each) for each in found}


def alert(given: Mapping[str, Any]) -> dict[str, Any]:
    """One alert in the same form, wherever it comes from."""
    made: dict[str, Any] = {"rule": given.get("rule")}
    for name in THRESHOLD:
        value = given.get(name)
        if value is not None and value not in UNSAID:
            made[name] = float(value) if name == "value" else str(value)
    return made | ({"disabled": True} if given.get("disabled") else {})
