"""What an adoption is: what is written, and what the first release would change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where the configuration says something else than what runs: the first release would change it."""

    key: str
    """A configuration key below its section, such as `backend.region`."""
    runs: object
    """As it would stand in the configuration; None where there is no key for it."""
    declared: object
    effect: str = ""
    """What the first release does, where the values do not say it."""


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """What is taken over, in words and as configuration."""

    adopted: Mapping[str, str]
    """The `adopted` keys, as `pulumi config set --path` takes them, and their values."""
    words: tuple[str, ...]
    alerts: tuple[Mapping[str, object], ...] = field(default=())
    """The app's alerts, to be declared from now on."""

    @property
    def values(self) -> dict[str, str]:
        """All keys that are written, and their values."""
        alerts = {
            f"backend.alerts[{number}].{name}": _text(value)
            for number, alert in enumerate(self.alerts)
            for name, value in alert.items()
        }
        return {**self.adopted, **alerts}


def _text(value: object) -> str:
    """As `pulumi config set --path` reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
