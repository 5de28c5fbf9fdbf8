"""The release that a stack rolls back to, and the consequences for data written since."""

from __future__ import annotations

from collections.abc import Iterator

import advice
from cli.backups.stack_backups import StackBackups
from cli.ui import phrases
from cli.ui.errors import CommandError
from errors import Remedy, UserError
from settings import Settings
from stack_outputs import Outputs, Release
from storage.backups import Entry
from storage.releases import named, same_bytes
from storage.releases.store import DeployedRelease


def deployed_releases(stack_backups: StackBackups) -> list[DeployedRelease]:
    """Return the releases that the stack has run, newest first. Raises BackupsError."""
    return stack_backups.releases.ran()


def listed(stack_backups: StackBackups) -> tuple[list[DeployedRelease], list[str]]:
    """Return the releases to roll back to, newest first, and a sentence for each unavailable one.

    Raises BackupsError.
    """
    complete, lost, foreign = stack_backups.releases.survey()
    stack = stack_backups.engine.stack.name
    sentences = [
        f"The release {each.id} of {stack} cannot be deployed: some of its bytes are no longer stored." for each in lost
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
            what = "There is no release" if not matches else "There are several releases whose ids begin with"
            raise CommandError(f"{what} {prefix} of {stack}.", Remedy.LIST_RELEASES)
        return matches[0]
    before = next((each for each in releases if not same_bytes(each.receipt, now)), None)
    if before is None:
        raise CommandError(f"No other release of {stack} is stored.", Remedy.LIST_RELEASES)
    return before


def warnings(stack_backups: StackBackups, outputs: Outputs, release: Release) -> Iterator[str]:
    """Yield the consequences for the data, with numbers, and for later deploys."""
    if stack_backups.settings.receipt is None:
        stack = stack_backups.engine.stack.name
        yield (
            f"From now on {stack} deploys the release that its receipt names. To deploy the checkouts again, run "
            f"`pulumi config rm oracle-net:receipt --stack {stack}`."
        )
    if release["backend"] == outputs.release["backend"]:
        yield "The backend and its data do not change."
        return
    yield since(stack_backups, outputs)


def since(stack_backups: StackBackups, outputs: Outputs) -> str:
    """Describe the changes of the data since the backend's release began, which the earlier backend has never seen."""
    entry = _first_entry(stack_backups, outputs.backend_app_id)
    try:
        now = stack_backups.backend().summary().records
    except UserError as error:
        uncounted = UserError("Attention: the records since this release began could not be counted.", cause=error)
        return advice.text(uncounted, stack_backups.engine.stack.name, retry="")
    if entry is None:
        return f"Attention: the audit log has no start of this release; its backend has {phrases.counts(now)}."
    growth = {name: count - (entry.migrated or {}).get(name, 0) for name, count in now.items()}
    added = phrases.counts({name: count for name, count in growth.items() if count > 0})
    removed = phrases.counts({name: -count for name, count in growth.items() if count < 0})
    also = f" ({removed} fewer)" if removed else ""
    if not added and not removed:
        return f"No records were made since this release began ({entry.at[:16]}Z)."
    return (
        f"Attention: since this release began ({entry.at[:16]}Z) {added or 'nothing'} more{also}. All data is migrated "
        "to the earlier release, which may not be able to read data of the later one."
    )


def _first_entry(stack_backups: StackBackups, app_id: str) -> Entry | None:
    """Return the audit log's entry for the start of the running app's data."""
    entries = stack_backups.audit_log.entries()
    return next((each for each in entries if each.to_app_id == app_id and each.kind != "backed-up"), None)
