"""`oracle cloud`: the local cloud alone."""

from __future__ import annotations

from typing import Annotated

import typer

from ops import local_cloud
from ops.browser import open_quietly
from ops.commands.options import StackOption
from ops.failures import Failure
from ops.workspace import Stack

app = typer.Typer(help="The local cloud: DigitalOcean and Cloudflare on this machine.", no_args_is_help=True)


@app.command()
def start(stack: StackOption = "local") -> None:
    """Start it in the background, with everything it had when it was stopped."""
    chosen = Stack(stack)
    started = local_cloud.start(chosen)
    typer.echo(f"The local cloud {'has started' if started else 'runs already'}: {chosen.endpoint}")


@app.command()
def stop(stack: StackOption = "local") -> None:
    """Stop it; apps, data, Workers and addresses are kept."""
    stopped = local_cloud.stop(Stack(stack))
    typer.echo(
        "The local cloud has stopped; its apps and data are kept." if stopped else "The local cloud does not run."
    )


@app.command()
def status(stack: StackOption = "local") -> None:
    """Whether it runs; exit status 1 when it does not."""
    chosen = Stack(stack)
    found = local_cloud.health(chosen)
    if found is None:
        raise Failure("The local cloud does not run; start it: oracle cloud start")
    typer.echo(f"The local cloud runs: {chosen.endpoint} (process {found['pid']}), services at {found['edge']}")


@app.command()
def console(
    stack: StackOption = "local",
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser too.")] = False,
) -> None:
    """A way into its page: what runs, logs and requests as they come. The address works once, for two minutes."""
    chosen = Stack(stack)
    address = local_cloud.console(chosen)
    typer.echo(address)
    if show and not open_quietly(address, chosen.cloud_state / "console.html"):
        raise Failure("No browser could be started; open the address yourself, within two minutes.")


@app.command()
def logs(
    stack: StackOption = "local", lines: Annotated[int, typer.Option("--lines", "-n", help="How many.")] = 50
) -> None:
    """The end of its own log."""
    path = local_cloud.log_file(Stack(stack))
    if not path.exists():
        raise Failure("The local cloud has no log yet; start it: oracle cloud start")
    typer.echo("\n".join(path.read_text(errors="replace").splitlines()[-lines:]))
