"""`oracle promote`: what one stack runs, proven and byte for byte, to another."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from contract import Release
from ops import receipts, transport
from ops.change import ready
from ops.custody import StackCustody
from ops.engine import Engine, known_outputs
from ops.fitness import fit_release
from ops.folding import say
from ops.images import refuse_lost
from ops.pinning import Pin, pin, refuse_unattended
from ops.promotion import distinct, notes, refuse_adopted, refuse_other_kind, refuse_other_workers
from ops.runs import Runs
from ops.workspace import Stack


def promote(
    source: Annotated[str, typer.Argument(help="The stack whose release it is.", metavar="FROM")],
    target: Annotated[str, typer.Argument(help="The stack that gets it.", metavar="TO")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    receipt_only: Annotated[
        bool, typer.Option("--receipt-only", help="Write the receipt, for a pull request, and stop.")
    ] = False,
) -> None:
    """Give a stack the release of another: healthy, at rest, the same bytes."""
    again = f"oracle promote {source} {target}"
    here, there = distinct(source, target)
    refuse_other_kind(here, there)
    refuse_other_workers(here, there)
    refuse_adopted(here, there)
    refuse_unattended(again, yes=yes or receipt_only, as_json=as_json)
    Runs(there.runs).refuse_busy(Engine(there).owner)
    _tell(f"Looking whether {source} may be promoted …", as_json)
    engine = Engine(here)
    release = fit_release(engine)
    custody = StackCustody(engine)
    otherwise = f"push it there, or deploy it in {source} from its sources: oracle deploy backend --stack {source}"
    if receipt_only:
        refuse_lost(there, release, None, otherwise)
        transport.fetch(custody, release, StackCustody(Engine(there)))
        _written(there, release, as_json)
        return
    applying = ready(target, quiet=as_json, make=True)
    outputs = known_outputs(applying.export())
    refuse_lost(there, release, outputs.release["backend"] if outputs else None, otherwise)
    transport.fetch(custody, release, StackCustody(applying))
    lines = [f"{target} gets what {source} runs:", *notes(release)]
    pin(applying, Pin(kind="promote", release=release, again=again, lines=lines), yes=yes, as_json=as_json)


def _written(stack: Stack, release: Release, as_json: bool) -> None:
    changed = receipts.write(stack, release) != stack.file.read_bytes()
    if as_json:
        typer.echo(json.dumps({"stack": stack.name, "changed": changed, "receipt": release}, indent=2))
    elif changed:
        say(f"{stack.file.name} has the receipt; propose it: git commit {stack.file.name}")
    else:
        say(f"{stack.file.name} has this receipt already.")


def _tell(text: str, as_json: bool) -> None:
    if not as_json:
        say(text)
