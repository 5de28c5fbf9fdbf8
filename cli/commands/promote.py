"""`oracle promote`: deploy the release of one stack, byte for byte, to another stack."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cli.backups.stack_backups import StackBackups
from cli.builds.image import refuse_lost
from cli.deploy.config_change import ready
from cli.engine.pulumi import Engine, outputs_or_none
from cli.engine.workspace import Stack
from cli.releases import receipts, sync
from cli.releases.pin import Pin, pin
from cli.releases.promotion import distinct, notes, refuse_adopted, refuse_other_kind, refuse_other_workers
from cli.releases.promotion_checks import release_to_promote
from cli.runs.store import Runs
from cli.ui.prompt import refuse_unattended
from cli.ui.text import echo_wrapped
from errors import First, Fix, Remedy
from stack_outputs import Release


def promote(
    source: Annotated[str, typer.Argument(help="The stack whose release is deployed.", metavar="FROM")],
    target: Annotated[str, typer.Argument(help="The stack that gets the release.", metavar="TO")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    receipt_only: Annotated[
        bool,
        typer.Option("--receipt-only", help="Write the receipt to the stack's file, for a pull request, and stop."),
    ] = False,
) -> None:
    """Deploy the release of FROM to TO, byte for byte. FROM must be healthy and without a running update."""
    here, there = distinct(source, target)
    refuse_other_kind(here, there)
    refuse_other_workers(here, there)
    refuse_adopted(here, there)
    refuse_unattended(yes or receipt_only, as_json)
    Runs(there.runs).refuse_busy(Engine(there).owner)
    _print_progress(f"Checking whether {source} may be promoted …", as_json)
    engine = Engine(here)
    release = release_to_promote(engine)
    stack_backups = StackBackups(engine)
    otherwise = (
        First("push the image to that registry", Remedy.RETRY),
        Fix(f"oracle deploy backend --stack {source}", "to build another image"),
    )
    if receipt_only:
        refuse_lost(there, release, None, *otherwise)
        sync.fetch(stack_backups, release, StackBackups(Engine(there)))
        _write_receipt(there, release, as_json)
        return
    applying = ready(target, quiet=as_json, make=True)
    outputs = outputs_or_none(applying.export())
    refuse_lost(there, release, outputs.release["backend"] if outputs else None, *otherwise)
    sync.fetch(stack_backups, release, StackBackups(applying))
    lines = [f"{target} gets the release of {source}:", *notes(release)]
    pin(applying, Pin(kind="promote", release=release, lines=lines), yes=yes, as_json=as_json)


def _write_receipt(stack: Stack, release: Release, as_json: bool) -> None:
    changed = receipts.write(stack, release) != stack.file.read_bytes()
    if as_json:
        typer.echo(json.dumps({"stack": stack.name, "changed": changed, "receipt": release}, indent=2))
    elif changed:
        echo_wrapped(f"{stack.file.name} has the receipt. To propose it, run `git commit {stack.file.name}`.")
    else:
        echo_wrapped(f"{stack.file.name} has this receipt already.")


def _print_progress(text: str, as_json: bool) -> None:
    if not as_json:
        echo_wrapped(text)
