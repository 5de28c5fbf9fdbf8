"""One difference, and all of a stack's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Owner = Literal["by hand", "the platform", "left behind", "the code"]
"""Who made it: a person past the engine; DigitalOcean or Cloudflare itself; an update of ours that did not end; the
service's own code.
"""
Remedy = Literal["version", "update", "replacement", "none"]
"""What puts it right: traffic back to a version that is there; an update of the service; another app, its data
carried; nothing that could be done without a person's decision.
"""


@dataclass(frozen=True, kw_only=True)
class Drift:
    about: str
    """A service."""
    what: str
    """One sentence."""
    owner: Owner
    remedy: Remedy
    version: str | None = None
    """Which one is to get the traffic, for the remedy of that name."""
    next: str
    """What to type instead of `--repair`."""


@dataclass(frozen=True, kw_only=True)
class Report:
    stack: str
    drifts: tuple[Drift, ...]
    unknown: tuple[str, ...]
    """What could not be looked at, and why: sentences."""

    @property
    def exit_status(self) -> int:
        """0 no drift, 1 drift, 2 none seen, but not everything could be looked at."""
        return 1 if self.drifts else 2 if self.unknown else 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
