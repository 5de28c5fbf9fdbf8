"""`oracle propose`: a stack's receipt as a pull request."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from ops import receipts, stackfile
from ops.commands.options import StackArgument
from ops.failures import Failure
from ops.folding import say
from ops.forecasting import escaped
from ops.github import GitHub, needed
from ops.promotion import notes
from ops.proposal import Proposal
from ops.proposal import propose as proposed
from ops.workspace import Stack


def propose(
    stack: StackArgument,
    receipt: Annotated[str, typer.Argument(help="As `oracle receipt` prints it.", metavar="RECEIPT")],
) -> None:
    """Write a receipt into a stack's file, and propose that as a pull request to this branch."""
    chosen, release = Stack(stack), _parsed(receipt)
    before = receipts.write(chosen, release)
    with stackfile.put_back(chosen.file, before):
        chosen.settings()  # what is no receipt is refused here
    wanted = Proposal(
        base=needed("GITHUB_REF_NAME"),
        branch=f"receipt-{stack}",
        path=chosen.file.name,
        change=lambda text: receipts.edited(text, release, chosen.file.name),
        title=f"The receipt of {stack}",
        text="\n".join([f"`{chosen.file.name}` says what {stack} may run:", "", *_listed(release)]),
    )
    with GitHub() as hub:
        at = proposed(hub, wanted)
    say(f"Proposed: {at}" if at else f"{chosen.file.name} of {wanted.base} has this receipt already.")


def _parsed(receipt: str) -> Any:
    """Raises Failure."""
    try:
        found = json.loads(receipt)
        found["backend"], found["workers"], found["assets"], found["commits"]
    except (ValueError, KeyError, TypeError):
        raise Failure("This is no receipt; print one: oracle receipt STACK") from None
    return found


def _listed(release: Any) -> list[str]:
    return [f"- {escaped(line.strip())}" for line in notes(release)]
