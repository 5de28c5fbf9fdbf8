"""Compare the uptime checks of the stack's addresses with the declared ones. Without them, nobody gets an alert.

A check is identified by its target, not by its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cli.status.model import Finding
from clients.app_platform import AppPlatform, AppPlatformError
from settings import Settings


@dataclass(frozen=True, kw_only=True)
class Check:
    """An uptime check of the account."""

    target: str
    enabled: bool
    regions: frozenset[str]


def fetch_checks(endpoint: str, token: str | None, seconds: float) -> tuple[Check, ...] | None:
    """Return the account's checks. None if DigitalOcean does not list them."""
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
    """Yield a finding for each service without its declared check. A stack without monitoring has none."""
    if settings.monitoring is None or checks is None:
        return
    regions = frozenset(settings.monitoring.regions)
    for service, address in addresses.items():
        target = f"{address}{settings.health[service].path}"
        if problem := _problem(target, [each for each in checks if each.target == target], regions):
            yield Finding(about=service, level="degraded", what=f"{problem}.", next=up)


def _problem(target: str, found: Sequence[Check], regions: frozenset[str]) -> str:
    if not found:
        return f"No uptime check watches {target}: it was deleted, or changed by hand"
    if not any(each.enabled for each in found):
        return f"The uptime check of {target} was switched off"
    if not any(each.regions == regions for each in found):
        actual = ", ".join(sorted(found[0].regions)) or "nowhere"
        return f"The uptime check of {target} asks from {actual}, not from {', '.join(sorted(regions))}"
    return ""
