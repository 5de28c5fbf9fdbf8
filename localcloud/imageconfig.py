"""How an image's program is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ImageConfig:
    """Its command, its working directory below the image's root, and its variables."""

    cmd: tuple[str, ...]
    workdir: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    in_root: bool = False
    """Whether paths of the command begin at the image's root. In a packed directory they begin at the working one."""

    @classmethod
    def read(cls, found: Any) -> ImageConfig:
        """From an image's decoded config.json. Raises ValueError where it has no command."""
        cmd = found.get("cmd") if isinstance(found, dict) else None
        if not isinstance(cmd, list) or not cmd or not all(isinstance(word, str) for word in cmd):
            raise ValueError('config.json has no {"cmd": ["program", "argument", …]}')
        workdir, env = str(found.get("workdir") or ""), dict(found.get("env") or {})
        return cls(tuple(cmd), workdir, env, in_root=bool(found.get("in_root")))

    def show(self) -> dict[str, Any]:
        """As `read` takes it; a packed directory has no more than its command."""
        shown: dict[str, Any] = {"cmd": list(self.cmd)}
        return {**shown, "workdir": self.workdir, "env": dict(self.env), "in_root": True} if self.in_root else shown
