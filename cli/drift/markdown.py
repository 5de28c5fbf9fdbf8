"""A stack's drift in Markdown, for an issue."""

from __future__ import annotations

from collections.abc import Iterator

from cli.drift.model import Report
from cli.plan.preview_markdown import escaped


def markdown(found: Report) -> str:
    """All that differs, and what puts it right; it ends with a line break."""
    return "\n".join([*_lines(found), ""])


def _lines(found: Report) -> Iterator[str]:
    count = len(found.drifts)
    what = f"{count} difference{'s' * (count != 1)}" if count else "cannot tell" if found.unknown else "as declared"
    yield f"### `{found.stack}`: {what}"
    yield ""
    if found.drifts:
        yield from ("| service | made | what differs | what puts it right |", "|---|---|---|---|")
    for each in found.drifts:
        repair = f"`oracle drift {found.stack} --repair`, or: " if each.remedy != "none" else ""
        yield f"| {each.about} | {each.owner} | {escaped(each.what)} | {repair}`{each.next.replace('|', '&#124;')}` |"
    yield from (f"- {escaped(sentence)}" for sentence in found.unknown)
