"""`oracle up`: start a stack on the local cloud."""

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
from errors import Fix

WHICH = {
    Plugins.official: "official provider plugins",
    Plugins.offline: "offline provider plugins (for the local cloud only)",
}


def up(
    stack: StackArgument = "local",
    plugins: Annotated[Plugins, typer.Option(help="The provider plugins for the local cloud.")] = Plugins.auto,
) -> None:
    """Start the local cloud, build and update the stack, and show its services. A new name creates a stack."""
    chosen = Stack(stack)
    for line in stacks.provide(chosen):
        echo_wrapped(line)
    chosen.settings()
    if not chosen.on_local_cloud:
        raise CommandError(
            f"`oracle up` is for stacks on the local cloud, and {stack} is not on it.",
            Fix(f"oracle deploy --stack {stack}", "to deploy it"),
        )
    started = local_cloud.start(chosen)
    echo_wrapped(f"Local cloud: {chosen.endpoint}{' (started)' if started else ''}")
    engine = Engine(chosen)
    for line in settled(engine, make=True):  # first, so that nothing is built or replaced during another update
        echo_wrapped(line)
    with Runs(chosen.runs).start("up", engine.owner, sys.argv[1:]) as run:
        _prepare(RunRecorder(engine, run, echo_wrapped), plugins)
        start_detached(run, chosen, {"do": "up"})
        run_in_view(run)
    found = running.rows(engine)
    report.show(found)
    if unhealthy := [row.service for row in found if not row.well]:
        raise CommandError(f"{', '.join(unhealthy)} does not answer.", local_cloud.read_log(chosen))


def _prepare(recording: RunRecorder, plugins: Plugins) -> None:
    located = located_tools()
    used = provide(recording.engine.stack, plugins)
    recording.say(f"Engine: Pulumi {located.engine_version} ({located.engine_source}), {WHICH[used]}")
    recording.build()
