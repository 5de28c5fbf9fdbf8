"""A rehearsal's report in words: one sentence for the terminal, Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from cli.plan.preview_markdown import escaped
from cli.rehearse.rehearsal import Part, Report


def sentence(report: Report) -> str:
    """Return the result in one sentence."""
    seconds = sum(part.seconds for part in report.parts)
    failed = sum(report.failed.values())
    return f"Rehearsed in {seconds:.0f} s: {report.reads} reads, {failed} failed."


def markdown(report: Report) -> str:
    """Return the whole report. The text ends with a line break."""
    return "\n".join([*_lines(report), ""])


def _lines(report: Report) -> Iterator[str]:
    revisions = report.revisions
    yield f"### Rehearsal of `{revisions.base[:10]}..{revisions.head[:10]}`"
    yield ""
    if report.services:
        yield from (f"- {escaped(line)}" for line in report.services)
        yield ""
    yield "| step | seconds | |"
    yield "|---|---:|---|"
    for part in report.parts:
        yield f"| {part.name} | {part.seconds:.1f} | {part.says} |"
    yield ""
    if report.error:
        yield f"**It failed.** {escaped(report.error)}"
    else:
        reasons = ", ".join(f"{count} x {what}" for what, count in sorted(report.failed.items()))
        failed = sum(report.failed.values())
        yield f"Reads during the rehearsal: {report.reads}, failed: {failed}{f' ({reasons})' if reasons else ''}."
    for part in report.parts:
        yield from _timeline(part)


def _timeline(part: Part) -> Iterator[str]:
    if part.timeline:
        yield from (
            "",
            f"<details><summary>Timeline: {part.name}</summary>",
            "",
            "```text",
            part.timeline,
            "```",
            "",
            "</details>",
        )
