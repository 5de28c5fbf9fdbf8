"""npm on PATH, whether or not this machine has one of its own."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from toolchain import node


def path(folder: Path) -> str:
    """A PATH with node and npm, which are put into `folder`, and the system's programs."""
    found = node.ensure()
    folder.mkdir(parents=True)
    (folder / "node").symlink_to(found.program)
    start = f'"{found.program}" "{found.npm}"' if found.npm.suffix == ".js" else f'"{found.npm}"'
    (folder / "npm").write_text(f'#!/bin/sh\nexec {start} "$@"\n')
    (folder / "npm").chmod(0o755)
    return f"{folder}:/usr/local/bin:/usr/bin:/bin"


def package(manifest: str, module: str) -> bytes:
    """A package as a registry has it: its package.json and its index.js, packed."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        for name, text in (("package.json", manifest), ("index.js", module)):
            about = tarfile.TarInfo(f"package/{name}")
            about.size = len(text)
            made.addfile(about, io.BytesIO(text.encode()))
    return packed.getvalue()
