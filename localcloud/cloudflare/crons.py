"""Cron expressions in Cloudflare's syntax: five fields, in UTC, with most of Quartz's extensions.

Weekdays count from 1 for Sunday to 7 for Saturday. Days of the month may be L (the last), LW (the last weekday) or 15W
(the weekday nearest to the 15th); weekdays may be 6L (the last Friday) or 6#2 (the second Friday). Where both days are
limited, either is enough. (https://developers.cloudflare.com/workers/configuration/cron-triggers/)
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

DayRule = Callable[[date], bool]

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
SATURDAY = 7
RANGE = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")


@dataclass(frozen=True)
class _Field:
    """The range and the names of one field."""

    lowest: int
    highest: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        """Parse a number or a name. Raises ValueError."""
        if text.upper() in self.names:
            return self.names.index(text.upper()) + 1
        if not text.isascii() or not text.isdigit() or not self.lowest <= int(text) <= self.highest:
            raise ValueError(text)
        return int(text)

    def values(self, text: str) -> frozenset[int]:
        """Parse one part of a list: `*`, `7`, `1-5`, `*/15`, `9-17/2`, `5/10`."""
        match = RANGE.fullmatch(text)
        if match is None:
            raise ValueError(text)
        step = int(match["step"] or 1)
        first = self.lowest if match["all"] else self.number(match["first"])
        last = self.number(match["last"]) if match["last"] else first
        if match["all"] or (match["step"] and not match["last"]):
            last = self.highest
        if step < 1 or last < first:
            raise ValueError(text)
        return frozenset(range(first, last + 1, step))


MINUTE, HOUR, DAY = _Field(0, 59), _Field(0, 23), _Field(1, 31)
MONTH, WEEKDAY = _Field(1, 12, MONTHS), _Field(1, 7, WEEKDAYS)


@dataclass(frozen=True)
class Cron:
    """A parsed expression."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: tuple[DayRule, ...] | None
    months: frozenset[int]
    weekdays: tuple[DayRule, ...] | None

    @classmethod
    def parse(cls, expression: str) -> Cron:
        """Parse an expression. Raises ValueError for one that Cloudflare refuses."""
        fields = expression.split()
        if len(fields) != 5:
            raise ValueError(expression)
        minute, hour, day, month, weekday = fields
        return cls(
            minutes=_numbers(MINUTE, minute),
            hours=_numbers(HOUR, hour),
            days=None if day == "*" else tuple(_day(part) for part in day.split(",")),
            months=_numbers(MONTH, month),
            weekdays=None if weekday == "*" else tuple(_weekday(part) for part in weekday.split(",")),
        )

    def matches(self, moment: datetime) -> bool:
        """Return whether the expression includes the minute of `moment` (in UTC)."""
        if moment.minute not in self.minutes or moment.hour not in self.hours or moment.month not in self.months:
            return False
        rules = [rule for rules in (self.days, self.weekdays) if rules is not None for rule in rules]
        return not rules or any(rule(moment.date()) for rule in rules)


def _numbers(field: _Field, text: str) -> frozenset[int]:
    return frozenset[int]().union(*(field.values(part) for part in text.split(",")))


def _day(text: str) -> DayRule:
    upper = text.upper()
    if upper == "L":
        return lambda day: day.day == _last(day).day
    if upper == "LW":
        return lambda day: day == _nearest_weekday(_last(day))
    if upper.endswith("W"):
        number = DAY.number(upper[:-1])
        return lambda day: number <= _last(day).day and day == _nearest_weekday(day.replace(day=number))
    numbers = DAY.values(text)
    return lambda day: day.day in numbers


def _weekday(text: str) -> DayRule:
    upper = text.upper()
    if upper == "L":
        return lambda day: _number(day) == SATURDAY
    if upper.endswith("L"):
        last = WEEKDAY.number(upper[:-1])
        return lambda day: _number(day) == last and day.day + 7 > _last(day).day
    if "#" in upper:
        name, _, which = upper.partition("#")
        number, place = WEEKDAY.number(name), _Field(1, 5).number(which)
        return lambda day: _number(day) == number and (day.day - 1) // 7 + 1 == place
    numbers = WEEKDAY.values(text)
    return lambda day: _number(day) in numbers


def _number(day: date) -> int:
    """Return 1 for Sunday to 7 for Saturday."""
    return day.isoweekday() % 7 + 1


def _last(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _nearest_weekday(day: date) -> date:
    """Return the day, or for a Saturday or Sunday the nearest weekday in the same month."""
    if day.isoweekday() <= 5:
        return day
    steps = (-1, 2) if day.isoweekday() == 6 else (1, -2)
    near = (day + timedelta(days=step) for step in steps)
    return next(weekday for weekday in near if weekday.month == day.month)
