"""A finding: the check, its level, and the remedy of a problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from advice import command
from errors import UserError

Level = Literal["ok", "warn", "fail"]
LEVELS: tuple[Level, ...] = ("ok", "warn", "fail")
SECRET = ("TOKEN", "SECRET", "PASSPHRASE", "PASSWORD", "ACCESS_KEY")
HIDDEN = "(hidden)"


@dataclass(frozen=True)
class Finding:
    """The result of one check. `remedy` is the command that fixes it or shows more; only level `ok` has none."""

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


def from_error(check: str, error: UserError, stack: str, remedy: str, level: Level = "fail") -> Finding:
    """Return an error as a finding: its problem and the first line of its cause, and its first command or `remedy`."""
    what = " ".join(str(error).splitlines()[:2])
    return Finding(check, level, what.rstrip("."), command(error, stack, remedy))


def again(stack: str) -> str:
    """Return the command that runs all checks again."""
    return f"oracle doctor --stack {stack}"


def worst(findings: Iterable[Finding]) -> Level:
    return max((finding.level for finding in findings), key=LEVELS.index, default="ok")


def secrets(environment: Mapping[str, str]) -> list[str]:
    """Return the values to mask, longest first, so that a secret inside a longer one leaves no rest."""
    values = {value for name, value in environment.items() if len(value) > 7 and any(part in name for part in SECRET)}
    return sorted(values, key=len, reverse=True)
