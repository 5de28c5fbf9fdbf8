"""The alerts of an app spec: those of the app and of its component, by rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clients.app_platform.answers import component

THRESHOLD = ("operator", "value", "window")
UNSET = frozenset({"", "UNSPECIFIED_OPERATOR", "UNSPECIFIED_WINDOW"})


def alerts_of(spec: Mapping[str, Any], service: str) -> dict[str, dict[str, Any]]:
    """Return all alerts by rule, with the field names of DigitalOcean's API, without fields that have their default."""
    alerts = [*(spec.get("alerts") or []), *(component(spec, service).get("alerts") or [])]
    return {str(each.get("rule")): alert(each) for each in alerts}


def alert(given: Mapping[str, Any]) -> dict[str, Any]:
    """Normalize one alert, so that alerts of any origin can be compared."""
    normalized: dict[str, Any] = {"rule": given.get("rule")}
    for name in THRESHOLD:
        value = given.get(name)
        if value is not None and value not in UNSET:
            normalized[name] = float(value) if name == "value" else str(value)
    return normalized | ({"disabled": True} if given.get("disabled") else {})
