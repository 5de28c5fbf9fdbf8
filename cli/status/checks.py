"""The uptime checks of the stack's addresses: who would be told nothing when a service is down.

A check is known by what it watches: that is what counts, whatever it is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cli.status.model import Finding
from clients.app_platform import AppPlatform, AppPlatformError
from settings import Settings


@dataclass(frozen=True, kw_only=True)
class Check:
    target: str
    enabled: bool
    regions: frozenset[str]


def fetch_checks(endpoint: str, token: str | None, seconds: float) -> tuple[Check, ...] | None:
    """The account's checks; None where DigitalOcean does not tell."""
    if not token:
        return None
    try:
        with AppPlatform(endpoint, token, timeout=seconds) as platform:
            listed = platform.uptime_checks()
    except AppPlatformError:
        return None
    return tuple(
        Check(
            target=each.get("target") or "",
            enabled=bool(each.get("enabled")),
            regions=frozenset(each.get("regions") or ()),
        )
        for each in listed
    )


def findings(
    settings: Settings, addresses: Mapping[str, str], checks: Sequence[Check] | None, up: str
) -> Iterator[Finding]:
    """One for each service that is not watched as declared; none where the stack asks for no checks."""
    if settings.monitoring is None or checks is None:
        return
    wanted = frozenset(settings.monitoring.regions)
    for service, address in addresses.items():
        target = f"{address}{settings.health[service].path}"
        if wrong := _wrong(target, [each for each in checks if each.target == target], wanted):
            yield Finding(about=service, level="degraded", what=f"{wrong}.", next=up)


def _wrong(target: str, found: Sequence[Check], regions: frozenset[str]) -> str:
    if not found:
        return f"No uptime check watches {target}: it was deleted, or changed by hand"
    if not any(each.enabled for each in found):
        return f"The uptime check of {target} was switched off"
    if not any(each.regions == regions for each in found):
        asked = ", ".join(sorted(found[0].regions)) or "nowhere"
        return f"The uptime check of {target} asks from {asked}, not from {', '.join(sorted(regions))}"
    return ""
