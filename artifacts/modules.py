"""The single module of a Worker: its text and its digest."""

from __future__ import annotations

import hashlib
from pathlib import Path

from artifacts.folders import ArtifactError, MissingFile, read_file, shown, source_files
from errors import First, Remedy

SCRIPT_LIMIT = 10 * 1024 * 1024
"""Cloudflare Workers, paid plan: 10 MB compressed. The uncompressed size is checked, so this is strict."""
MODULE_SUFFIXES = (".js", ".mjs")


def read_module(entry: Path) -> str:
    """Read a Worker's single module. Raises ArtifactError when it is missing, too large or not text."""
    try:
        content = read_file(entry)
    except MissingFile:
        raise _no_module(entry) from None
    if len(content) > SCRIPT_LIMIT:
        size, limit = len(content) / 1048576, SCRIPT_LIMIT // 1048576
        raise ArtifactError(
            f"The Worker's module {shown(entry)} has {size:.1f} MiB, but Cloudflare's limit is {limit} MiB.",
            First("reduce its size", Remedy.BUILD),
        )
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ArtifactError(
            f"The Worker's module {shown(entry)} is not UTF-8 text.",
            First("set the Worker's `entry` to its bundled module", Remedy.BUILD),
        ) from None


def _no_module(entry: Path) -> ArtifactError:
    """Return the error for a missing module. It names other modules in the folder: the build may have renamed it."""
    try:
        beside = source_files(entry.parent, lambda _name, folder: folder)
    except ArtifactError:
        beside = []
    there = [file.name for file in beside if file.name.endswith(MODULE_SUFFIXES)]
    problem = f"The Worker's module {shown(entry)} does not exist."
    if not there:
        return ArtifactError(problem, Remedy.BUILD)
    return ArtifactError(
        f"{problem} Its folder has {', '.join(there)}.", First("set the Worker's `entry` to that"), Remedy.BUILD
    )


def module_digest(module: str) -> str:
    """Return the SHA-256 of a module's text, in hex."""
    return hashlib.sha256(module.encode()).hexdigest()
