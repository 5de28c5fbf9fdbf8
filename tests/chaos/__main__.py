"""`make chaos`: wipes, releases and undos in which each API call fails in turn, and each process is killed."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from tests.chaos import table
from tests.chaos.calls import Call, folded, record, recorded
from tests.chaos.kills import kills
from tests.chaos.network import Network
from tests.chaos.runs import Row, Runner
from tests.chaos.scenarios import SCENARIOS, Scenario
from tests.live.project import PROJECT, Project

Run = tuple[str, Callable[[], Row]]


def main() -> int:
    """0 when every run has converged and the data was somewhere at every moment, otherwise 1."""
    options = _options()
    file = PROJECT / f".oracle/chaos/{datetime.now(UTC):%Y%m%dT%H%M%SZ}.md"
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        runner = Runner(_up(Path(folder)))
        try:
            for name, run in chosen(runner, options):
                if options.list:
                    print(name)
                    continue
                rows.append(run())
                _show(rows, file)
                if not rows[-1].converged:
                    runner.project.stop()
                    runner.project = _up(Path(folder))
        finally:
            runner.project.stop()
    print(table.summary(rows))
    return 0 if all(row.converged for row in rows) else 1


def _up(folder: Path) -> Project:
    """Another project, which is up. A run that left something broken is the last one of its project."""
    project = Project.copied(Path(tempfile.mkdtemp(dir=folder)) / "project")
    project.oracle("up").well()
    return project


def chosen(runner: Runner, options: argparse.Namespace) -> Iterator[Run]:
    """The runs that are asked for, each with its name."""
    for name in options.scenarios:
        scenario = SCENARIOS[name]
        for kind, what, run in _runs(runner, scenario, options.all):
            full = f"{name} {kind} {what}"
            if options.only in (None, kind) and fnmatchcase(full, f"*{options.match}*"):
                yield full, run


def _runs(runner: Runner, scenario: Scenario, every: bool) -> Iterator[tuple[str, str, Callable[[], Row]]]:
    for kill in kills(scenario.name):
        yield "kill", kill.name, partial(runner.killed, scenario, kill)
    calls = clean(runner.project, scenario)
    for call in calls if every else folded(calls):
        yield "call", call.name, partial(runner.faulty, scenario, call)
        if call.changes:
            yield "drop", call.name, partial(runner.faulty, scenario, call, drop="answer")


def clean(project: Project, scenario: Scenario) -> list[Call]:
    """The calls of an undisturbed update, in their order."""
    Network(project).plant(f"clean-{time.time_ns()}")
    scenario.declare(project)
    record(project)
    project.up().well()
    return recorded(project)


def _show(rows: list[Row], file: Path) -> None:
    if len(rows) == 1:
        print(table.HEAD, table.RULE, sep="\n")
    print(table.line(len(rows), rows[-1]), flush=True)
    table.write(file, rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=…", description=__doc__)
    parser.add_argument("scenarios", nargs="*", default=list(SCENARIOS), help="wipe, release, undo (default: all)")
    parser.add_argument("--only", choices=["kill", "call", "drop"], help="runs of one kind")
    parser.add_argument("--match", default="", help="a glob in the runs' names, such as 'PUT*'")
    parser.add_argument("--all", action="store_true", help="every call, also those that only repeat the one before")
    parser.add_argument("--list", action="store_true", help="say which runs there are; a clean update is run to know")
    options = parser.parse_args()
    if unknown := [name for name in options.scenarios if name not in SCENARIOS]:
        parser.error(f"{unknown[0]} is none of {', '.join(SCENARIOS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
