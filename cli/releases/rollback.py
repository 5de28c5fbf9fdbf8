"""The release that a stack rolls back to, and the consequences for data written since."""

from __future__ import annotations

from collections.abc import Iterator

import advice
from cli.backups.stack_backups import StackBackups
from cli.ui import phrases
from cli.ui.errors import CommandError
from settings import Settings
from stack_outputs import Outputs, Release
from storage.backups import BackupsError, Entry
from storage.releases import named, same_bytes
from storage.releases.store import DeployedRelease


def deployed_releases(stack_backups: StackBackups) -> list[DeployedRelease]:
    """Return the releases that the stack has run, newest first. Raises CommandError."""
    try:
        return stack_backups.releases.ran()
    except BackupsError as error:
        raise CommandError(str(error)) from None


def listed(stack_backups: StackBackups) -> tuple[list[DeployedRelease], list[str]]:
    """Return the releases to roll back to, newest first, and a sentence for each unavailable one.

    Raises CommandError.
    """
    try:
        complete, lost, foreign = stack_backups.releases.survey()
    except BackupsError as error:
        raise CommandError(str(error)) from None
    stack = stack_backups.engine.stack.name
    sentences = [
        f"The release {each.id} of {stack} is gone: some of its bytes were lost or cleared away." for each in lost
    ]
    return complete, sentences + [advice.text(each, stack, "") for each in foreign]


def declared(settings: Settings, outputs: Outputs) -> Release:
    """Return the declared release: the receipt, which an update may not have deployed yet, else the running release."""
    return named(settings.receipt.model_dump()) if settings.receipt else outputs.release


def chosen(releases: list[DeployedRelease], now: Release, prefix: str, stack: str) -> DeployedRelease:
    """Return the release named, or else the newest release that differs from `now`. Raises CommandError."""
    if prefix:
        matches = [each for each in releases if each.id.startswith(prefix)]
        if len(matches) != 1:
            what = "There is no release" if not matches else "There are several releases"
            raise CommandError(f"{what} {prefix} of {stack}; see what there is: oracle rollback {stack} --list")
        return matches[0]
    before = next((each for each in releases if not same_bytes(each.receipt, now)), None)
    if before is None:
        raise CommandError(f"{stack} has run no other release that is kept; see: oracle rollback {stack} --list")
    return before


def warnings(stack_backups: StackBackups, outputs: Outputs, release: Release) -> Iterator[str]:
    """Yield the consequences for the data, with numbers, and for later deploys."""
    if stack_backups.settings.receipt is None:
        stack = stack_backups.engine.stack.name
        yield (
            f"From now on {stack} deploys what its receipt names; to deploy what the checkouts build: pulumi config rm "
            f"oracle-net:receipt --stack {stack}"
        )
    if release["backend"] == outputs.release["backend"]:
        yield "The backend stays as it is, and so does its data."
        return
    yield since(stack_backups, outputs)


def since(stack_backups: StackBackups, outputs: Outputs) -> str:
    """Describe the changes of the data since the backend's release began, which the earlier backend has never seen."""
    entry = _first_entry(stack_backups, outputs.backend_app_id)
    try:
        now = stack_backups.backend().summary().records
    except CommandError as failure:
        return f"Attention: what was written since this release began could not be counted. {failure}"
    if entry is None:
        return f"Attention: the audit log does not say when this release began; it holds {phrases.counts(now)}."
    growth = {name: count - (entry.carried or {}).get(name, 0) for name, count in now.items()}
    added = phrases.counts({name: count for name, count in growth.items() if count > 0})
    removed = phrases.counts({name: -count for name, count in growth.items() if count < 0})
    also = f" ({removed} fewer)" if removed else ""
    if not added and not removed:
        return f"No records were made since this release began ({entry.at[:16]}Z)."
    return (
        f"Attention: since this release began ({entry.at[:16]}Z) {added or 'nothing'} more{also}; all of it is carried "
        "back to the earlier backend, which has never seen data of the later one."
    )


def _first_entry(stack_backups: StackBackups, app_id: str) -> Entry | None:
    """Return the audit log's entry for the start of the running app's data."""
    try:
        entries = stack_backups.audit_log.entries()
    except BackupsError as error:
        raise CommandError(str(error)) from None
    return next((each for each in entries if each.to_app_id == app_id and each.kind != "kept"), None)
