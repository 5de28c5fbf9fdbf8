"""A finding: the check, its level, and the remedy of a problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Level = Literal["ok", "warn", "fail"]
LEVELS: tuple[Level, ...] = ("ok", "warn", "fail")
SECRET = ("TOKEN", "SECRET", "PASSPHRASE", "PASSWORD", "ACCESS_KEY")
HIDDEN = "(hidden)"


@dataclass(frozen=True)
class Finding:
    """The result of one check. `remedy` is the command to run next; only level `ok` has none."""

    check: str
    level: Level
    what: str
    remedy: str = ""

    def __post_init__(self) -> None:
        assert self.level in LEVELS
        assert bool(self.remedy) == (self.level != "ok"), self

    def without(self, secrets: Iterable[str]) -> Finding:
        """Return the finding with secrets masked, in case a response or an error contains one."""
        what, remedy = self.what, self.remedy
        for secret in secrets:
            what, remedy = what.replace(secret, HIDDEN), remedy.replace(secret, HIDDEN)
        return replace(self, what=what, remedy=remedy)


def from_message(check: str, sentence: str, remedy: str, level: Level = "fail") -> Finding:
    """Return a finding from a sentence that ends with `; …: COMMAND`. Without one, `remedy` is the remedy."""
    what, semicolon, rest = sentence.rpartition("; ")
    if not semicolon or ": " not in rest:
        return Finding(check, level, sentence.rstrip("."), remedy)
    return Finding(check, level, what, rest.rpartition(": ")[2] or remedy)


def worst(findings: Iterable[Finding]) -> Level:
    return max((finding.level for finding in findings), key=LEVELS.index, default="ok")


def secrets(environment: Mapping[str, str]) -> list[str]:
    """Return the values to mask, longest first, so that a secret inside a longer one leaves no rest."""
    values = {value for name, value in environment.items() if len(value) > 7 and any(part in name for part in SECRET)}
    return sorted(values, key=len, reverse=True)
