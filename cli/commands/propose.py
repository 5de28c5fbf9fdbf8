"""`oracle propose`: open a pull request that changes a stack's receipt."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from cli.commands.options import StackArgument
from cli.engine import stack_file
from cli.engine.workspace import Stack
from cli.github.api import GitHub, needed
from cli.github.pull_requests import Proposal
from cli.github.pull_requests import propose as proposed
from cli.plan.preview_markdown import escaped
from cli.releases import receipts
from cli.releases.promotion import notes
from cli.ui.errors import CommandError
from cli.ui.text import echo_wrapped
from errors import STACK, Fix


def propose(
    stack: StackArgument,
    receipt: Annotated[str, typer.Argument(help="The JSON that `oracle receipt` prints.", metavar="RECEIPT")],
) -> None:
    """Open a pull request to this branch that writes a receipt to a stack's file."""
    chosen, release = Stack(stack), _parsed(receipt)
    before = receipts.write(chosen, release)
    with stack_file.put_back(chosen.file, before):
        chosen.settings()  # refuses an invalid receipt
    proposal = Proposal(
        base=needed("GITHUB_REF_NAME"),
        branch=f"receipt-{stack}",
        path=chosen.file.name,
        change=lambda text: receipts.edited(text, release, chosen.file.name),
        title=f"The receipt of {stack}",
        text="\n".join([f"`{chosen.file.name}` says what {stack} may run:", "", *_listed(release)]),
    )
    with GitHub() as hub:
        address = proposed(hub, proposal)
    echo_wrapped(
        f"Proposed: {address}" if address else f"{chosen.file.name} of {proposal.base} already has this receipt."
    )


def _parsed(receipt: str) -> Any:
    """Parse the receipt. Raises CommandError."""
    try:
        found = json.loads(receipt)
        found["backend"], found["workers"], found["assets"], found["commits"]
    except (ValueError, KeyError, TypeError):
        raise CommandError("The argument is not a receipt.", Fix(f"oracle receipt {STACK}", "to print one")) from None
    return found


def _listed(release: Any) -> list[str]:
    return [f"- {escaped(line.strip())}" for line in notes(release)]
