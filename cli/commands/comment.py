"""`oracle comment`: write or update a comment on a pull request."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.github import comments
from cli.github.api import GitHub
from cli.ui.errors import CommandError
from cli.ui.text import echo_wrapped
from errors import Fix


def comment(
    number: Annotated[int, typer.Argument(help="The pull request's number.", metavar="NUMBER", min=1)],
    file: Annotated[
        Path, typer.Argument(help="A Markdown file, such as `oracle plan --markdown` writes.", metavar="FILE")
    ],
    about: Annotated[str, typer.Option(help="The subject. A pull request has one comment for each subject.")] = "plan",
) -> None:
    """Write FILE as a comment on a pull request. An earlier comment on the same subject is replaced."""
    try:
        text = file.read_text()
    except OSError as error:
        write = Fix(f"oracle plan STACK --markdown {file}", "to write it")
        raise CommandError(f"{file} cannot be read ({error.strerror}).", write) from None
    with GitHub() as hub:
        echo_wrapped(f"The comment: {comments.comment(hub, number, about, text)}")
