"""The base class of every part of the settings, and the error of its checks."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from errors import STACK, Fix, Help

PROJECT = "oracle-net"
EDIT = Fix(first=f"correct it in Pulumi.{STACK}.yaml")
"""The fix of a problem that no single command fixes."""


class Section(BaseModel):
    """A frozen section with camelCase keys. Unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class InvalidSetting(ValueError):
    """A problem that a check of ours found, and its fixes; without fixes, the key is set to another value.

    `problem` is the end of a sentence that begins with the key. A problem of several sections has no key, and is whole
    sentences.
    """

    def __init__(self, problem: str, *helps: Help) -> None:
        super().__init__(problem)
        self.problem = problem
        self.helps = helps
