"""`python -m tests.chaos.endurance`: releases, wipes, undos, restarts, rotations and rollbacks under load, round after
round; with `--kill` the engine and the local cloud are killed at seeded moments of each of them.

Prints a line for each operation as it ends, and a table of the sums at last. No acknowledged write may be lost.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import psutil

from tests.chaos.calls import Call, folded, record, recorded
from tests.chaos.kills import Kill, Moment
from tests.chaos.network import taken
from tests.chaos.runs import Reader, end_leftovers, engines_of, first_words, wait_for_command, wait_for_engines
from tests.live import rpc_api
from tests.live.network_load import RATE, loaded
from tests.live.project import Done, Project
from tests.live.story import (
    HEAD,
    OPERATIONS,
    RELEASE,
    ROLLBACK,
    RULE,
    STORY,
    UNDO,
    WIPE,
    Operation,
    Row,
    Story,
    change_backend,
    sums,
    table,
)
from tests.support.waiting import until

LOADED = ("GET /api/health", "GET /api/version", "GET /api/collections/*/records", "POST /api/collections/*/records")
LOGINS = "POST /api/collections/*/auth-with-password"
"""What the load asks of a backend too: a request of this kind says nothing about the operation that is under way."""
VICTIMS = ("engine", "local cloud")
UPS = 3
"""`oracle up` may be needed so often until an operation that was killed has ended well."""
STARTED_SECONDS = 240.0


@dataclass(frozen=True)
class Options:
    rounds: int
    rate: float
    kill: bool
    moments: int
    seed: int
    begin: int
    operations: list[str]


def main() -> int:
    """0 when nothing was wrong, otherwise 1."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="endurance-", ignore_cleanup_errors=True) as folder:
        project = Project.copied(Path(folder) / "project")
        rpc_api.install(project)
        try:
            project.oracle("up").well()
            rows = list(_shown(killed(project, options) if options.kill else undisturbed(project, options)))
        finally:
            project.stop()
    print(f"\n{table(sums(rows))}")
    return 1 if any(row.problems for row in rows) else 0


def undisturbed(project: Project, options: Options) -> Iterator[Row]:
    """The story, round after round, under one load."""
    with loaded(project, "endurance", options.rate) as load:
        story = Story(project, load)
        for _ in range(options.rounds):
            for operation in STORY:
                if operation.name in options.operations:
                    yield story.run(operation)


def killed(project: Project, options: Options) -> Iterator[Row]:
    """Every operation, killed at each of its moments once for each victim and put right by `oracle up`.

    In turns: a run that is broken off has tried all operations alike, and their moments before both victims of each.
    """
    chosen = [OPERATIONS[name] for name in options.operations]
    if ROLLBACK in chosen:  # to what ran before this release
        change_backend(project)
        project.oracle(*RELEASE.command).well()
    moments = {operation.name: seeded(project, operation, options) for operation in chosen}
    with loaded(project, "kill", options.rate) as load:
        story = Story(project, load, backup_before=False)
        for turn in range(options.begin, options.moments * len(VICTIMS)):
            number = turn % options.moments
            victim = VICTIMS[(number + turn // options.moments) % len(VICTIMS)]
            for operation in chosen:
                for moment in moments[operation.name][number : number + 1]:
                    yield _killed(story, operation, Kill(victim, moment))


def seeded(project: Project, operation: Operation, options: Options) -> list[Moment]:
    """Moments of the operation, drawn from the requests of an undisturbed one: one while each request is under way."""
    _prepare(project, operation)
    record(project)
    project.oracle(*operation.command).well()
    calls = [call for call in folded(recorded(project)) if not _also_loaded(call) and not _may_be_spared(call)]
    project.api("DELETE", "/_cloud/faults")
    drawn = random.Random(f"{options.seed} {operation.name}").sample(calls, min(options.moments, len(calls)))
    return [Moment(call.name, call.method, call.path, call.host, call.nth - 1) for call in drawn]


def _killed(story: Story, operation: Operation, kill: Kill) -> Row:
    print(f"{operation.name}: {kill.name}", file=sys.stderr, flush=True)
    _prepare(story.project, operation)
    cloud = kill.victim == "local cloud"
    observed = replace(operation, name=f"{operation.name}, {kill.victim} killed", spares_writes=False)
    observed = replace(observed, spares_reads=not cloud)
    return story.observe(observed, lambda: _strike_and_recover(story.project, operation, kill))


def _prepare(project: Project, operation: Operation) -> None:
    """What the operation needs: an undo has a wipe to undo."""
    if operation is UNDO:
        project.oracle(*WIPE.command).well()
    operation.prepare(project)


def _strike_and_recover(project: Project, operation: Operation, kill: Kill) -> Done:
    """Carry the operation out, kill the victim at its moment, and run `oracle up` until it ends well."""
    project.fault(**kill.moment.fault())
    running = project.start_oracle(*operation.command)
    output = Reader(running)
    until(lambda: taken(project) or running.poll() is not None, kill.moment.name, STARTED_SECONDS)
    engines, left = engines_of(project), list[psutil.Process]()
    if running.poll() is None:
        left = psutil.Process(running.pid).children(recursive=True)
        _strike(project, running.pid, kill)
        ended = wait_for_command(running)
    else:
        ended = "not reached"
    wait_for_engines(engines)
    output.text()
    done = _recover(project, ended)
    end_leftovers(left)
    return done


def _strike(project: Project, command: int, kill: Kill) -> None:
    """Kill the victim; where the command has no engine at work at that moment, the command with all that it started."""
    try:
        kill.strike(project, command)
    except AssertionError:
        replace(kill, victim="everything").strike(project, command)


def _recover(project: Project, ended: str) -> Done:
    project.oracle("cloud", "start").well()
    project.api("DELETE", "/_cloud/faults")
    for number in range(1, UPS + 1):
        done = project.oracle("up")
        print(f"  {ended}; up {number}: exit status {done.status} {first_words(done)}", file=sys.stderr, flush=True)
        if done.status == 0:
            break
    return done


def _also_loaded(call: Call) -> bool:
    asked = f"{call.method} {call.path}"
    return call.host is not None and (asked in LOADED or fnmatchcase(asked, LOGINS))


def _may_be_spared(call: Call) -> bool:
    """The last of several polls is not asked for when the one before finds what it waits for."""
    return not call.changes and call.nth == call.of > 1


def _shown(rows: Iterator[Row]) -> Iterator[Row]:
    print(HEAD, RULE, sep="\n", flush=True)
    for row in rows:
        print(row.line(), *row.problems, sep="\n", flush=True)
        yield row


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.endurance", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="how often the story is run (1)")
    parser.add_argument("--rate", type=float, default=RATE, help=f"writes a second, and reads a second ({RATE:g})")
    parser.add_argument("--kill", action="store_true", help="kill the engine and the local cloud at seeded moments")
    parser.add_argument("--moments", type=int, default=10, help="how many in each operation (10)")
    parser.add_argument("--seed", type=int, default=1, help="another number draws other moments (1)")
    parser.add_argument("--begin", type=int, default=0, help="the turn to begin with, after one that broke off (0)")
    parser.add_argument("operations", nargs="*", default=list(OPERATIONS), help=f"{', '.join(OPERATIONS)} (all)")
    options = parser.parse_args()
    if unknown := [name for name in options.operations if name not in OPERATIONS]:
        parser.error(f"{unknown[0]} is none of {', '.join(OPERATIONS)}")
    return Options(**vars(options))


if __name__ == "__main__":
    sys.exit(main())
