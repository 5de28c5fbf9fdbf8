"""The page's content: the status, the runs, the state, the backups and the audit log, read at the same time.

What cannot be read, or not soon enough, leaves its section with the reason; the others are shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.backups.stack_backups import StackBackups
from cli.dashboard.content import Content, Fact, Finding, Run, Service
from cli.dashboard.graph import Graph, from_state
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.runs import timeline
from cli.runs.store import RunInfo, Runs, steps
from cli.status import Service as Seen
from cli.status import Status
from cli.status.model import short
from cli.status.probe import TimedOut, gather_with_deadline
from cli.status.render import age
from cli.status.snapshot import StatusReader
from cli.ui.errors import CommandError
from storage.backups import BackupsError

SECONDS = 30.0
"""How long the slowest source is waited for."""
FRESH_SECONDS = 60.0
"""How long one reading of the state is good."""
SHOWN = 20
CHARTS = 5
OUTPUT_BYTES = 8 * 1024


class Gatherer:
    """Reads one stack, as often as wished."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._look = StatusReader(stack, FRESH_SECONDS)
        self._drawn: tuple[float, Graph] | None = None

    def gather(self) -> Content:
        """What there is now. Raises CommandError when the stack's configuration cannot be used."""
        self._stack.settings()
        stack_backups = StackBackups(Engine(self._stack))
        sources: dict[str, Callable[[], Any]] = {
            "services": self._look.gather,
            "runs": lambda: _runs(Runs(self._stack.runs).of(stack_backups.engine.owner)),
            "graph": lambda: self._graph(stack_backups.engine),
            "backups": lambda: stack_backups.catalog_without_key.survey(),
            "history": stack_backups.history,
        }
        found = gather_with_deadline({name: _caught(source) for name, source in sources.items()}, SECONDS)
        problems = {
            name: _problem(value) for name, value in found.items() if isinstance(value, TimedOut | CommandError)
        }
        good: dict[str, Any] = {name: value for name, value in found.items() if name not in problems}
        for name in ("backups", "history"):
            kept, complaints = good.pop(name, ([], []))
            good[name] = kept[:SHOWN]
            if complaints:
                problems[name] = " ".join(complaints)
        return _content(self._stack.name, good.pop("services", None), problems, good)

    def _graph(self, engine: Engine) -> Graph:
        """The engine takes a second to show the state, so it is asked once in a while only."""
        if self._stack.on_local_cloud and not self._stack.state.is_dir():
            return Graph()
        if self._drawn is None or time.monotonic() - self._drawn[0] > FRESH_SECONDS:
            self._drawn = time.monotonic(), from_state(engine.export())
        return self._drawn[1]


def _content(stack: str, status: Status | None, problems: dict[str, str], others: dict[str, Any]) -> Content:
    if status is None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Content(stack=stack, at=now, level="unknown", problems=problems, **others)
    services = {each.name for each in status.services}
    return Content(
        stack=stack,
        at=status.at,
        level=status.level,
        services=[service(each, status) for each in status.services],
        findings=[_finding(each) for each in status.findings if each.about not in services],
        facts=list(_facts(status)),
        problems=problems,
        **others,
    )


def service(seen: Seen, status: Status) -> Service:
    """A service as the page shows it."""
    return Service(
        name=seen.name,
        level=seen.level,
        version=short(seen.version),
        address=seen.address,
        facts=list(_service_facts(seen, status.at)),
        findings=[_finding(each) for each in status.findings if each.about == seen.name],
    )


def _service_facts(seen: Seen, now: str) -> Iterator[Fact]:
    if seen.declared and short(seen.declared) != short(seen.version):
        yield Fact(name="declared", value=short(seen.declared))
    took = "" if seen.milliseconds is None else f", {seen.milliseconds} ms"
    yield Fact(name="answers", value=f"{seen.answer}{took}")
    if seen.because:
        yield Fact(name="waits for", value=seen.because)
    number = "" if seen.number is None else f" {seen.number}"
    yield Fact(name="runs", value=f"{seen.phase or ''}{number} {(seen.runs or '')[:8]}".strip())
    if seen.since:
        yield Fact(name="for", value=age(seen.since, now))
    if seen.admin is not None:
        yield Fact(name="admin login", value="works" if seen.admin else "refused")
    if seen.says:
        yield Fact(name="says", value=seen.says)
    for secret in seen.secrets:
        old = f"{age(secret.since, now)} old" if secret.since else "set"
        yield Fact(name=secret.name, value=old if secret.present else "missing")
    if seen.certificate:
        yield Fact(name="certificate until", value=seen.certificate[:10])
    if seen.usd_per_month is not None:
        yield Fact(name="costs", value=f"${seen.usd_per_month:.2f} a month")


def _facts(status: Status) -> Iterator[Fact]:
    kept = status.backups
    if kept.count:
        yield Fact(name="backups", value=f"{kept.count}, the newest {age(kept.at, status.at)} old")
    yield Fact(name="backups kept in", value=kept.where)
    yield from (Fact(name="note", value=note) for note in status.notes)


def _finding(found: Any) -> Finding:
    return Finding(level=found.level, what=found.what, command=found.next)


def _runs(found: Sequence[RunInfo]) -> list[Run]:
    """The newest; the last of them with a chart."""
    return [_run(run, with_chart=number < CHARTS) for number, run in enumerate(found[:SHOWN])]


def _run(info: RunInfo, *, with_chart: bool) -> Run:
    done = steps(info) if with_chart else []
    return Run(
        id=info.id,
        kind=info.kind,
        who=info.who,
        began=info.began,
        ended=info.ended or "",
        status=info.status,
        error=info.error,
        chart=timeline.svg(done, f"{info.kind} {info.stack} {info.began[:16]}") if done else "",
        output=timeline.without_section(_end(info.output)) if done else _end(info.output),
    )


def _end(log: Path) -> str:
    """The last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - OUTPUT_BYTES, 0))
            cut = file.tell() > 0
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return text.partition("\n")[2] if cut else text


def _caught(source: Callable[[], Any]) -> Callable[[], Any]:
    def asked() -> Any:
        try:
            return source()
        except BackupsError as error:
            return CommandError(str(error))
        except CommandError as failure:
            return failure

    return asked


def _problem(value: TimedOut | CommandError) -> str:
    return str(value) if isinstance(value, CommandError) else f"This was not there within {SECONDS:.0f} s."
