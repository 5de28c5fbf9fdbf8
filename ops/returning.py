"""Which release a stack goes back to, and what going back means for the data that was made since."""

from __future__ import annotations

from collections.abc import Iterator

from backups import BackupsError, Entry
from contract import Outputs, Release
from ops import words
from ops.custody import StackCustody
from ops.failures import Failure
from releases import named, same_bytes
from releases.keep import Ran
from settings import Settings


def ran(custody: StackCustody) -> list[Ran]:
    """What the stack has run, newest first. Raises Failure."""
    try:
        return custody.releases.ran()
    except BackupsError as error:
        raise Failure(str(error)) from None


def listed(custody: StackCustody) -> tuple[list[Ran], list[str]]:
    """What there is to go back to, newest first, and a sentence for each release that is not. Raises Failure."""
    try:
        whole, lost, foreign = custody.releases.survey()
    except BackupsError as error:
        raise Failure(str(error)) from None
    stack = custody.engine.stack.name
    gone = [f"The release {each.id} of {stack} is gone: some of its bytes were lost or cleared away." for each in lost]
    return whole, gone + foreign


def declared(settings: Settings, outputs: Outputs) -> Release:
    """What the stack is to run: its receipt, which an update may not have reached, else what it runs."""
    return named(settings.receipt.model_dump()) if settings.receipt else outputs.release


def chosen(found: list[Ran], now: Release, wanted: str, stack: str) -> Ran:
    """The release to go back to: the one named, else the newest that is another than `now`. Raises Failure."""
    if wanted:
        fitting = [each for each in found if each.id.startswith(wanted)]
        if len(fitting) != 1:
            what = "There is no release" if not fitting else "There are several releases"
            raise Failure(f"{what} {wanted} of {stack}; see what there is: oracle rollback {stack} --list")
        return fitting[0]
    before = next((each for each in found if not same_bytes(each.receipt, now)), None)
    if before is None:
        raise Failure(f"{stack} has run no other release that is kept; see: oracle rollback {stack} --list")
    return before


def warnings(custody: StackCustody, outputs: Outputs, release: Release) -> Iterator[str]:
    """What becomes of the data, in numbers."""
    if custody.settings.receipt is None:
        stack = custody.engine.stack.name
        yield (
            f"From now on {stack} deploys what its receipt names; to deploy what the checkouts build: pulumi config rm "
            f"oracle-net:receipt --stack {stack}"
        )
    if release["backend"] == outputs.release["backend"]:
        yield "The backend stays as it is, and so does its data."
        return
    yield since(custody, outputs)


def since(custody: StackCustody, outputs: Outputs) -> str:
    """What was written since the backend's release began, in numbers: an earlier backend has never seen such data."""
    entry = _begin(custody, outputs.backend_app_id)
    try:
        now = custody.backend().census().records
    except Failure as failure:
        return f"Attention: what was written since this release began could not be counted. {failure}"
    if entry is None:
        return f"Attention: the ledger does not say when this release began; it holds {words.counts(now)}."
    more = {name: count - (entry.carried or {}).get(name, 0) for name, count in now.items()}
    made = words.counts({name: count for name, count in more.items() if count > 0})
    fewer = words.counts({name: -count for name, count in more.items() if count < 0})
    gone = f" ({fewer} fewer)" if fewer else ""
    if not made and not fewer:
        return f"No records were made since this release began ({entry.at[:16]}Z)."
    return (
        f"Attention: since this release began ({entry.at[:16]}Z) {made or 'nothing'} more{gone}; all of it is carried "
        "back to the earlier backend, which has never seen data of the later one."
    )


def _begin(custody: StackCustody, app_id: str) -> Entry | None:
    """The ledger's entry of how the running app got its data."""
    try:
        entries = custody.ledger.entries()
    except BackupsError as error:
        raise Failure(str(error)) from None
    return next((each for each in entries if each.to_app_id == app_id and each.kind != "kept"), None)
