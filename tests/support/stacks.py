"""The stacks' files as they are committed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cli.engine.stacks import TEMPLATE
from settings import Settings

PROJECT = Path(__file__).parents[2]
LOCAL = PROJECT / TEMPLATE
"""The template from which the files of stacks on this machine are written; its names are those of `local`."""


def stack_file(stack: str) -> Path:
    """The file that declares a stack, and the template where it is `local`, which is in no file of git."""
    return LOCAL if stack == "local" else PROJECT / f"Pulumi.{stack}.yaml"


def configured_worker(settings: Settings, name: str, **changes: Any) -> Settings:
    """The settings with one Worker's values changed."""
    worker = settings.workers[name].model_copy(update=changes)
    return settings.model_copy(update={"workers": {**settings.workers, name: worker}})
