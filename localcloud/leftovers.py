"""Process groups that must not outlive a killed parent: recorded while they run, ended at the next start."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

from localcloud.backoff import attempts
from localcloud.files import atomic_write

REAP_SECONDS = 3.0


class Leftovers:
    """A file of [process id, creation time] pairs, one for the leader of each running group.

    A reused id has another creation time, and its process is left alone.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._leaders: dict[int, float] = {}

    def add(self, pid: int) -> None:
        """Record a process that leads its own group; do nothing when it has just ended."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._leaders[pid] = psutil.Process(pid).create_time()
            self._save()

    def remove(self, pid: int) -> None:
        """Remove the record of a group that has ended."""
        if self._leaders.pop(pid, None) is not None:
            self._save()

    def reap(self) -> int:
        """Kill every recorded group that still runs, empty the file, and return the number of processes killed."""
        doomed = _members(dict(self._read()))
        for process in doomed:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        _wait_for_end(doomed)
        self._leaders.clear()
        self._file.unlink(missing_ok=True)
        return len(doomed)

    def _save(self) -> None:
        with atomic_write(self._file) as fresh:
            fresh.write_text(json.dumps(list(self._leaders.items())))

    def _read(self) -> list[tuple[int, float]]:
        try:
            return [(int(pid), float(created)) for pid, created in json.loads(self._file.read_text())]
        except (FileNotFoundError, ValueError, TypeError):
            return []


def _members(leaders: Mapping[int, float]) -> list[psutil.Process]:
    """Return the processes of the groups that these leaders began, also where the leader itself has ended."""
    found: dict[int, list[psutil.Process]] = {}
    for process in psutil.process_iter() if leaders else ():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            leader = os.getpgid(process.pid)
            if leader in leaders and process.create_time() >= leaders[leader]:
                found.setdefault(leader, []).append(process)
    return [process for leader, group in found.items() if _is_same(group, leader, leaders) for process in group]


def _is_same(group: Iterable[psutil.Process], leader: int, leaders: Mapping[int, float]) -> bool:
    """Return False when another process has the leader's id now, so that the group is another one."""
    return all(process.create_time() == leaders[leader] for process in group if process.pid == leader)


def _wait_for_end(doomed: list[psutil.Process]) -> None:
    """Wait until all have ended; a zombie, which only waits for its parent, counts as ended."""
    for pause in attempts(0.005, 0.1, REAP_SECONDS):
        time.sleep(pause)
        doomed = [process for process in doomed if _is_alive(process)]
        if not doomed:
            return


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
