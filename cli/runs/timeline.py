"""The timeline of a run: the time of each resource, and the critical path.

The critical path goes backwards from the step that ended last: to the last-ended of the steps that it waited for, and
so on. A step waits for the resources that its own resource depends on; a deletion waits for everything before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from itertools import pairwise

from cli.engine.events import Step

SLACK_SECONDS = 0.15
"""The tolerance between the times of two steps: an event is read a moment after it is written."""
ROW, LEFT, RIGHT, TOP, PLOT = 24, 250, 90, 64, 720
CONTAINERS = frozenset({"pulumi:pulumi:Stack"})
PHASES = ("build", "preview", "refresh", "update", "delete")
HEADING, LAST_LINE = "Timeline", "* critical path: "
SECTION = re.compile(rf"\n?^{HEADING}\n.*?^{re.escape(LAST_LINE)}[^\n]*\n", re.MULTILINE | re.DOTALL)
"""Matches the timeline in a run's output."""


def rows(steps: Sequence[Step]) -> list[Step]:
    """Return the steps that get a row: changed resources, builds, and all reads of a refresh as one step."""
    reads = [step for step in steps if step.op == "refresh"]
    shown = [step for step in steps if step.op != "refresh" and not _container(step)]
    if reads:
        ends = [step.ended for step in reads if step.ended is not None]
        ended = max(ends) if len(ends) == len(reads) else None
        shown.append(Step(f"look at {len(reads)}", "refresh", "refresh", min(step.began for step in reads), ended))
    return sorted(shown, key=lambda step: (step.began, step.ended or float("inf")))


def critical(steps: Sequence[Step]) -> list[Step]:
    """Return the chain of steps that determines the run's length, in order; empty when no step has ended."""
    done = [step for step in steps if step.ended is not None]
    path: list[Step] = []
    step = max(done, key=_end, default=None)
    while step is not None:
        path.append(step)
        step = max(_before(step, [step for step in done if step not in path]), key=_end, default=None)
    return path[::-1]


def text(steps: Sequence[Step], width: int = 100) -> str:
    """Return bars over time for a terminal, with `*` for a step on the critical path; empty when nothing was done."""
    shown = rows(steps)
    if not shown:
        return ""
    names = max(len(step.name) for step in shown) + 2
    ops = max(len(step.op) for step in shown) + 1
    begin, whole = _span(shown)
    room = max(10, width - names - ops - 14)
    path = critical(shown)
    lines = []
    for step in shown:
        first = round((step.began - begin) / whole * room)
        length = max(1, round((_end_or(step, begin + whole) - step.began) / whole * room))
        bar = " " * min(first, room - 1) + ("#" if step in path else "=") * min(length, room - min(first, room - 1))
        mark = "*" if step in path else "!" if not step.ok else " "
        lines.append(f"{mark} {step.name:<{names}}{step.op:<{ops}}{_seconds(step):>8}  {bar}".rstrip())
    waited = " > ".join(step.name for step in path)
    return "\n".join([*lines, f"  {'whole':<{names}}{'':<{ops}}{whole:>6.1f} s", f"{LAST_LINE}{waited}"])


def section(steps: Sequence[Step], width: int) -> str:
    """Return the timeline as a section of a run's output."""
    return f"\n{HEADING}\n{text(steps, width)}\n"


def without_section(output: str) -> str:
    """Return a run's output without the timeline, where a chart replaces it."""
    return SECTION.sub("", output)


def svg(steps: Sequence[Step], title: str) -> str:
    """Return the chart as one self-contained SVG document, readable on light and dark backgrounds."""
    shown = rows(steps)
    begin, whole = _span(shown)
    path = critical(shown)
    height = TOP + ROW * max(len(shown), 1) + 40
    width = LEFT + PLOT + RIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
        STYLE,
        f'<rect class="paper" width="{width}" height="{height}"/>',
        f'<text class="title" x="16" y="26">{escape(title)}</text>',
        *_axis(whole, height),
        *(_links(path, shown, begin, whole)),
    ]
    for number, step in enumerate(shown):
        parts += _bar(step, number, begin, whole, step in path)
    waited = " → ".join(step.name for step in path)
    parts.append(f'<text class="small" x="16" y="{height - 12}">{_cut(f"Critical path: {waited}", 165)}</text>')
    return "\n".join([*parts, "</svg>\n"])


