"""The start configuration of an image's program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ImageConfig:
    """The command, the working directory below the image's root, and the variables of an image."""

    cmd: tuple[str, ...]
    workdir: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    in_root: bool = False
    """True when the command's paths start at the image's root. In a packed directory they start at the working
    directory.
    """

    @classmethod
    def read(cls, found: Any) -> ImageConfig:
        """Read an image's decoded config.json. Raises ValueError when it has no command."""
        cmd = found.get("cmd") if isinstance(found, dict) else None
        if not isinstance(cmd, list) or not cmd or not all(isinstance(word, str) for word in cmd):
            raise ValueError('config.json has no {"cmd": ["program", "argument", …]}')
        workdir, env = str(found.get("workdir") or ""), dict(found.get("env") or {})
        return cls(tuple(cmd), workdir, env, in_root=bool(found.get("in_root")))

    def show(self) -> dict[str, Any]:
        """Return the JSON that `read` accepts; a packed directory has only its command."""
        shown: dict[str, Any] = {"cmd": list(self.cmd)}
        return {**shown, "workdir": self.workdir, "env": dict(self.env), "in_root": True} if self.in_root else shown
