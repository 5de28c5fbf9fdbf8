"""One stack's backups in a store: kept only when they were read back whole, and opened only when still whole."""

from __future__ import annotations

import difflib
import re
import secrets
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from backups import keys
from backups.archive import Contents
from backups.errors import BackupsError, Missing
from backups.files import CHUNK, Digest, Sink, copy, digest, room, whole
from backups.manifest import About, Backup
from backups.store import Store

STAMP = "%Y%m%dT%H%M%SZ"
Backups: TypeAlias = list[Backup]
Strings: TypeAlias = list[str]
ORPHAN = timedelta(days=1)
"""How old an archive without a manifest must be before nobody can still be writing it."""


class Shelf:
    """Objects `<stack>/<id>.zip` or `<stack>/<id>.zip.age`, and `<stack>/<id>.json`, the manifest.

    `key` is an age identity, or None: then archives are stored as they are. `scratch` is a folder of this machine
    for what is written on the way; nothing stays there. Every method raises BackupsError.
    """

    def __init__(self, store: Store, stack: str, key: str | None, scratch: Path) -> None:
        self.store, self.stack, self.scratch = store, stack, scratch
        self._key = key
        if key is not None:
            keys.check(key)

    def keep(self, archive: Path, about: About, contents: Contents) -> Backup:
        """Stores the archive, reads it back, and writes its manifest when what came back is what was there.

        Whatever goes wrong, and be it the user who interrupts, nothing of it stays in the store.
        """
        now, was = datetime.now(UTC), digest(archive)
        backup = Backup(
            **asdict(about),
            **asdict(contents),
            id=self._new_id(about.generation, now),
            created=_iso(now),
            size=was.size,
            sha256=was.sha256,
            encrypted=self._key is not None,
        )
        try:
            self._put(archive, backup)
            self._read(backup, None)
            self.store.write_text(self._manifest(backup.id), backup.to_json())
            return self.find(backup.id)
        except BaseException:
            for name in (self._manifest(backup.id), self._archive(backup)):
                with suppress(BackupsError):
                    self.store.delete(name)
            raise

    def fetch(self, id: str, target: Path) -> Backup:
        """Makes the file `target` of the plain archive, checked; whole or not at all."""
        backup = self.find(id)
        with whole(target) as sink:
            self._read(backup, sink)
        return backup

    def check(self, id: str) -> Backup:
        """The backup, when its archive is there and as large as it must be; nothing is downloaded."""
        backup = self.find(id)
        size = self.store.size(self._archive(backup))
        if size is None:
            raise _gone(backup)
        if size not in (keys.sealed_sizes(backup.size) if backup.encrypted else [backup.size]):
            raise _damaged(backup, f"it has {size} bytes")
        return backup

    def find(self, id: str) -> Backup:
        """What the manifest says of one backup."""
        text = self.store.read_text(self._manifest(id)) if self._id.fullmatch(id) else None
        if text is None:
            raise self._unknown(id)
        backup = Backup.from_json(text, self._manifest(id))
        if backup.id != id:
            raise BackupsError(f"{self._manifest(id)} is damaged (it is of {backup.id}); see others: oracle backups")
        return backup

    def list(self) -> Backups:
        """All backups, newest first. Manifests that are damaged are left out: `survey` tells them."""
        return self.survey()[0]

    def survey(self) -> tuple[Backups, Strings]:
        """All backups, newest first, and a sentence for each manifest that is damaged."""
        found: Backups = []
        complaints: Strings = []
        for id in self._ids():
            try:
                found.append(self.find(id))
            except BackupsError as error:
                complaints.append(str(error))
        return sorted(found, key=lambda backup: (backup.created, backup.id), reverse=True), complaints

    def delete(self, id: str) -> None:
        """Removes manifest and archive, also of a backup whose manifest is damaged."""
        if id not in self._ids():
            raise self._unknown(id)
        self._remove(id)

    def prune(self, count: int | None, days: int | None, keep: set[str]) -> Backups:
        """Deletes what no rule keeps, and says what it was. None for both: nothing is deleted.

        A backup is kept when it is among the newest `count`, younger than `days`, named in `keep`, or the newest of
        all. Archives that an interrupted `keep` has left without a manifest go too, after a day.
        """
        self._sweep()
        if count is None and days is None:
            return []
        since = _iso(datetime.now(UTC) - timedelta(days=days)) if days is not None else None
        old = [
            backup
            for place, backup in enumerate(self.list())
            if place >= max(1, count or 0) and (since is None or backup.created < since) and backup.id not in keep
        ]
        for backup in old:
            self._remove(backup.id)
        return old

    def check_writable(self) -> None:
        """Writes a little, reads it back and deletes it, so that what is wrong is told before anything changes."""
        # Named like an archive without a manifest: one that is left by somebody who was killed is swept.
        name, noise = f"{self.stack}/{self._new_id(0, datetime.now(UTC))}.zip", secrets.token_bytes(CHUNK)
        with self.room() as room:
            with whole(room / "probe") as sink:
                sink.write(noise)
            try:
                self.store.put(name, room / "probe")
                self.store.get(name, room / "answer")
            finally:
                with suppress(BackupsError):
                    self.store.delete(name)
            if digest(room / "answer").sha256 != digest(room / "probe").sha256:
                raise BackupsError(f"{self.store.describe()} gives back other bytes than it was given; use another.")

    def room(self) -> AbstractContextManager[Path]:
        """A folder of this machine for what is on its way, for the owner only; gone afterwards with what is in it."""
        return room(self.scratch)

    def _put(self, archive: Path, backup: Backup) -> None:
        if self._key is None:
            return self.store.put(self._archive(backup), archive)
        with self.room() as room:
            sealed = room / "sealed"
            with archive.open("rb") as source, whole(sealed) as sink:
                keys.seal(source, sink, self._key)
            return self.store.put(self._archive(backup), sealed)

    def _read(self, backup: Backup, sink: Sink | None) -> None:
        """Passes on the plain archive as it comes; raises at its end, or before, when it is not what was kept."""
        plain = Digest(sink)
        try:
            with self.store.open(self._archive(backup)) as source:
                if backup.encrypted:
                    keys.unseal(source, plain, self._needed(backup))
                else:
                    copy(source, plain)
        except Missing:
            raise _gone(backup) from None
        except keys.WrongKey:
            raise BackupsError(
                f"The backup {backup.id} was encrypted with another key; set the one it was made with: "
                "pulumi config set --secret oracle-net:backupKey"
            ) from None
        except keys.Damaged:
            raise _damaged(backup, "it cannot be decrypted") from None
        if (plain.size, plain.sha256) != (backup.size, backup.sha256):
            raise _damaged(backup, "its SHA-256 is another")

    def _needed(self, backup: Backup) -> str:
        if self._key is None:
            raise BackupsError(
                f"The backup {backup.id} is encrypted and there is no key; set the one it was made with: "
                "pulumi config set --secret oracle-net:backupKey"
            )
        return self._key

    def _remove(self, id: str) -> None:
        # The manifest first: what has one is there and whole, at every moment.
        for ending in (".json", ".zip", ".zip.age"):
            self.store.delete(f"{self.stack}/{id}{ending}")

    def _sweep(self) -> None:
        names = self.store.names(f"{self.stack}/")
        before = (datetime.now(UTC) - ORPHAN).strftime(STAMP)
        for name in names:
            id, _, ending = name.removeprefix(f"{self.stack}/").partition(".zip")
            match = self._id.fullmatch(id)
            if match and ending in ("", ".age") and self._manifest(id) not in names and match["at"] < before:
                self.store.delete(name)

    def _ids(self) -> Strings:
        names = [name.removeprefix(f"{self.stack}/") for name in self.store.names(f"{self.stack}/")]
        ids = [name.removesuffix(".json") for name in names if name.endswith(".json")]
        return [id for id in ids if self._id.fullmatch(id)]

    def _unknown(self, id: str) -> BackupsError:
        near = difflib.get_close_matches(id, self._ids(), n=3, cutoff=0.5)
        hint = f" (near it: {', '.join(near)})" if near else ""
        return BackupsError(f"There is no backup {id!r} of {self.stack}{hint}; see what there is: oracle backups")

    @property
    def _id(self) -> re.Pattern[str]:
        return re.compile(rf"{re.escape(self.stack)}-g\d+-(?P<at>\d{{8}}T\d{{6}}Z)-[0-9a-f]{{4}}", re.ASCII)

    def _new_id(self, generation: int, now: datetime) -> str:
        return f"{self.stack}-g{generation}-{now.strftime(STAMP)}-{secrets.token_hex(2)}"

    def _archive(self, backup: Backup) -> str:
        return f"{self.stack}/{backup.id}.zip{'.age' if backup.encrypted else ''}"

    def _manifest(self, id: str) -> str:
        return f"{self.stack}/{id}.json"


def _iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"


def _gone(backup: Backup) -> BackupsError:
    return BackupsError(f"The archive of the backup {backup.id} is gone; see what else there is: oracle backups")


def _damaged(backup: Backup, how: str) -> BackupsError:
    return BackupsError(
        f"The archive of the backup {backup.id} is damaged ({how}); see what else there is: oracle backups"
    )
