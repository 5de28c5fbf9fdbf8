"""Whether planted data is somewhere at every moment: in a backend that answers, on a disk, or in a verified backup."""

from __future__ import annotations

import re
import sqlite3
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from clients.http import client, httpx
from tests.live.databases import backends

PAUSE = 0.05
LIST = "/api/collections/posts/records"
ADDRESS = re.compile(r"^--http=(127\.0\.0\.1:\d+)$")


@dataclass
class Watch:
    """Looks every 50 ms for the post `title` in the project at `root`.

    Backends are asked past the edge and the control plane, so that no fault meant for others is used up here. A moment
    counts as one without data, or without a backend, when a second look right after the first says the same.
    """

    root: Path
    title: str
    moments: Counter[str] = field(default_factory=Counter)
    """Where the data was: live, disk (nobody answers), backup (and in no backend), nowhere."""
    silent: int = 0
    """Moments in which no backend answered at all."""
    longest: float = 0.0
    """Seconds between two looks, at most."""
    _addresses: list[str] = field(default_factory=list)
    _scanned: float = 0.0
    _known: dict[str, bool] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def lost(self) -> int:
        return self.moments["nowhere"]

    def look(self) -> tuple[str, bool]:
        """Where the data is, and whether any backend answers. Backends first: data goes from there into backups."""
        answers = False
        with client(timeout=2) as http:
            for address in self._backends():
                has = self._has(http, address)
                answers = answers or has is not None
                if has:
                    return "live", True
        if any(on_disk(database, self.title) for database in databases(self.root)):
            return "disk", answers
        return ("backup" if self.backups() else "nowhere"), answers

    def backups(self) -> list[str]:
        """Names of the verified backups that have the data. A manifest is written when its archive was read back."""
        for manifest in sorted(self.root.glob(".oracle/backups/*/*/*/*.json")):
            if manifest.stem not in self._known and (archive := manifest.with_suffix(".zip")).exists():
                self._known[manifest.stem] = in_archive(archive, self.title)
        return [name for name, has in self._known.items() if has]

    def _backends(self) -> list[str]:
        if time.monotonic() - self._scanned > 0.3:
            self._addresses, self._scanned = list(addresses(self.root)), time.monotonic()
        return self._addresses

    def _has(self, http: httpx.Client, address: str) -> bool | None:
        """None when nobody answers."""
        try:
            answer = http.get(f"http://{address}{LIST}", params={"filter": f"title='{self.title}'", "perPage": 1})
            return answer.status_code == 200 and bool(answer.json()["items"])
        except (httpx.HTTPError, ValueError, KeyError):
            return None

    def _sample(self) -> None:
        last = time.monotonic()
        while not self._over.wait(PAUSE):
            where, answers = self.look()
            if where == "nowhere" or not answers:
                self._scanned = 0.0
                where, answers = self.look()
            self.moments[where] += 1
            self.silent += not answers
            self.longest, last = max(self.longest, time.monotonic() - last), time.monotonic()


@contextmanager
def watching(root: Path, title: str) -> Iterator[Watch]:
    """A watch for as long as the block lasts. The data must be there when it begins."""
    watch = Watch(root, title)
    assert watch.look()[0] == "live", f"{title} was planted, and is not there"
    thread = threading.Thread(target=watch._sample, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch._over.set()
        thread.join(30)


def addresses(root: Path) -> Iterator[str]:
    """Where the project's PocketBases listen."""
    for process in backends(root):
        with suppress(psutil.Error):
            yield from (match[1] for word in process.cmdline() if (match := ADDRESS.match(word)))


def databases(root: Path) -> list[Path]:
    """The databases of all apps of the project's local cloud."""
    return list(root.glob(".oracle/cloud/apps/*/*/disk/pb_data/data.db"))


def on_disk(database: Path, title: str) -> bool:
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return bool(connection.execute("SELECT 1 FROM posts WHERE title = ?", (title,)).fetchone())
    return False


def in_archive(archive: Path, title: str) -> bool:
    return title in titles(archive)


def titles(archive: Path) -> set[str]:
    """The titles of all posts in a backup."""
    with tempfile.TemporaryDirectory() as scratch:
        with zipfile.ZipFile(archive) as opened:
            database = opened.extract("data.db", scratch)
        with closing(sqlite3.connect(database)) as connection:
            return {str(title) for (title,) in connection.execute("SELECT title FROM posts")}
