"""One stack's backups in a store: kept only when they were read back whole, and opened only when still whole."""

from __future__ import annotations

import difflib
import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

from stack_outputs import Owner
from storage.backups import keys
from storage.backups.archive import Contents
from storage.backups.audit_log import UNDONE, AuditLog
from storage.backups.errors import BackupsError, Foreign, Missing, foreign
from storage.backups.files import CHUNK, Digest, Sink, copy, digest, room, whole
from storage.backups.manifest import Backup, BackupOrigin
from storage.backups.store import Store

STAMP = "%Y%m%dT%H%M%SZ"
Backups: TypeAlias = list[Backup]
Strings: TypeAlias = list[str]
Sizes: TypeAlias = dict[str, int]
ID = re.compile(r"(?P<stack>[\w.-]+)-g\d+-(?P<at>\d{8}T\d{6}Z)-[0-9a-f]{4}", re.ASCII)
ORPHAN = timedelta(days=1)
"""How old an archive without a manifest must be before nobody can still be writing it."""


class BackupCatalog:
    """Objects `<organization>/<project>/<stack>/<id>.zip`, or `.zip.age`, and `<id>.json` beside it, the manifest.

    A manifest names its owner. One that names another stack, as when it was copied here by hand, is refused by name,
    left out of lists with a sentence, and never deleted.

    `key` is an age identity, or None: then archives are stored as they are. `scratch` is a folder of this machine
    for what is written on the way; nothing stays there. Every method raises BackupsError.
    """

    def __init__(self, store: Store, owner: Owner, key: str | None, scratch: Path) -> None:
        self.store, self.owner, self.scratch = store, owner, scratch
        self._key = key
        if key is not None:
            keys.check(key)

    def keep(self, archive: Path, about: BackupOrigin, contents: Contents) -> Backup:
        """Stores the archive, reads it back, and writes its manifest when what came back is what was there.

        Whatever goes wrong, and be it the user who interrupts, nothing of it stays in the store.
        """
        now, was = datetime.now(UTC), digest(archive)
        backup = Backup(
            **asdict(about),
            **asdict(contents),
            owner=str(self.owner),
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
        if wrong := _damage(backup, self.store.size(self._archive(backup))):
            raise wrong
        return backup

    def find(self, id: str) -> Backup:
        """What the manifest says of one backup. Raises Foreign for another stack's."""
        text = self.store.read_text(self._manifest(id)) if ID.fullmatch(id) else None
        if text is None:
            raise self._unknown(id)
        backup = Backup.from_json(text, self._manifest(id))
        if backup.owner != str(self.owner):
            raise foreign(f"The backup {id}", backup.owner, self.owner)
        if backup.id != id:
            raise BackupsError(
                f"{self._manifest(id)} is damaged (it is of {backup.id}); see others: oracle backups {self.owner.stack}"
            )
        return backup

    def list(self) -> Backups:
        """All backups, newest first. Those that are damaged, or another stack's, are left out: `survey` tells."""
        return self.survey()[0]

    def survey(self) -> tuple[Backups, Strings]:
        """All backups, newest first, and a sentence for each that was left out.

        Left out is one whose manifest is damaged, whose archive is gone or has another size, or that is another
        stack's. One list of the store tells the archives' sizes.
        """
        sizes = self._sizes()
        found, complaints = self._manifests(sizes)
        whole, damaged = self._sorted(found, sizes)
        return whole, complaints + damaged

    def delete(self, id: str) -> None:
        """Removes manifest and archive, also of a backup whose manifest is damaged; never another stack's."""
        if id not in _ids(self._sizes()):
            raise self._unknown(id)
        try:
            self.find(id)
        except Foreign:
            raise
        except BackupsError:
            pass
        self._remove(id)

    def prune(self, count: int | None, days: int | None, keep: set[str]) -> Backups:
        """Deletes what no rule keeps, and says what it was. None for both: nothing is deleted.

        A backup is kept when it is younger than `days` or named in `keep`; of those with records of people the newest
        `count`, and of the empty ones as many, so that neither crowds out the other. What a person would miss stays
        whatever the rules say (`_protected`). Archives that an interrupted `keep` has left without a manifest go too,
        after a day.
        """
        sizes = self._sizes()
        self._sweep(sizes)
        if count is None and days is None:
            return []
        since = _iso(datetime.now(UTC) - timedelta(days=days)) if days is not None else None
        found, _ = self._manifests(sizes)
        whole, _ = self._sorted(found, sizes)
        stays = keep | set(self._protected(whole))
        old = [
            backup
            for backup in found
            if backup.id not in stays
            and (since is None or backup.created < since)
            and (count is None or len(_newer(whole, backup)) >= count)
        ]
        for backup in old:
            self._remove(backup.id)
        return old

    def _protected(self, whole: Backups) -> Iterator[str]:
        """Ids of what no rule may clear away; `whole` has the backups that are neither damaged nor gone, newest first.

        The newest; the newest with records; the last one before the records became fewer than half; what the newest
        wipe, restart or restore took; and the newest with records of each app which that one left or began.
        """
        full = [backup for backup in whole if backup.own_records]
        losses = [before for after, before in pairwise(whole) if 2 * after.own_records < before.own_records]
        yield from (backup.id for some in (whole, full, losses) for backup in some[:1])
        change = AuditLog(self.store, self.owner).newest(UNDONE)
        if change is None:
            return
        if change.backup:
            yield change.backup
        for app in (change.from_app_id, change.to_app_id):
            yield from [backup.id for backup in full if backup.app_id == app][:1]
        yield from [backup.id for backup in whole if backup.app_id == change.from_app_id][:1]

    def check_writable(self) -> None:
        """Writes a little, reads it back and deletes it, so that what is wrong is told before anything changes."""
        # Named like an archive without a manifest: one that is left by somebody who was killed is swept.
        name, noise = f"{self.owner}/{self._new_id(0, datetime.now(UTC))}.zip", secrets.token_bytes(CHUNK)
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
            self.store.delete(f"{self.owner}/{id}{ending}")

    def _sweep(self, sizes: Sizes) -> None:
        before = (datetime.now(UTC) - ORPHAN).strftime(STAMP)
        for name in sizes:
            id, _, ending = name.partition(".zip")
            match = ID.fullmatch(id)
            ours = match and match["stack"] == self.owner.stack and match["at"] < before
            if ours and ending in ("", ".age") and f"{id}.json" not in sizes:
                self.store.delete(f"{self.owner}/{name}")

    def _sizes(self) -> Sizes:
        """Bytes of each of the stack's objects, by name below its folder."""
        above = f"{self.owner}/"
        return {name.removeprefix(above): size for name, size in self.store.sizes(above).items()}

    def _manifests(self, sizes: Sizes) -> tuple[Backups, Strings]:
        """What the stack's manifests say, newest first, and a sentence for each that is damaged or another's."""
        found: Backups = []
        complaints: Strings = []
        for id in _ids(sizes):
            try:
                found.append(self.find(id))
            except BackupsError as error:
                complaints.append(str(error))
        return sorted(found, key=lambda backup: (backup.created, backup.id), reverse=True), complaints

    def _sorted(self, found: Backups, sizes: Sizes) -> tuple[Backups, Strings]:
        """The backups whose archives have their sizes, and a sentence for each of the others."""
        above = f"{self.owner}/"
        checked = [(each, _damage(each, sizes.get(self._archive(each).removeprefix(above)))) for each in found]
        return [each for each, wrong in checked if not wrong], [str(wrong) for _, wrong in checked if wrong]

    def _unknown(self, id: str) -> BackupsError:
        near = difflib.get_close_matches(id, _ids(self._sizes()), n=3, cutoff=0.5)
        hint = f" (near it: {', '.join(near)})" if near else ""
        stack = self.owner.stack
        return BackupsError(f"There is no backup {id!r} of {stack}{hint}; see what there is: oracle backups {stack}")

    def _new_id(self, generation: int, now: datetime) -> str:
        return f"{self.owner.stack}-g{generation}-{now.strftime(STAMP)}-{secrets.token_hex(2)}"

    def _archive(self, backup: Backup) -> str:
        return f"{self.owner}/{backup.id}.zip{'.age' if backup.encrypted else ''}"

    def _manifest(self, id: str) -> str:
        return f"{self.owner}/{id}.json"


def _ids(sizes: Sizes) -> Strings:
    """Of the backups that have a manifest."""
    ids = [name.removesuffix(".json") for name in sizes if name.endswith(".json")]
    return [id for id in ids if ID.fullmatch(id)]


def _newer(whole: Backups, than: Backup) -> Backups:
    """The backups that came later and hold records, or hold none, as that one does."""
    return [
        each
        for each in whole
        if (each.created, each.id) > (than.created, than.id) and bool(each.own_records) == bool(than.own_records)
    ]


def _iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"


def _damage(backup: Backup, size: int | None) -> BackupsError | None:
    """What is wrong with an archive of so many bytes, None where there is none; as far as its size shows."""
    if size is None:
        return _gone(backup)
    if size not in (keys.sealed_sizes(backup.size) if backup.encrypted else [backup.size]):
        return _damaged(backup, f"it has {size} bytes")
    return None


def _gone(backup: Backup) -> BackupsError:
    return BackupsError(f"The archive of the backup {backup.id} is gone; see what else there is: {_look(backup)}")


def _damaged(backup: Backup, how: str) -> BackupsError:
    return BackupsError(
        f"The archive of the backup {backup.id} is damaged ({how}); see what else there is: {_look(backup)}"
    )


def _look(backup: Backup) -> str:
    return f"oracle backups {Owner.of(backup.owner).stack}"