STYLE = """<style>
svg { --paper: #ffffff; --ink: #1b1f24; --faint: #6a737d; --line: #d8dee4; --bar: #8aa4c8; --path: #d9730d;
      --bad: #cf222e; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #0d1117; --ink: #e6edf3; --faint: #9aa4af; --line: #30363d; --bar: #4d6d99; --path: #f0953f;
        --bad: #ff6b6b; }
}
text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: var(--ink); }
.title { font-size: 15px; font-weight: 600; }
.small, .tick { font-size: 11px; fill: var(--faint); }
.paper { fill: var(--paper); }
.line { stroke: var(--line); stroke-width: 1; }
.link { stroke: var(--path); stroke-width: 1.5; fill: none; stroke-dasharray: 3 2; }
.bar { fill: var(--bar); }
.path { fill: var(--path); }
.failed { fill: var(--bad); }
</style>"""


def _container(step: Step) -> bool:
    return step.type in CONTAINERS or step.type.startswith(("oracle-net:index:", "pulumi:providers:"))


def _before(step: Step, others: list[Step]) -> list[Step]:
    """Return the steps that this one waited for: ended dependencies, else ended steps of earlier phases."""
    ended = [other for other in others if _end(other) <= step.began + SLACK_SECONDS and other.began <= step.began]
    if _phase(step) == "delete":
        return ended
    needed = [other for other in ended if other.name in step.needs and _phase(other) == "update"]
    return needed or [other for other in ended if PHASES.index(_phase(other)) < PHASES.index(_phase(step))]


def _phase(step: Step) -> str:
    if step.op.startswith("delete"):
        return "delete"
    return step.op if step.op in PHASES else "update"


def _span(steps: Sequence[Step]) -> tuple[float, float]:
    """Return the first step's begin, and the seconds from there to the last end."""
    begin = min((step.began for step in steps), default=0.0)
    return begin, max(max((_end_or(step, step.began) for step in steps), default=0.0) - begin, 0.1)


def _end(step: Step) -> float:
    return _end_or(step, step.began)


def _end_or(step: Step, otherwise: float) -> float:
    return otherwise if step.ended is None else step.ended


def _seconds(step: Step) -> str:
    return "…" if step.ended is None else f"{step.ended - step.began:.1f} s"


def _axis(whole: float, height: int) -> list[str]:
    """Draw a vertical line every so many whole seconds, ten at most."""
    pace = next((each for each in (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800) if whole / each <= 10), 3600)
    ticks = []
    at = 0.0
    while at <= whole:
        x = LEFT + at / whole * PLOT
        ticks.append(f'<line class="line" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{height - 32}"/>')
        ticks.append(f'<text class="tick" x="{x:.1f}" y="{TOP - 14}" text-anchor="middle">{at:g} s</text>')
        at += pace
    return ticks


def _bar(step: Step, number: int, begin: float, whole: float, on_path: bool) -> list[str]:
    y = TOP + number * ROW
    x = LEFT + (step.began - begin) / whole * PLOT
    long = max((_end_or(step, begin + whole) - step.began) / whole * PLOT, 2)
    kind = "failed" if not step.ok else "path" if on_path else "bar"
    tooltip = f"<title>{escape(f'{step.name}: {step.op}, {_seconds(step)}, from {step.began - begin:.1f} s')}</title>"
    return [
        f'<text x="{LEFT - 10}" y="{y + 14}" text-anchor="end">{_cut(f"{step.name} · {step.op}", 40)}</text>',
        f'<rect class="{kind}" x="{x:.1f}" y="{y + 3}" width="{long:.1f}" height="{ROW - 9}" rx="2">{tooltip}</rect>',
        f'<text class="small" x="{x + long + 5:.1f}" y="{y + 14}">{_seconds(step)}</text>',
    ]


def _links(path: list[Step], shown: list[Step], begin: float, whole: float) -> list[str]:
    """Draw a link from the end of each step on the critical path to the begin of the next."""
    links = []
    for one, next_one in pairwise(path):
        x1 = LEFT + (_end(one) - begin) / whole * PLOT
        x2 = LEFT + (next_one.began - begin) / whole * PLOT
        y1, y2 = (TOP + shown.index(each) * ROW + 10 for each in (one, next_one))
        links.append(f'<path class="link" d="M{x1:.1f} {y1} V{y2} H{x2:.1f}"/>')
    return links


def _cut(words: str, limit: int) -> str:
    return escape(words if len(words) <= limit else f"{words[: limit - 1]}…")
