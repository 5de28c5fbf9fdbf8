"""Which release a stack goes back to, and what going back means for the data that was made since."""

from __future__ import annotations

from collections.abc import Iterator

from cli.backups.stack_backups import StackBackups
from cli.ui import phrases
from cli.ui.errors import CommandError
from settings import Settings
from stack_outputs import Outputs, Release
from storage.backups import BackupsError, Entry
from storage.releases import named, same_bytes
from storage.releases.store import DeployedRelease


def deployed_releases(stack_backups: StackBackups) -> list[DeployedRelease]:
    """What the stack has run, newest first. Raises CommandError."""
    try:
        return stack_backups.releases.ran()
    except BackupsError as error:
        raise CommandError(str(error)) from None


def listed(stack_backups: StackBackups) -> tuple[list[DeployedRelease], list[str]]:
    """What there is to go back to, newest first, and a sentence for each release that is not. Raises CommandError."""
    try:
        whole, lost, foreign = stack_backups.releases.survey()
    except BackupsError as error:
        raise CommandError(str(error)) from None
    stack = stack_backups.engine.stack.name
    gone = [f"The release {each.id} of {stack} is gone: some of its bytes were lost or cleared away." for each in lost]
    return whole, gone + foreign


def declared(settings: Settings, outputs: Outputs) -> Release:
    """What the stack is to run: its receipt, which an update may not have reached, else what it runs."""
    return named(settings.receipt.model_dump()) if settings.receipt else outputs.release


def chosen(found: list[DeployedRelease], now: Release, wanted: str, stack: str) -> DeployedRelease:
    """The release to go back to: the one named, else the newest that is another than `now`. Raises CommandError."""
    if wanted:
        fitting = [each for each in found if each.id.startswith(wanted)]
        if len(fitting) != 1:
            what = "There is no release" if not fitting else "There are several releases"
            raise CommandError(f"{what} {wanted} of {stack}; see what there is: oracle rollback {stack} --list")
        return fitting[0]
    before = next((each for each in found if not same_bytes(each.receipt, now)), None)
    if before is None:
        raise CommandError(f"{stack} has run no other release that is kept; see: oracle rollback {stack} --list")
    return before


def warnings(stack_backups: StackBackups, outputs: Outputs, release: Release) -> Iterator[str]:
    """What becomes of the data, in numbers."""
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
    """What was written since the backend's release began, in numbers: an earlier backend has never seen such data."""
    entry = _begin(stack_backups, outputs.backend_app_id)
    try:
        now = stack_backups.backend().summary().records
    except CommandError as failure:
        return f"Attention: what was written since this release began could not be counted. {failure}"
    if entry is None:
        return f"Attention: the audit log does not say when this release began; it holds {phrases.counts(now)}."
    more = {name: count - (entry.carried or {}).get(name, 0) for name, count in now.items()}
    made = phrases.counts({name: count for name, count in more.items() if count > 0})
    fewer = phrases.counts({name: -count for name, count in more.items() if count < 0})
    gone = f" ({fewer} fewer)" if fewer else ""
    if not made and not fewer:
        return f"No records were made since this release began ({entry.at[:16]}Z)."
    return (
        f"Attention: since this release began ({entry.at[:16]}Z) {made or 'nothing'} more{gone}; all of it is carried "
        "back to the earlier backend, which has never seen data of the later one."
    )


def _begin(stack_backups: StackBackups, app_id: str) -> Entry | None:
    """The audit log's entry of how the running app got its data."""
    try:
        entries = stack_backups.audit_log.entries()
    except BackupsError as error:
        raise CommandError(str(error)) from None
    return next((each for each in entries if each.to_app_id == app_id and each.kind != "kept"), None)
