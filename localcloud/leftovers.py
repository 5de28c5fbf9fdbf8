"""Child processes that must not outlive a killed parent: recorded while they run, ended at the next start."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

import psutil

WAIT_SECONDS = 3.0


class Leftovers:
    """A file of [process id, creation time] pairs. A reused id has another creation time and is left alone."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def record(self, processes: Iterable[psutil.Process]) -> None:
        """Replace the list by these processes; skip those that just ended."""
        pairs: list[tuple[int, float]] = []
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                pairs.append((process.pid, process.create_time()))
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(pairs))
        os.replace(part, self._file)

    def reap(self) -> None:
        """Kill every listed process that still runs, and empty the list."""
        alive = []
        for pid, created in self._read():
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if process.create_time() == created:
                    process.kill()
                    alive.append(process)
        psutil.wait_procs(alive, timeout=WAIT_SECONDS)
        self._file.unlink(missing_ok=True)

    def _read(self) -> list[tuple[int, float]]:
        try:
            return [(int(pid), float(created)) for pid, created in json.loads(self._file.read_text())]
        except (FileNotFoundError, ValueError, TypeError):
            return []
