"""A review environment in Markdown, for a comment on its pull request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cli.plan.preview_markdown import escaped
from cli.runs.report import Row

GONE = "### This pull request's environment was deleted\n\nIts data was deleted too. The label creates another one.\n"


def deployed(rows: Sequence[Row], expires: datetime) -> str:
    """Return the comment with the services, their addresses and the expiry."""
    return "\n".join(
        [
            "### This pull request has an environment",
            "",
            "| service | address | release |",
            "|---|---|---|",
            *(f"| {row.service} | {row.address} | {escaped(row.version)} |" for row in rows),
            "",
            f"It starts empty and exists until {expires:%Y-%m-%d %H:%M} UTC. Each new commit starts that time again.",
            "",
        ]
    )


def failed(number: int, text: str, *, down: bool) -> str:
    """Return the comment after a failure. The sweep deletes the rest of the environment later."""
    what = "could not be deleted" if down else "could not be created"
    return f"### This pull request's environment {what}\n\n`pr-{number}`: {escaped(text)}\n"
