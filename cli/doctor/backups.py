"""Check the backup store, by a write and a read, and the key of encrypted backups."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress

from cli.doctor.model import Finding, from_message
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.ui.errors import CommandError
from settings import Settings
from storage.backups import BackupsError, Folder, Store, open_store, valid_key


def store(stack: Stack, settings: Settings) -> Iterator[Finding]:
    """Check the store: write a few bytes, read them back, and delete them."""
    backup, name = settings.backup, f"doctor-{secrets.token_hex(6)}"
    try:
        opened = open_store(backup.store, stack.project, backup.endpoint, backup.region)
        readable = _write_and_read(opened, name)
    except BackupsError as error:
        yield from_message("backups", str(error), "oracle backups " + stack.name)
        return
    where = "a folder of this machine" if isinstance(opened, Folder) else backup.store
    if not readable:
        yield Finding("backups", "fail", f"{where} does not give back what it was given", f"oracle backup {stack.name}")
    elif isinstance(opened, Folder) and not stack.on_local_cloud:
        set_it = "pulumi config set --path oracle-net:backup.store s3://BUCKET/PREFIX"
        yield Finding("backups", "warn", f"{where}: the rest of the team cannot reach them", set_it)
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
            yield Finding("backup key", "ok", "none; backups stay on this machine as they are")
        else:
            make = f"oracle backups {stack.name} --new-key"
            yield Finding("backup key", "warn", "none: the bucket's owner can read the backups", make)
        return
    try:
        engine = Engine(stack)
        engine.environment.update(environment)
        text = engine.run_checked("config", "get", "oracle-net:backupKey", "--stack", stack.name).strip()
    except (CommandError, OSError) as error:
        yield from_message("backup key", str(error), f'eval "$(oracle env {stack.name})"')
        return
    if valid_key(text):
        yield Finding("backup key", "ok", "opens")
    else:
        yield Finding("backup key", "fail", "it is no key for backups", f"oracle backups {stack.name} --new-key")
