"""Cron expressions, by the examples and rules of Cloudflare's documentation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from localcloud.cloudflare.crons import Cron

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday


def hits(expression: str, count: int) -> list[str]:
    """The first minutes of the year that match."""
    cron = Cron.parse(expression)
    minutes = (NEW_YEAR + timedelta(minutes=number) for number in range(365 * 24 * 60))
    return [minute.strftime("%a %m-%d %H:%M") for minute in islice(filter(cron.matches, minutes), count)]


@pytest.mark.parametrize(
    "expression, first",
    [
        ("* * * * *", ["Thu 01-01 00:00", "Thu 01-01 00:01"]),
        ("*/30 * * * *", ["Thu 01-01 00:00", "Thu 01-01 00:30", "Thu 01-01 01:00"]),
        ("45 * * * *", ["Thu 01-01 00:45", "Thu 01-01 01:45"]),
        ("5/20 1 * * *", ["Thu 01-01 01:05", "Thu 01-01 01:25", "Thu 01-01 01:45", "Fri 01-02 01:05"]),
        ("0 17 * * sun", ["Sun 01-04 17:00", "Sun 01-11 17:00"]),
        ("0 17 * * 1", ["Sun 01-04 17:00", "Sun 01-11 17:00"]),
        ("10 7 * * mon-fri", ["Thu 01-01 07:10", "Fri 01-02 07:10", "Mon 01-05 07:10"]),
        ("10 7 * * 2-6", ["Thu 01-01 07:10", "Fri 01-02 07:10", "Mon 01-05 07:10"]),
        ("0 15 1 * *", ["Thu 01-01 15:00", "Sun 02-01 15:00"]),
        ("0 18 * * 6L", ["Fri 01-30 18:00", "Fri 02-27 18:00"]),
        ("0 18 * * friL", ["Fri 01-30 18:00", "Fri 02-27 18:00"]),
        ("59 23 LW * *", ["Fri 01-30 23:59", "Fri 02-27 23:59", "Tue 03-31 23:59"]),
        ("0 0 L * *", ["Sat 01-31 00:00", "Sat 02-28 00:00"]),
        ("0 0 1W * *", ["Thu 01-01 00:00", "Mon 02-02 00:00"]),
        ("0 0 31W * *", ["Fri 01-30 00:00", "Tue 03-31 00:00"]),
        ("0 0 * * MON#2", ["Mon 01-12 00:00", "Mon 02-09 00:00"]),
        ("0 0 * * L", ["Sat 01-03 00:00", "Sat 01-10 00:00"]),
        ("0 0 13 * FRI", ["Fri 01-02 00:00", "Fri 01-09 00:00", "Tue 01-13 00:00"]),
        ("0 0 1 JAN,jul *", ["Thu 01-01 00:00", "Wed 07-01 00:00"]),
    ],
)
def test_an_expression_matches_the_right_minutes(expression: str, first: list[str]) -> None:
    assert hits(expression, len(first)) == first


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "0 22 * * 0", "0 0 * * 8",
     "*/0 * * * *", "5-1 * * * *", "a * * * *", "* * * * MON#6", "* * 32W * *", "@daily", "1,,2 * * * *", "- * * * *"],
)  # fmt: skip
def test_an_invalid_expression_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Cron.parse(expression)
