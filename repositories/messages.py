"""Generate a commit message from the changed files: their kinds of change, number and folder."""

from __future__ import annotations

import os.path
from collections import Counter

from repositories.git import shown
from repositories.staging import Change

SUBJECT = 72  # characters of a message's first line that tools show
LISTED = 3
NEWS = {"Add": "new", "Delete": "deleted", "Rename": "renamed"}


def made_from(changes: list[Change]) -> str:
    """Return a message such as `Update 3 files in src: a.ts, b.ts, c.ts`, with a list below if the line is too long."""
    if len(changes) == 1:
        return _one(changes[0])
    kinds = Counter(change.kind for change in changes)
    verb = next(iter(kinds)) if len(kinds) == 1 else "Change"
    folder = _common_folder(changes)
    head = f"{verb} {len(changes)} files{f' in {shown(folder)}' if folder else ''}"
    if len(kinds) > 1 and (others := [f"{kinds[kind]} {word}" for kind, word in NEWS.items() if kinds[kind]]):
        head += f" ({', '.join(others)})"
    names = [shown(os.path.relpath(change.path, folder) if folder else change.path) for change in changes]
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    line = f"{head}: {', '.join(names[:LISTED])}{more}"
    return line if len(line) <= SUBJECT else f"{head[:SUBJECT]}\n\n{_listing(names)}"


def _one(change: Change) -> str:
    path = shown(change.path)
    line = f"Rename {shown(change.old)} to {path}" if change.kind == "Rename" else f"{change.kind} {path}"
    return (
        line
        if len(line) <= SUBJECT
        else f"{change.kind} {shown(os.path.basename(change.path))}"[:SUBJECT] + f"\n\n{line}"
    )


def _listing(names: list[str]) -> str:
    listed = [f"- {name}" for name in names[:20]]
    return "\n".join([*listed, f"- and {len(names) - 20} more"] if len(names) > 20 else listed)


def _common_folder(changes: list[Change]) -> str:
    folders = [os.path.dirname(change.path) for change in changes]
    return os.path.commonpath(folders) if all(folders) else ""
