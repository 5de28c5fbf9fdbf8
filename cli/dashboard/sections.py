"""The sections of the page."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from cli.backups.stack_backups import Change
from cli.dashboard.content import LEVELS, Content, Fact, Finding, Run, Service
from cli.dashboard.graph_svg import draw
from cli.dashboard.markup import Child, Html, plain, tag
from cli.ui import phrases
from storage.backups import Backup

RUN_LEVELS = {"ok": "healthy", "failed": "down", "killed": "down", "running": "running"}
NONE = "-"
KINDS = {"kept": "delete"}
"""Displayed names of the audit log's kinds."""
WORD = 12
"""The number of characters from which a word may be broken in a narrow column."""


def services(content: Content) -> Html:
    """Return a card for each service, and the facts and findings of the whole stack."""
    common = [_finding(each) for each in content.findings]
    return _section(
        content,
        "services",
        "Services",
        tag("ul", common, class_="findings") if common else None,
        tag("div", map(_service, content.services), class_="cards") if content.services else None,
        _facts(content.facts),
        empty=f"Nothing is deployed yet: pulumi up -s {content.stack}",
        full=bool(content.services or common),
    )


def runs(content: Content) -> Html:
    """Return a row for each run. The newest with a timeline is open."""
    first = next((run.id for run in content.runs if run.chart), None)
    shown = [_run(run, is_open=run.id == first) for run in content.runs]
    return _section(
        content,
        "runs",
        "Runs",
        tag("div", shown, class_="rows"),
        empty=f"Nothing was run yet; deploy: oracle deploy --stack {content.stack}",
        full=bool(shown),
    )


def graph(content: Content) -> Html:
    """Return the dependency graph."""
    levels = {service.name: _level(service.level) for service in content.services}
    return _section(
        content,
        "graph",
        "What depends on what",
        tag("p", "Each box needs the boxes above it that lead to it.", class_="soft"),
        tag("div", draw(content.graph, levels), class_="scroll", tabindex="0") if content.graph.nodes else None,
        empty="The state holds no resources.",
        full=bool(content.graph.nodes),
    )


def backups(content: Content) -> Html:
    """Return the table of backups."""
    rows = [_backup(each, content.stack) for each in content.backups]
    return _section(
        content,
        "backups",
        "Backups",
        _table(("when", "why", "records", "files", "size", "to go back to it"), rows),
        empty=f"There are no backups yet; take one: oracle backup {content.stack}",
        full=bool(rows),
    )


def history(content: Content) -> Html:
    """Return the table of changes of the backend's data."""
    rows = [_change(each) for each in content.history]
    return _section(
        content,
        "history",
        "History",
        _table(("when", "what", "who", "from", "to", "to undo"), rows),
        empty="Nothing has happened to the data yet.",
        full=bool(rows),
    )


def badge(level: str, words: str = "") -> Html:
    """Return a level as a coloured word, so that the colour is not the only sign."""
    return tag("span", words or _level(level), class_=f"badge {_level(level)}")


def when(moment: str) -> Html:
    """Format a time as `2026-11-22 16:49 UTC`. Other text is returned unchanged."""
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return tag("span", moment)
    return tag("time", at.strftime("%Y-%m-%d %H:%M UTC"), datetime=moment, class_="nowrap")


def _section(content: Content, key: str, title: str, *children: Child, empty: str, full: bool) -> Html:
    problem = content.problems.get(key)
    body: list[Child] = [tag("p", problem, class_="problem")] if problem else []
    if full:
        body.extend(children)
    elif not problem:
        body.append(tag("p", empty, class_="soft"))
    return tag("section", tag("h2", title), body, id=key)


def _level(level: str) -> str:
    return level if level in LEVELS or level == "running" else "unknown"


def _service(service: Service) -> Html:
    return tag(
        "article",
        tag("header", tag("h3", service.name), badge(service.level)),
        tag("p", _link(service.address), class_="address") if service.address else None,
        _facts([Fact(name="version", value=service.version), *service.facts]),
        tag("ul", map(_finding, service.findings), class_="findings") if service.findings else None,
        class_=f"card {_level(service.level)}",
    )


