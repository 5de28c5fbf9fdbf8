"""Check the backup store, by a write and a read, and the key of encrypted backups."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress

from cli.doctor.model import Finding, from_error
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from errors import UserError
from settings import Settings
from storage.backups import BackupsError, Folder, Store, open_store, valid_key


def store(stack: Stack, settings: Settings) -> Iterator[Finding]:
    """Check the store: write a few bytes, read them back, and delete them."""
    backup, name = settings.backup, f"doctor-{secrets.token_hex(6)}"
    try:
        opened = open_store(backup.store, stack.project, backup.endpoint, backup.region)
        readable = _write_and_read(opened, name)
    except BackupsError as error:
        yield from_error("backups", error, stack.name, f"oracle backups {stack.name}")
        return
    where = "a folder of this machine" if isinstance(opened, Folder) else backup.store
    if not readable:
        yield Finding(
            "backups", "fail", f"{where} returns other bytes than were written", f"oracle backup {stack.name}"
        )
    elif isinstance(opened, Folder) and not stack.on_local_cloud:
        set_it = f"pulumi config set --path oracle-net:backup.store s3://BUCKET/PREFIX --stack {stack.name}"
        yield Finding("backups", "warn", f"they are in {where}, which the rest of the team cannot reach", set_it)
    else:
        yield Finding("backups", "ok", f"{where} can be written and read")


def _write_and_read(opened: Store, name: str) -> bool:
    try:
        opened.write_text(name, name)
        return opened.read_text(name) == name
    finally:
        with suppress(BackupsError):
            opened.delete(name)


def key(stack: Stack, settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check that backups are encrypted and that this machine can decrypt them."""
    if settings.backup_key is None:
        if settings.backup.on_this_machine:
            yield Finding("backup key", "ok", "none; backups are stored on this machine, unencrypted")
        else:
            make = f"oracle backups {stack.name} --new-key"
            yield Finding("backup key", "warn", "none: the bucket's owner can read the backups", make)
        return
    try:
        engine = Engine(stack)
        engine.environment.update(environment)
        text = engine.run_checked("config", "get", "oracle-net:backupKey", "--stack", stack.name).strip()
    except UserError as error:
        yield from_error("backup key", error, stack.name, f'eval "$(oracle env {stack.name})"')
        return
    if valid_key(text):
        yield Finding("backup key", "ok", "is a valid key")
    else:
        yield Finding("backup key", "fail", "is not a valid key", f"oracle backups {stack.name} --new-key")
