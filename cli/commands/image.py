"""`oracle image`: push backend images to the local image store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from artifacts.contents import ArtifactError, image_digest, pack_image
from cli.commands.options import StackOption
from cli.engine import local_cloud
from cli.engine.workspace import FIRST, Stack, exports
from cli.ui.errors import CommandError
from clients.http import client, httpx
from errors import Fix, Remedy

app = typer.Typer(help="Push backend images to the local image store.", no_args_is_help=True)


@app.command()
def push(
    directory: Annotated[Path, typer.Argument(help="The directory with the image's files.", metavar="DIR")],
    repository: Annotated[str | None, typer.Option(help="The image's name. Without it: the directory's name.")] = None,
    run: Annotated[str, typer.Option(help="The command that starts the image.")] = "./entrypoint.sh",
    stack: StackOption = "local",
) -> None:
    """Pack DIR as an image, push it, and print its digest."""
    chosen = Stack(stack)
    if not chosen.on_local_cloud:
        raise CommandError(
            f"{stack} is not on the local cloud, to which the image store belongs.",
            Fix(f"oracle image push {directory} --stack {FIRST}", "to push to another stack's local cloud"),
        )
    try:
        packed = pack_image(directory, run.split())
    except ArtifactError as error:
        other = Fix(f"oracle image push DIR --stack {stack}", "to push another directory")
        helps = [other if help is Remedy.BUILD else help for help in error.helps]
        raise CommandError(error.problem, *helps, cause=error.cause) from None
    _put(chosen, image_digest(packed), packed, repository or directory.resolve().name)
    typer.echo(image_digest(packed))


def _put(stack: Stack, digest: str, packed: bytes, repository: str) -> None:
    token = exports(stack).get("DIGITALOCEAN_TOKEN") or os.environ.get("DIGITALOCEAN_TOKEN", "")
    url = f"{stack.endpoint}/_cloud/images/{digest}"
    try:
        with client(timeout=300, headers={"Authorization": f"Bearer {token}"}) as http:
            response = http.put(url, content=packed, params={"repository": repository})
    except httpx.HTTPError:
        raise local_cloud.not_running(stack) from None
    if response.status_code >= 300:
        raise CommandError(
            f"The image store refused {repository} (status {response.status_code}).", local_cloud.read_log(stack)
        )
