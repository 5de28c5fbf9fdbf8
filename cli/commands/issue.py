"""`oracle issue`: open, update or close the one issue on a subject."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.github import issues
from cli.github.api import GitHub
from cli.ui.errors import CommandError
from cli.ui.text import echo_wrapped
from errors import Fix


def issue(
    about: Annotated[
        str, typer.Argument(help="The subject. At most one issue is open for each subject.", metavar="ABOUT")
    ],
    file: Annotated[
        Path | None, typer.Argument(help="A Markdown file, such as `oracle drift --markdown` writes.", metavar="[FILE]")
    ] = None,
    title: Annotated[str, typer.Option(help="The issue's title.")] = "",
    done: Annotated[bool, typer.Option("--done", help="Close the issue, because the problem is solved.")] = False,
) -> None:
    """Open an issue with FILE as its text, update the open one, or close it."""
    if (file is None) is not done:
        raise CommandError(
            "Give either a file or --done.", Fix(f"oracle issue {about} FILE"), Fix(f"oracle issue {about} --done")
        )
    with GitHub() as hub:
        if file is None:
            closed = issues.close(hub, about)
            echo_wrapped(f"Closed: {closed}" if closed else "No issue is open.")
            return
        try:
            text = file.read_text()
        except OSError as error:
            raise CommandError(
                f"{file} cannot be read ({error.strerror}). The step that writes it has failed."
            ) from None
        echo_wrapped(f"The issue: {issues.open_or_update(hub, about, title or about.capitalize(), text)}")
