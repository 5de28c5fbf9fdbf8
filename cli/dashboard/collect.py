"""Collect the page's content: status, runs, state, backups and audit log, read in parallel.

A section that cannot be read in time shows the reason; the others are not affected.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import advice
from cli.backups.stack_backups import StackBackups
from cli.dashboard.content import Content, Fact, Finding, Run, Service
from cli.dashboard.graph import Graph, from_state
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.runs import timeline
from cli.runs.store import RunInfo, Runs, steps
from cli.status import Service as StatusService
from cli.status import Status
from cli.status.probe import TimedOut, gather_with_deadline
from cli.status.render import age
from cli.status.snapshot import StatusReader
from errors import Remedy, UserError
from stack_outputs import short_digest
from storage.backups import Backup

SECONDS = 30.0
"""The time limit for the slowest source."""
FRESH_SECONDS = 60.0
"""Seconds for which one reading of the state is used."""
SHOWN = 20
CHARTS = 5
OUTPUT_BYTES = 8 * 1024


class Gatherer:
    """Read the content of one stack repeatedly."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._status_reader = StatusReader(stack, FRESH_SECONDS)
        self._graph_cache: tuple[float, Graph] | None = None

    def gather(self) -> Content:
        """Return the current content. Raises UserError if the stack's configuration is invalid."""
        self._stack.settings()
        stack_backups = StackBackups(Engine(self._stack))
        sources: dict[str, Callable[[], Any]] = {
            "services": self._status_reader.gather,
            "runs": lambda: _runs(Runs(self._stack.runs).of(stack_backups.engine.owner)),
            "graph": lambda: self._graph(stack_backups.engine),
            "backups": lambda: self._backups(stack_backups),
            "history": stack_backups.history,
        }
        results = gather_with_deadline({name: _returning_errors(source) for name, source in sources.items()}, SECONDS)
        problems = {
            name: _problem(value, self._stack.name)
            for name, value in results.items()
            if isinstance(value, TimedOut | UserError)
        }
        good: dict[str, Any] = {name: value for name, value in results.items() if name not in problems}
        for name in ("backups", "history"):
            entries, complaints = good.pop(name, ([], []))
            good[name] = entries[:SHOWN]
            if complaints:
                problems[name] = " ".join(complaints)
        return _content(self._stack.name, good.pop("services", None), problems, good)

    def _backups(self, stack_backups: StackBackups) -> tuple[list[Backup], list[str]]:
        """Return the backups, newest first, and a sentence for each that is left out."""
        backups, complaints = stack_backups.catalog_without_key.survey()
        return backups, [advice.text(each, self._stack.name, "") for each in complaints]

    def _graph(self, engine: Engine) -> Graph:
        """Return the graph of the state. An export takes a second, so its result is cached."""
        if self._stack.on_local_cloud and not self._stack.state.is_dir():
            return Graph()
        if self._graph_cache is None or time.monotonic() - self._graph_cache[0] > FRESH_SECONDS:
            self._graph_cache = time.monotonic(), from_state(engine.export())
        return self._graph_cache[1]


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


def service(observed: StatusService, status: Status) -> Service:
    """Convert a service of the status to one of the page."""
    return Service(
        name=observed.name,
        level=observed.level,
        version=short_digest(observed.version),
        address=observed.address,
        facts=list(_service_facts(observed, status.at)),
        findings=[_finding(each) for each in status.findings if each.about == observed.name],
    )


def _service_facts(observed: StatusService, now: str) -> Iterator[Fact]:
    if observed.declared and short_digest(observed.declared) != short_digest(observed.version):
        yield Fact(name="declared", value=short_digest(observed.declared))
    took = "" if observed.milliseconds is None else f", {observed.milliseconds} ms"
    yield Fact(name="answers", value=f"{observed.answer}{took}")
    if observed.because:
        yield Fact(name="waits for", value=observed.because)
    number = "" if observed.number is None else f" {observed.number}"
    yield Fact(name="runs", value=f"{observed.phase or ''}{number} {(observed.runs or '')[:8]}".strip())
    if observed.since:
        yield Fact(name="for", value=age(observed.since, now))
    if observed.admin is not None:
        yield Fact(name="admin login", value="works" if observed.admin else "refused")
    if observed.says:
        yield Fact(name="says", value=observed.says)
    for secret in observed.secrets:
        old = f"{age(secret.since, now)} old" if secret.since else "set"
        yield Fact(name=secret.name, value=old if secret.present else "missing")
    if observed.certificate:
        yield Fact(name="certificate until", value=observed.certificate[:10])
    if observed.usd_per_month is not None:
        yield Fact(name="costs", value=f"${observed.usd_per_month:.2f} a month")


def _facts(status: Status) -> Iterator[Fact]:
    backups = status.backups
    if backups.count:
        yield Fact(name="backups", value=f"{backups.count}, the newest {age(backups.at, status.at)} old")
    yield Fact(name="backups in", value=backups.where)
    yield from (Fact(name="note", value=note) for note in status.notes)


def _finding(finding: Any) -> Finding:
    return Finding(level=finding.level, what=finding.what, command=finding.next)


def _runs(infos: Sequence[RunInfo]) -> list[Run]:
    """Return the newest runs. The first `CHARTS` of them have a chart."""
    return [_run(run, with_chart=number < CHARTS) for number, run in enumerate(infos[:SHOWN])]


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
    """Return the last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - OUTPUT_BYTES, 0))
            cut = file.tell() > 0
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return text.partition("\n")[2] if cut else text


def _returning_errors(source: Callable[[], Any]) -> Callable[[], Any]:
    def guarded() -> Any:
        try:
            return source()
        except UserError as error:
            return error

    return guarded


def _problem(value: TimedOut | UserError, stack: str) -> str:
    late = UserError(f"This could not be read within {SECONDS:.0f} s.", Remedy.RETRY)
    return advice.text(late if isinstance(value, TimedOut) else value, stack, f"oracle page --stack {stack}")
