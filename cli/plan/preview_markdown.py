"""Plans as Markdown for a pull request, with the most serious change first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cli.plan.preview_summary import Forecast

PAST = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}


def headline(plan: Forecast) -> str:
    """Return `2 updated, 1 replaced`, or that nothing changes."""
    return ", ".join(f"{count} {PAST[kind]}" for kind, count in plan.counts().items()) or "nothing changes"


def markdown(plan: Forecast) -> str:
    """Return one stack's plan, with a line break at its end."""
    return "\n".join([*_lines(plan), ""])


def failure(stack: str, sentence: str) -> str:
    """Return the text in place of a plan that could not be made."""
    return f"### `{stack}`: no preview\n\n{escaped(sentence)}\n"


def _lines(plan: Forecast) -> Iterator[str]:
    yield f"### `{plan.stack}`: {headline(plan)}"
    yield ""
    if plan.loss:
        yield "> [!CAUTION]"
        yield (
            "> **THIS LOSES THE BACKEND'S DATA.** A verified backup is taken first; "
            f"`oracle wipe --undo {plan.stack}` restores it."
        )
        yield from (f"> {escaped(line)}" for line in plan.loss.splitlines())
        yield ""
    yield from (f"- {escaped(line)}" for line in plan.words)
    if plan.cost:
        yield f"- Cost: {escaped(plan.cost)}"
    if plan.changes:
        yield from _table(plan.changes)


def _table(changes: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield from ("", "<details><summary>Resources</summary>", "", "| resource | |", "|---|---|")
    yield from (f"| {escaped(name)} | {PAST[kind]} |" for name, kind in changes)
    yield from ("", "</details>")


def escaped(text: str) -> str:
    """Escape text for GitHub's Markdown: shown literally, on one line, with no mention of a user."""
    for mark, shown in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("`", "'"), ("@", "@\u200b"), ("\n", " ")):
        text = text.replace(mark, shown)
    return text