def _link(address: str) -> Html:
    """Return a link if the address is http or https. It may wrap at each dot of the name."""
    try:
        is_web = urlsplit(address).scheme in ("http", "https")
    except ValueError:
        is_web = False
    if not is_web:
        return tag("span", address)
    first, *rest = address.split("://", 1)[1].split(".")
    return tag("a", first, [[tag("wbr"), f".{part}"] for part in rest], href=address, rel="noreferrer")


def _facts(facts: Iterable[Fact]) -> Html | None:
    shown = [tag("div", tag("dt", fact.name), tag("dd", fact.value)) for fact in facts if fact.value]
    return tag("dl", shown) if shown else None


def _finding(finding: Finding) -> Html:
    return tag("li", tag("p", finding.what), _command(finding.command), class_=_level(finding.level))


def _command(command: str) -> Html | None:
    return tag("code", command, class_="command") if command else None


def _run(run: Run, *, is_open: bool) -> Html:
    status = tag("span", run.status, class_=f"badge {RUN_LEVELS.get(run.status, 'unknown')}")
    summary = tag(
        "summary",
        tag("span", run.kind, class_="kind"),
        status,
        when(run.began),
        tag("span", _lasted(run), class_="soft nowrap"),
        tag("span", run.who, class_="soft who"),
    )
    chart = _image(run) if run.chart else None
    error = tag("p", run.error, class_="problem") if run.error else None
    output = tag("div", tag("pre", run.output.rstrip()), class_="output", tabindex="0") if run.output.strip() else None
    follow = tag("code", f"oracle logs {run.id}{' -f' if run.status == 'running' else ''}", class_="command")
    return tag("details", summary, error, chart, output, follow, id=f"run-{run.id}", open=is_open, class_="row")


def _image(run: Run) -> Html:
    """Embed the chart as an image, so that its style and its names cannot affect the page."""
    address = "data:image/svg+xml;base64," + base64.b64encode(plain(run.chart).encode()).decode()
    return tag("div", tag("img", src=address, alt=f"Timeline of the run {run.id}"), class_="scroll chart", tabindex="0")


def _lasted(run: Run) -> str:
    try:
        seconds = (datetime.fromisoformat(run.ended) - datetime.fromisoformat(run.began)).total_seconds()
    except (ValueError, TypeError):
        return ""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _backup(backup: Backup, stack: str) -> tuple[Child, ...]:
    sealed = " encrypted" if backup.encrypted else ""
    return (
        when(backup.created),
        backup.reason,
        str(backup.own_records),
        str(backup.files),
        phrases.size(backup.size) + sealed,
        _command(f"oracle restore {backup.id} {stack}"),
    )


def _change(change: Change) -> tuple[Child, ...]:
    entry = change.entry
    kind = KINDS.get(entry.kind, entry.kind)
    return (
        when(entry.at),
        [
            tag("span", kind, class_="nowrap" if len(kind) < WORD else None),
            [tag("p", note, class_="soft") for note in change.notes],
        ],
        entry.who,
        _version(entry.from_app, entry.from_release),
        _version(entry.to_app, entry.to_release),
        _command(change.undo) if change.undo else change.gone or NONE,
    )


def _version(app: str | None, release: str | None) -> Child:
    if not app:
        return NONE
    return [tag("span", app), " ", tag("span", (release or "").removeprefix("sha256:")[:8], class_="soft")]


def _table(columns: Sequence[str], rows: Sequence[tuple[Child, ...]]) -> Html:
    head = tag("tr", [tag("th", column, scope="col") for column in columns])
    body = [
        tag("tr", [tag("td", tag("div", cell), data_label=name) for name, cell in zip(columns, row, strict=True)])
        for row in rows
    ]
    return tag("table", tag("thead", head), tag("tbody", body))
