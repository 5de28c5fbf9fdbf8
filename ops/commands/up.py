"""`oracle up`: from whatever there is to a network that answers."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ops import local_cloud, report, stacks
from ops.commands.options import StackArgument
from ops.engine import Engine
from ops.failures import Failure
from ops.folding import say
from ops.following import hand_over, shown
from ops.plugins import Plugins, provide
from ops.recording import Recording
from ops.recover import settled
from ops.runs import Runs
from ops.status import running
from ops.workspace import Stack, located_tools

WHICH = {
    Plugins.official: "official provider plugins",
    Plugins.offline: "offline provider plugins (stand-ins for the official ones, for the local cloud only)",
}


def up(
    stack: StackArgument = "local",
    plugins: Annotated[Plugins, typer.Option(help="Provider plugins for the local cloud.")] = Plugins.auto,
) -> None:
    """Bring the stack up: local cloud, builds, update, and the table of what answers; a new name is a new stack."""
    chosen = Stack(stack)
    for line in stacks.provide(chosen):
        say(line)
    chosen.settings()
    if not chosen.on_local_cloud:
        raise Failure(f"`oracle up` is for stacks on the local cloud; deploy {stack} with: pulumi up -s {stack}")
    started = local_cloud.start(chosen)
    say(f"Local cloud: {chosen.endpoint}{' (started)' if started else ''}")
    engine = Engine(chosen)
    for line in settled(engine, make=True):  # first of all: nothing is built or exchanged under an update at work
        say(line)
    with Runs(chosen.runs).start("up", engine.owner, sys.argv[1:]) as run:
        _prepare(Recording(engine, run, say), plugins)
        hand_over(run, chosen, {"do": "up"})
        shown(run)
    found = running.rows(engine)
    report.show(found)
    if silent := [row.service for row in found if not row.well]:
        raise Failure(f"{', '.join(silent)} does not answer; its log: oracle cloud logs")


def _prepare(recording: Recording, plugins: Plugins) -> None:
    located = located_tools()
    used = provide(recording.engine.stack, plugins)
    recording.say(f"Engine: Pulumi {located.engine_version} ({located.engine_source}), {WHICH[used]}")
    recording.build()
