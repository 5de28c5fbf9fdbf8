"""The `oracle` command's table of contents."""

from __future__ import annotations

import sys

import typer

from ops.commands import (
    backup,
    backups,
    build,
    cloud,
    commit_all,
    console,
    deploy,
    down,
    env,
    history,
    image,
    logs,
    page,
    recover,
    repo_map,
    restore,
    runs,
    status,
    timeline,
    up,
    wipe,
)
from ops.failures import Failure

app = typer.Typer(
    name="oracle",
    help="Runs the Oracle network: deploys it, rehearses it on this machine, looks after it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("down")(down.down)
app.command("env")(env.env)
app.command()(deploy.deploy)
app.command()(runs.runs)
app.command()(logs.logs)
app.command()(timeline.timeline)
app.command("build")(build.build)
app.command("status")(status.status)
app.command("console")(console.console)
app.command("page")(page.page)
app.command("recover")(recover.recover)
for command in (wipe.wipe, restore.restore, backup.backup, backups.backups, history.history):
    app.command()(command)
app.command("commit-all")(commit_all.commit_all)
app.command("repo-map")(repo_map.repo_map)
app.add_typer(cloud.app, name="cloud")
app.add_typer(image.app, name="image")


def main() -> None:
    """Runs the command. A known failure is one sentence on standard error and a non-zero exit status."""
    try:
        app()
    except Failure as failure:
        print(f"oracle: {failure}", file=sys.stderr)
        sys.exit(failure.status)
    except KeyboardInterrupt:
        print("\noracle: interrupted; nothing is lost, and the same command goes on: oracle up", file=sys.stderr)
        sys.exit(130)
