"""The backup catalog: one stack's backups in a store, each verified when it is stored and when it is read."""

from __future__ import annotations

import difflib
import re
import secrets
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from errors import Remedy, SetKey
from stack_outputs import Owner
from storage.backups import keys
from storage.backups.archive import Contents
from storage.backups.audit_log import UNDONE, AuditLog
from storage.backups.errors import BackupsError, Foreign, Missing, foreign
from storage.backups.files import CHUNK, Digest, Sink, copy, digest, room, whole
from storage.backups.manifest import Backup, BackupOrigin
from storage.backups.retention import newer, protected
from storage.backups.store import Store

STAMP = "%Y%m%dT%H%M%SZ"
Backups: TypeAlias = list[Backup]
Complaints: TypeAlias = list[BackupsError]
Sizes: TypeAlias = dict[str, int]
ID = re.compile(r"(?P<stack>[\w.-]+)-g\d+-(?P<at>\d{8}T\d{6}Z)-[0-9a-f]{4}", re.ASCII)
ITS_KEY = SetKey("oracle-net:backupKey", secret=True)
"""What helps when a backup was encrypted with another key: to set that key."""
ORPHAN = timedelta(days=1)
"""Minimum age of an archive without a manifest before it is deleted; a younger one may still be in the making."""


class BackupCatalog:
    """Objects `<organization>/<project>/<stack>/<id>.zip`, or `.zip.age`, and `<id>.json` beside it, the manifest.

    A manifest names its owner. A manifest of another stack (for example one that was copied by hand) cannot be opened,
    is left out of lists with a complaint, and is never deleted.

    `key` is an age identity; with None archives are stored unencrypted. `scratch` is a local folder for temporary
    files. Every method raises BackupsError.
    """

    def __init__(self, store: Store, owner: Owner, key: str | None, scratch: Path) -> None:
        self.store, self.owner, self.scratch = store, owner, scratch
        self._key = key
        if key is not None:
            keys.check(key)

    def add(self, archive: Path, about: BackupOrigin, contents: Contents) -> Backup:
        """Store the archive, read it back, and write its manifest if the bytes are equal.

        After any failure, including an interrupt by the user, its objects are deleted from the store.
        """
        now, original = datetime.now(UTC), digest(archive)
        backup = Backup(
            **asdict(about),
            **asdict(contents),
            owner=str(self.owner),
            id=self._new_id(about.generation, now),
            created=_iso(now),
            size=original.size,
            sha256=original.sha256,
            encrypted=self._key is not None,
        )
        try:
            self._put_archive(archive, backup)
            self._read_archive(backup, None)
            self.store.write_text(self._manifest(backup.id), backup.to_json())
            return self.find(backup.id)
        except BaseException:
            for name in (self._manifest(backup.id), self._archive(backup)):
                with suppress(BackupsError):
                    self.store.delete(name)
            raise

    def fetch(self, id: str, target: Path) -> Backup:
        """Write the decrypted and verified archive to `target`. After a failure there is no `target`."""
        backup = self.find(id)
        with whole(target) as sink:
            self._read_archive(backup, sink)
        return backup

    def check(self, id: str) -> Backup:
        """Return the backup if its archive exists and has the right size. Nothing is downloaded."""
        backup = self.find(id)
        if error := _damage(backup, self.store.size(self._archive(backup))):
            raise error
        return backup

    def find(self, id: str) -> Backup:
        """Read the manifest of one backup. Raises Foreign for a backup of another stack."""
        text = self.store.read_text(self._manifest(id)) if ID.fullmatch(id) else None
        if text is None:
            raise self._unknown(id)
        backup = Backup.from_json(text, self._manifest(id))
        if backup.owner != str(self.owner):
            raise foreign(f"The backup {id}", backup.owner, self.owner)
        if backup.id != id:
            problem = f"{self._manifest(id)} is damaged: it is the manifest of {backup.id}."
            raise BackupsError(problem, Remedy.LIST_BACKUPS)
        return backup

    def list(self) -> Backups:
        """Return all backups, newest first, without those that `survey` complains about."""
        return self.survey()[0]

    def survey(self) -> tuple[Backups, Complaints]:
        """Return all backups, newest first, and an error for each that is left out.

        A backup is left out when its manifest is damaged, its archive is missing or has the wrong size, or it belongs
        to another stack. The archives' sizes come from one list request.
        """
        sizes = self._sizes()
        backups, complaints = self._manifests(sizes)
        whole, damaged = self._split_by_damage(backups, sizes)
        return whole, complaints + damaged

    def delete(self, id: str) -> None:
        """Delete manifest and archive, even if the manifest is damaged. Raises Foreign for another stack's backup."""
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
        """Delete the backups that no rule retains, and return them. With None for both, no backup is deleted.

        These backups are retained:

        - those younger than `days`, and those whose ids are in `keep`
        - the newest `count` with records of people, and the newest `count` without, so that neither displaces the other
        - the important ones, whatever the rules are (`retention.protected`)

        Archives without a manifest, which an interrupted `keep` left behind, are deleted after a day.
        """
        sizes = self._sizes()
        self._sweep(sizes)
        if count is None and days is None:
            return []
        since = _iso(datetime.now(UTC) - timedelta(days=days)) if days is not None else None
        backups, _ = self._manifests(sizes)
        whole, _ = self._split_by_damage(backups, sizes)
        stays = keep | set(protected(whole, AuditLog(self.store, self.owner).newest(UNDONE)))
        old = [
            backup
            for backup in backups
            if backup.id not in stays
            and (since is None or backup.created < since)
            and (count is None or len(newer(whole, backup)) >= count)
        ]
        for backup in old:
            self._remove(backup.id)
        return old

    def check_writable(self) -> None:
        """Write a small object, read it back and delete it, so that a broken store is found before anything changes."""
        # Named like an archive without a manifest, so that `_sweep` deletes it if this process is killed.
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
                problem = f"What was read from {self.store.describe()} is not what was written to it."
                raise BackupsError(problem, SetKey("oracle-net:backup.store", "LOCATION"))

    def room(self) -> AbstractContextManager[Path]:
        """Return a temporary local folder (mode 0700), deleted at the end of the block."""
        return room(self.scratch)

    def _put_archive(self, archive: Path, backup: Backup) -> None:
        if self._key is None:
            return self.store.put(self._archive(backup), archive)
        with self.room() as room:
            sealed = room / "sealed"
            with archive.open("rb") as source, whole(sealed) as sink:
                keys.seal(source, sink, self._key)
            return self.store.put(self._archive(backup), sealed)

    def _read_archive(self, backup: Backup, sink: Sink | None) -> None:
        """Stream the decrypted archive to the sink. Raises BackupsError, at the latest at the end, if it is damaged."""
        plain = Digest(sink)
        try:
            with self.store.open(self._archive(backup)) as source:
                if backup.encrypted:
                    keys.unseal(source, plain, self._required_key(backup))
                else:
                    copy(source, plain)
        except Missing:
            raise _gone(backup) from None
        except keys.WrongKey:
            raise BackupsError(f"The backup {backup.id} was encrypted with another key.", ITS_KEY) from None
        except keys.Damaged:
            raise _damaged(backup, "it cannot be decrypted") from None
        if (plain.size, plain.sha256) != (backup.size, backup.sha256):
            raise _damaged(backup, "its SHA-256 is another")

    def _required_key(self, backup: Backup) -> str:
        if self._key is None:
            raise BackupsError(f"The backup {backup.id} is encrypted, and there is no key.", ITS_KEY)
        return self._key

    def _remove(self, id: str) -> None:
        # The manifest first, so that each manifest has its complete archive at every moment.
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
        """Return the size in bytes of each object of the stack, by name relative to the stack's folder."""
        above = f"{self.owner}/"
        return {name.removeprefix(above): size for name, size in self.store.sizes(above).items()}

    def _manifests(self, sizes: Sizes) -> tuple[Backups, Complaints]:
        """Read the stack's manifests, newest first. Returns an error for each that is damaged or another stack's."""
        backups: Backups = []
        complaints: Complaints = []
        for id in _ids(sizes):
            try:
                backups.append(self.find(id))
            except BackupsError as error:
                complaints.append(error)
        return sorted(backups, key=lambda backup: (backup.created, backup.id), reverse=True), complaints

    def _split_by_damage(self, backups: Backups, sizes: Sizes) -> tuple[Backups, Complaints]:
        """Return the backups whose archives have the right size, and an error for each of the others."""
        above = f"{self.owner}/"
        checked = [
            (backup, _damage(backup, sizes.get(self._archive(backup).removeprefix(above)))) for backup in backups
        ]
        return [backup for backup, error in checked if not error], [error for _, error in checked if error]

    def _unknown(self, id: str) -> BackupsError:
        near = difflib.get_close_matches(id, _ids(self._sizes()), n=3, cutoff=0.5)
        hint = f" (similar: {', '.join(near)})" if near else ""
        return BackupsError(f"There is no backup {id!r} of {self.owner.stack}{hint}.", Remedy.LIST_BACKUPS)

    def _new_id(self, generation: int, now: datetime) -> str:
        return f"{self.owner.stack}-g{generation}-{now.strftime(STAMP)}-{secrets.token_hex(2)}"

    def _archive(self, backup: Backup) -> str:
        return f"{self.owner}/{backup.id}.zip{'.age' if backup.encrypted else ''}"

    def _manifest(self, id: str) -> str:
        return f"{self.owner}/{id}.json"


def _ids(sizes: Sizes) -> list[str]:
    """Return the ids of the backups that have a manifest."""
    ids = [name.removesuffix(".json") for name in sizes if name.endswith(".json")]
    return [id for id in ids if ID.fullmatch(id)]


def _iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"


def _damage(backup: Backup, size: int | None) -> BackupsError | None:
    """Return an error if an archive of `size` bytes cannot be right, else None. A `size` of None: it is missing."""
    if size is None:
        return _gone(backup)
    if size not in (keys.sealed_sizes(backup.size) if backup.encrypted else [backup.size]):
        return _damaged(backup, f"it has {size} bytes")
    return None


def _gone(backup: Backup) -> BackupsError:
    return BackupsError(f"The archive of the backup {backup.id} is missing.", Remedy.LIST_BACKUPS)


def _damaged(backup: Backup, how: str) -> BackupsError:
    return BackupsError(f"The archive of the backup {backup.id} is damaged ({how}).", Remedy.LIST_BACKUPS)
