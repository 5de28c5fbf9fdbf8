"""`oracle up`: from whatever there is to a network that answers."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.commands.options import StackArgument
from cli.engine import local_cloud, stacks
from cli.engine.plugins import Plugins, provide
from cli.engine.pulumi import Engine
from cli.engine.recover import settled
from cli.engine.workspace import Stack, located_tools
from cli.runs import report
from cli.runs.recorder import RunRecorder
from cli.runs.store import Runs
from cli.runs.supervise import run_in_view, start_detached
from cli.status import running
from cli.ui.errors import CommandError
from cli.ui.text import echo_wrapped

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
        echo_wrapped(line)
    chosen.settings()
    if not chosen.on_local_cloud:
        raise CommandError(f"`oracle up` is for stacks on the local cloud; deploy {stack} with: pulumi up -s {stack}")
    started = local_cloud.start(chosen)
    echo_wrapped(f"Local cloud: {chosen.endpoint}{' (started)' if started else ''}")
    engine = Engine(chosen)
    for line in settled(engine, make=True):  # first of all: nothing is built or exchanged under an update at work
        echo_wrapped(line)
    with Runs(chosen.runs).start("up", engine.owner, sys.argv[1:]) as run:
        _prepare(RunRecorder(engine, run, echo_wrapped), plugins)
        start_detached(run, chosen, {"do": "up"})
        run_in_view(run)
    found = running.rows(engine)
    report.show(found)
    if silent := [row.service for row in found if not row.well]:
        raise CommandError(f"{', '.join(silent)} does not answer; its log: oracle cloud logs")


def _prepare(recording: RunRecorder, plugins: Plugins) -> None:
    located = located_tools()
    used = provide(recording.engine.stack, plugins)
    recording.say(f"Engine: Pulumi {located.engine_version} ({located.engine_source}), {WHICH[used]}")
    recording.build()
