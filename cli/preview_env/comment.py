"""A review environment in Markdown, for a comment on its pull request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cli.plan.preview_markdown import escaped
from cli.runs.report import Row

GONE = "### This pull request's environment is gone\n\nSo is its data. The label brings up another one.\n"


def stands(rows: Sequence[Row], expires: datetime) -> str:
    """Return the comment with the services, their addresses and the expiry."""
    return "\n".join(
        [
            "### This pull request has an environment",
            "",
            "| service | address | release |",
            "|---|---|---|",
            *(f"| {row.service} | {row.address} | {escaped(row.version)} |" for row in rows),
            "",
            f"It starts empty, and lives until {expires:%Y-%m-%d %H:%M} UTC; each new commit begins that time again.",
            "",
        ]
    )


def failed(number: int, sentence: str, *, down: bool) -> str:
    """Return the comment after a failure. The sweep deletes the rest of the environment later."""
    what = "could not be taken down" if down else "could not be brought up"
    return f"### This pull request's environment {what}\n\n`pr-{number}`: {escaped(sentence)}\n"
