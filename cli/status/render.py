"""Print a status: a table of services, further facts, and each finding with its fix."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.status.model import Finding, Level, Service, Status
from stack_outputs import ADOPTED

COLORS: dict[Level, str] = {"healthy": "green", "degraded": "yellow", "down": "red"}
WIDE = 150
"""The least width, in columns, of a table with addresses and declared releases."""


def render(status: Status, width: int, brief: bool = False) -> RenderableType:
    """Return the status for this width. `brief` leaves out everything but services and findings."""
    parts: list[RenderableType] = []
    if status.services:
        parts += [_services(status, width >= WIDE), Text()]
    if not brief and (lines := list(_facts(status, width >= WIDE))):
        parts += [_pairs(lines), Text()]
    for finding in status.findings:
        parts += [*_finding(finding), Text()]
    return Group(*parts, _last(status))


def show(status: Status, console: Console) -> None:
    console.print(render(status, console.width), soft_wrap=False)


def age(then: str | None, now: str) -> str:
    """Return the time between both as `3 min`, `2 h` or `5 d`; empty if `then` is unknown."""
    if not then:
        return ""
    seconds = max(0.0, (datetime.fromisoformat(now) - datetime.fromisoformat(then)).total_seconds())
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.0f} d"


def _services(status: Status, wide: bool) -> Table:
    columns = ["service", "is", "answers", "release", "runs", "for"]
    table = Table(*columns, *(["declared", "address"] if wide else []), box=None, pad_edge=False)
    for each in status.services:
        cells: list[RenderableType] = [
            each.name,
            Text(each.level, COLORS[each.level]),
            _answer(each),
            _release(each),
            _runs(each),
        ]
        cells.append(age(each.since, status.at))
        table.add_row(
            *cells, *(["made by hand" if _by_hand(each) else (each.declared or "")[:12], each.address] if wide else [])
        )
    if wide:
        table.columns[-1].overflow = "fold"
    return table


def _answer(each: Service) -> str:
    answer = each.answer if each.milliseconds is None else f"{each.answer}, {each.milliseconds} ms"
    return f"{answer} ({each.because})" if each.because else answer


def _release(each: Service) -> Text:
    version = (each.version or "")[:12]
    other = bool(version and each.declared and each.version != each.declared and not _by_hand(each))
    return Text(f"{version} !" if other else version, "yellow" if other else "")


def _by_hand(each: Service) -> bool:
    """Return whether the service was adopted and has had no release of ours since."""
    return (each.declared or "").startswith(ADOPTED)


def _runs(each: Service) -> str:
    number = f" {each.number}" if each.number is not None else ""
    return f"{each.phase or ''}{number} {(each.runs or '')[:8]}".strip()


def _facts(status: Status, wide: bool) -> Iterator[tuple[str, str]]:
    logins = [(each.name, each.admin) for each in status.services if each.admin is not None]
    if logins:
        yield "admin login", ", ".join(f"{name} {'ok' if works else 'refused'}" for name, works in logins)
    for each in status.services:
        if each.secrets:
            yield f"secrets {each.name}", _secrets(each, status.at)
    for each in status.services:
        if each.says:
            yield f"says {each.name}", each.says
    yield "backups", _backups(status)
    for each in status.services:
        if each.certificate:
            yield f"certificate {each.name}", f"until {each.certificate[:10]}"
    if cost := _cost(status):
        yield "cost", cost
    if not wide:
        yield from ((each.name, each.address) for each in status.services)
    yield from (("note", note) for note in status.notes)


def _secrets(each: Service, now: str) -> str:
    """Return the names of secrets, grouped by the age of their values."""
    ages: dict[str, list[str]] = {}
    for secret in each.secrets:
        since = f"{age(secret.since, now)} old" if secret.since else "there"
        ages.setdefault(since if secret.present else "MISSING", []).append(secret.name)
    return "; ".join(f"{', '.join(names)}: {group}" for group, names in ages.items())


def _backups(status: Status) -> str:
    backups = status.backups
    if backups.count is None:
        return f"unknown, in {backups.where}"
    if not backups.count:
        return f"none yet, in {backups.where}"
    return f"{backups.count}, the newest {age(backups.at, status.at)} old: {backups.newest}, in {backups.where}"


def _cost(status: Status) -> str:
    prices = [each.usd_per_month for each in status.services if each.usd_per_month is not None]
    if not prices:
        return ""
    return f"${sum(prices):.2f} a month for the backend, from DigitalOcean; Cloudflare's API has no prices of Workers"


def _pairs(lines: list[tuple[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in lines:
        table.add_row(Text(name, "dim"), text)
    return table


def _finding(finding: Finding) -> Iterator[RenderableType]:
    color = COLORS[finding.level]
    yield Text.assemble((finding.level, f"bold {color}"), " ", (finding.about, "bold"), ": ", finding.what)
    yield Text(f"  next: {finding.next}", "cyan", overflow="fold")


def _last(status: Status) -> Text:
    count = len(status.findings)
    findings = f", {count} finding{'s' if count > 1 else ''}" if count else ""
    took = f" (read in {status.milliseconds / 1000:.1f} s at {status.at[11:19]})"
    return Text.assemble(f"{status.stack} is ", (status.level, f"bold {COLORS[status.level]}"), findings, (took, "dim"))
