"""`oracle cloud`: start, stop and inspect the local cloud."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import advice
from cli.commands.options import StackOption
from cli.engine import local_cloud
from cli.engine.workspace import Stack
from cli.runs import report
from cli.ui.browser import open_quietly
from cli.ui.errors import CommandError
from errors import Fix, Remedy

app = typer.Typer(
    help="Start, stop and inspect the local cloud, which emulates DigitalOcean and Cloudflare.", no_args_is_help=True
)


@app.command()
def start(stack: StackOption = "local") -> None:
    """Start the local cloud in the background. Its apps, data, Workers and addresses are restored."""
    chosen = Stack(stack)
    started = local_cloud.start(chosen)
    typer.echo(f"The local cloud {'has started' if started else 'runs already'}: {chosen.endpoint}")


@app.command()
def stop(stack: StackOption = "local") -> None:
    """Stop the local cloud. Its apps, data, Workers and addresses stay on disk."""
    stopped = local_cloud.stop(Stack(stack))
    typer.echo(
        "The local cloud has stopped; its apps and data stay on disk." if stopped else "The local cloud does not run."
    )


@app.command()
def status(stack: StackOption = "local") -> None:
    """Show the address and process id of the local cloud. Exit status 1: it does not run."""
    chosen = Stack(stack)
    local_cloud.require_local(chosen)
    found = local_cloud.health(chosen)
    if found is None:
        raise local_cloud.not_running(chosen)
    typer.echo(f"The local cloud runs: {chosen.endpoint} (process {found['pid']}), services at {found['edge']}")


@app.command()
def console(
    stack: StackOption = "local",
    show: Annotated[bool, typer.Option("--open", help="Also open the page in a browser.")] = False,
) -> None:
    """Print the address of a page with resources, logs and requests, live. It works once, for two minutes."""
    chosen = Stack(stack)
    address = local_cloud.console(chosen)
    typer.echo(address)
    if show and not open_quietly(address, chosen.cloud_state / "console.html"):
        raise CommandError("No browser could be started.", Fix(first="open the address within two minutes"))


@app.command()
def logs(
    stack: StackOption = "local", lines: Annotated[int, typer.Option("--lines", "-n", help="The number of lines.")] = 50
) -> None:
    """Print the end of the local cloud's own log."""
    chosen = Stack(stack)
    local_cloud.require_local(chosen)
    path = local_cloud.log_file(chosen)
    if not path.exists():
        raise CommandError("The local cloud has no log yet.", Remedy.START_LOCAL_CLOUD)
    typer.echo("\n".join(path.read_text(errors="replace").splitlines()[-lines:]))


@app.command()
def repository(
    name: Annotated[
        str | None, typer.Argument(help="The repository on GitHub, OWNER/REPO. Without it: list all.")
    ] = None,
    checkout: Annotated[Path | None, typer.Argument(help="A git checkout of the repository on this machine.")] = None,
    build: Annotated[
        str, typer.Option("--build", help="The command to run instead of the Dockerfile, in source_dir of a clone.")
    ] = "",
    output: Annotated[str, typer.Option("--output", help="The folder below source_dir that the command creates.")] = "",
    run: Annotated[str, typer.Option("--run", help="The command that starts the app, in that folder.")] = "",
    stack: StackOption = "local",
) -> None:
    """Let the local cloud build apps from a GitHub repository: from a checkout, with a command as the Dockerfile."""
    chosen = Stack(stack)
    if name and checkout is None:
        raise CommandError(
            f"The path of {name}'s checkout is missing.",
            Fix(f"oracle cloud repository {name} CHECKOUT --stack {stack}"),
        )
    if name and checkout:
        at = str(checkout.expanduser().absolute())
        made = {"name": name, "checkout": at, "build": build, "output": output, "run": run}
        local_cloud.allow_repository(chosen, made)
    rows = local_cloud.repositories(chosen)
    columns = ("name", "checkout", "build", "output", "run")
    if not rows:
        add = Fix(f"oracle cloud repository OWNER/REPO CHECKOUT --stack {stack}", "to add one")
        typer.echo(advice.with_fixes("There are no repositories.", [add]))
        return
    report.table(list(columns), [[each[key] for key in columns] for each in rows])


@app.command()
def push(
    name: Annotated[str, typer.Argument(help="The repository's name on GitHub, OWNER/REPO.")],
    branch: Annotated[str, typer.Option("--branch", help="The branch that was pushed.")] = "main",
    stack: StackOption = "local",
) -> None:
    """Report a push to the local cloud, as GitHub does to DigitalOcean. Apps with deploy_on_push are deployed."""
    deployments = local_cloud.push(Stack(stack), name, branch)
    if not deployments:
        typer.echo(f"No app is deployed on a push to {name}, branch {branch}.")
    for each in deployments:
        typer.echo(f"{each['app']} is being deployed: {each['cause']}")
