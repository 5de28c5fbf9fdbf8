"""One difference between the clouds and the state, and the report of all."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Owner = Literal["by hand", "the platform", "left behind", "the code"]
"""The cause: a person, outside Pulumi; DigitalOcean or Cloudflare; an unfinished update; the service's own code."""
Remedy = Literal["version", "update", "replacement", "none"]
"""The repair: give traffic back to an existing version; update the service; create another app and migrate the data;
none without a person's decision.
"""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One difference."""

    about: str
    """The service."""
    what: str
    """The difference, one sentence."""
    owner: Owner
    remedy: Remedy
    version: str | None = None
    """The version that gets the traffic, for the remedy `version`."""
    next: str
    """The command to run instead of `--repair`."""

    def fixes(self, stack: str) -> tuple[str, ...]:
        """Return the commands that fix it: the repair, unless it needs a decision, and the command of its own."""
        return (self.next,) if self.remedy == "none" else (f"oracle drift {stack} --repair", self.next)


@dataclass(frozen=True, kw_only=True)
class Report:
    """The differences of a stack."""

    stack: str
    drifts: tuple[Drift, ...]
    unknown: tuple[str, ...]
    """A sentence for each part that could not be checked, with the reason."""

    @property
    def exit_status(self) -> int:
        """0 without drift, 1 with drift, 2 if no drift was found and not everything could be checked."""
        return 1 if self.drifts else 2 if self.unknown else 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
