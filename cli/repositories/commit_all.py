"""Commit and push all repositories: the tables before and after, and the prompt for a message."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

import advice
from cli.ui.errors import CommandError
from errors import Fix, UserError
from repositories.checkout_state import State
from repositories.configuration import load
from repositories.work import Outcome, Work

SEEN = ("repository", "branch", "changes", "unpushed", "behind", "next")
DONE = ("repository", "commit", "pushed", "result")
COMMAND = "oracle commit-all"
STOPPED = "stopped: "
INTERRUPTED = 130
Row = tuple[str, ...]


def commit_all(project: Path, names: list[str], message: str | None, dry_run: bool) -> int:
    """Show the changes, ask for a message, commit, push, and return the exit status. Raises CommandError."""
    if message is not None and not message.strip():
        raise CommandError(
            "The message is empty.",
            Fix(f"{COMMAND} -m MESSAGE"),
            Fix(COMMAND, "to make a message from each change"),
        )
    repositories = load(project).named(names)
    work = Work(project)
    with _progress("Reading", len(repositories)) as progress:
        states = work.look(repositories, progress)
    show(SEEN, [_state_row(state, message) for state in states])
    _show_details((state.repository.name, state.stopped.details) for state in states if state.stopped)
    if work.interrupted:
        return INTERRUPTED
    ready = [state for state in states if state.to_push]
    if dry_run or not ready:
        return 1 if any(state.stopped for state in states) else 0
    text = _ask_message(ready) if message is None else message.strip()
    with _progress("Committing and pushing", len(states)) as progress:
        outcomes = work.finish(states, text, progress)
    return _show_outcomes(outcomes, work.interrupted)


def show(heads: Row, rows: Sequence[Row]) -> None:
    """Print a table that fits the terminal. In a file or a pipe each row is one line of any length."""
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    if not sys.stdout.isatty():
        for row in [heads, *rows]:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            sys.stdout.write(f"{line.rstrip()}\n")
        sys.stdout.write("\n")
        return
    console = Console()
    narrow = sum(widths) + 2 * len(widths) > console.width
    table = Table(*heads, box=None, pad_edge=False)
    for row in rows:
        cells = [*row[:-1], row[-1].partition(":")[0] if narrow and row[-1].startswith(STOPPED) else row[-1]]
        table.add_row(*(Text(cell, style="red" if cell.startswith("stopped") else "") for cell in cells))
    for column in table.columns[:-1]:
        column.no_wrap = True
    console.print(table, "")
    if narrow:
        _sentences(console, rows)


def _sentences(console: Console, rows: Sequence[Row]) -> None:
    """Print full sentences below a narrow table, because a command that is broken over lines cannot be copied."""
    stopped = [row for row in rows if row[-1].startswith(STOPPED)]
    for row in stopped:
        console.print(Text(f"{row[0]} {row[-1]}", style="red"), soft_wrap=True)
    if stopped:
        console.print()


def _state_row(state: State, message: str | None) -> Row:
    """Return the row of a repository. Unknown values are question marks."""
    counts = (len(state.changed) if state.head else None, state.unpushed, state.behind)
    cells = ("?" if count is None else str(count) for count in counts)
    return (state.repository.name, state.branch or "-", *cells, _next(state, message))


def _next(state: State, message: str | None) -> str:
    if state.stopped:
        return _stopped(state.stopped)
    if state.to_commit:
        subject = (message or state.message).strip().splitlines()[0]
        return f"commit and push: {subject}"
    if state.to_push:
        return f"push {state.unpushed}"
    pull = f"; to get the new commits, run `git -C {state.git.path} pull`" if state.behind else ""
    return f"nothing to do{pull}"


def _stopped(error: UserError) -> str:
    return STOPPED + advice.text(error, "", COMMAND)


def _show_outcomes(outcomes: list[Outcome], interrupted: bool) -> int:
    show(DONE, [_outcome(outcome) for outcome in outcomes])
    new = (each for each in outcomes if each.stopped is not each.state.stopped)  # the first table has shown the others
    _show_details((each.state.repository.name, each.stopped.details) for each in new if each.stopped)
    if interrupted:
        return INTERRUPTED
    return 1 if any(outcome.stopped for outcome in outcomes) else 0


def _outcome(outcome: Outcome) -> Row:
    name = outcome.state.repository.name
    commit, pushed = outcome.commit[:10] or "-", str(outcome.pushed) if outcome.pushed else "-"
    if outcome.stopped:
        return name, commit, pushed, _stopped(outcome.stopped)
    if outcome.commit:
        return name, commit, pushed, outcome.subject
    return name, commit, pushed, "pushed" if outcome.pushed else "nothing to do"


def _ask_message(ready: list[State]) -> str:
    """Ask for the message of every commit. Empty, also without a terminal: a message is made from each change."""
    if not sys.stdin.isatty() or not any(state.to_commit for state in ready):
        return ""
    try:
        return input("Message for these commits (Enter takes those above, Ctrl-C ends): ").strip()
    except (KeyboardInterrupt, EOFError):
        raise CommandError("Nothing was committed or pushed.", go_on=COMMAND, status=INTERRUPTED) from None


def _show_details(details: Iterable[tuple[str, tuple[str, ...]]]) -> None:
    for name, lines in details:
        for line in lines:
            sys.stdout.write(f"{name}: {line}\n")


@contextmanager
def _progress(doing: str, count: int) -> Iterator[Callable[[int], None]]:
    """Show a progress line, on a terminal only."""
    console = Console(stderr=True)
    what = f"{doing} {count} repositor{'y' if count == 1 else 'ies'}"
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(what) as status:
        yield lambda done: status.update(f"{what}: {done} done")
