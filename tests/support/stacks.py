"""The stacks' files as they are committed."""

from __future__ import annotations

from pathlib import Path

from ops.stacks import TEMPLATE

PROJECT = Path(__file__).parents[2]
LOCAL = PROJECT / TEMPLATE
"""The template from which the files of stacks on this machine are written; its names are those of `local`."""


def stack_file(stack: str) -> Path:
    """The file that declares a stack, and the template where it is `local`, which is in no file of git."""
    return LOCAL if stack == "local" else PROJECT / f"Pulumi.{stack}.yaml"
