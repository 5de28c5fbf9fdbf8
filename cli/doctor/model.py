"""A finding: what was looked at, how it is, and what to type when it is not well."""

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
    """`remedy` is the next command; only what is well has none."""

    check: str
    level: Level
    what: str
    remedy: str = ""

    def __post_init__(self) -> None:
        assert self.level in LEVELS
        assert bool(self.remedy) == (self.level != "ok"), self

    def without(self, secrets: Iterable[str]) -> Finding:
        """The same with no secret in it, should an answer or an error have repeated one."""
        what, remedy = self.what, self.remedy
        for secret in secrets:
            what, remedy = what.replace(secret, HIDDEN), remedy.replace(secret, HIDDEN)
        return replace(self, what=what, remedy=remedy)


def from_message(check: str, sentence: str, remedy: str, level: Level = "fail") -> Finding:
    """A finding from a sentence that ends in its next command behind a semicolon; else the remedy is `remedy`."""
    what, semicolon, rest = sentence.rpartition("; ")
    if not semicolon or ": " not in rest:
        return Finding(check, level, sentence.rstrip("."), remedy)
    return Finding(check, level, what, rest.rpartition(": ")[2] or remedy)


def worst(findings: Iterable[Finding]) -> Level:
    return max((finding.level for finding in findings), key=LEVELS.index, default="ok")


def secrets(environment: Mapping[str, str]) -> list[str]:
    """The values that must never be shown, the longest first, so that none is left over inside another."""
    found = {value for name, value in environment.items() if len(value) > 7 and any(part in name for part in SECRET)}
    return sorted(found, key=len, reverse=True)
