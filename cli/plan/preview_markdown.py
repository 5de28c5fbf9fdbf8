"""Forecasts as Markdown for a pull request: the loudest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cli.plan.preview_summary import Forecast

PAST = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}


def headline(found: Forecast) -> str:
    """`2 updated, 1 replaced`, or that nothing changes."""
    return ", ".join(f"{count} {PAST[kind]}" for kind, count in found.counts().items()) or "nothing changes"


def markdown(found: Forecast) -> str:
    """One stack's forecast; it ends with a line break."""
    return "\n".join([*_lines(found), ""])


def failure(stack: str, sentence: str) -> str:
    """What stands in a forecast's place when there is none."""
    return f"### `{stack}`: no preview\n\n{escaped(sentence)}\n"


def _lines(found: Forecast) -> Iterator[str]:
    yield f"### `{found.stack}`: {headline(found)}"
    yield ""
    if found.loss:
        yield "> [!CAUTION]"
        yield "> **THIS LOSES THE BACKEND'S DATA.** A verified backup is kept; `oracle wipe --undo` brings it back."
        yield from (f"> {escaped(line)}" for line in found.loss.splitlines())
        yield ""
    yield from (f"- {escaped(line)}" for line in found.words)
    if found.cost:
        yield f"- Cost: {escaped(found.cost)}"
    if found.changes:
        yield from _table(found.changes)


def _table(changes: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield from ("", "<details><summary>Resources</summary>", "", "| resource | |", "|---|---|")
    yield from (f"| {escaped(name)} | {PAST[kind]} |" for name, kind in changes)
    yield from ("", "</details>")


def escaped(text: str) -> str:
    """Text that GitHub's Markdown shows as it is, on one line, and in which nobody is mentioned."""
    for mark, shown in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("`", "'"), ("@", "@\u200b"), ("\n", " ")):
        text = text.replace(mark, shown)
    return text
