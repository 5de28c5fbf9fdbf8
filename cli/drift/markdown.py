"""A stack's drift in Markdown, for an issue."""

from __future__ import annotations

from collections.abc import Iterator

from cli.drift.model import Report
from cli.plan.preview_markdown import escaped


def markdown(report: Report) -> str:
    """Return all differences and their repairs. The text ends with a line break."""
    return "\n".join([*_lines(report), ""])


def _lines(report: Report) -> Iterator[str]:
    count = len(report.drifts)
    what = f"{count} difference{'s' * (count != 1)}" if count else "cannot tell" if report.unknown else "as declared"
    yield f"### `{report.stack}`: {what}"
    yield ""
    if report.drifts:
        yield from ("| service | cause | difference | fix |", "|---|---|---|---|")
    for each in report.drifts:
        fixes = " or ".join(f"`{command.replace('|', '&#124;')}`" for command in each.fixes(report.stack))
        yield f"| {each.about} | {each.owner} | {escaped(each.what)} | {fixes} |"
    yield from (f"- {escaped(sentence)}" for sentence in report.unknown)
