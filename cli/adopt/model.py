"""The model of an adoption: the configuration it writes, and the changes of the first release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A difference between the configuration and the running service, which the first release would change."""

    key: str
    """A configuration key below its section, such as `backend.region`."""
    runs: object
    """The running value in the configuration's form; None if there is no key for it."""
    declared: object
    effect: str = ""
    """The effect of the first release, if the values do not show it."""


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """The resources to adopt, as text and as configuration."""

    adopted: Mapping[str, str]
    """The `adopted` keys, as `pulumi config set --path` takes them, and their values."""
    words: tuple[str, ...]
    alerts: tuple[Mapping[str, object], ...] = field(default=())
    """The app's alerts, which the configuration declares from now on."""

    @property
    def values(self) -> dict[str, str]:
        """All keys to write, and their values."""
        alerts = {
            f"backend.alerts[{number}].{name}": _text(value)
            for number, alert in enumerate(self.alerts)
            for name, value in alert.items()
        }
        return {**self.adopted, **alerts}


def _text(value: object) -> str:
    """Return a value in the form that `pulumi config set --path` reads."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
