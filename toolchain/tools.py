"""The installed tools and their paths: `locate()` for the rest of the project, `ensure()` to install missing ones."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from toolchain import cache, engine, node, path, pins, platforms, python
from toolchain.engine import Source
from toolchain.errors import ToolError, ToolMissing
from toolchain.files import atomic_write
from toolchain.run import output

__all__ = ["ToolError", "ToolMissing", "Tools", "ensure", "locate"]

RECORD = "oracle-tools.json"


@dataclass(frozen=True)
class Tools:
    """The paths of all tools, absolute.

    `engine_bin` is a folder with pulumi, pulumi-language-python, pulumi-language-python-exec and
    pulumi-resource-pulumi-python; `node` a program, `node_modules` the folder with miniflare and wrangler; `pocketbase`
    and `python` are programs.
    """

    engine_bin: Path
    engine_version: str
    engine_source: Source
    node: Path
    node_modules: Path
    pocketbase: Path
    python: Path


def locate(venv: Path = python.VENV) -> Tools:
    """Return the record of the last `make tools`. Raises ToolMissing when it never ran or a tool has been removed."""
    return _read(venv)[0]


def is_current(venv: Path = python.VENV) -> bool:
    """Return whether all tools match the pins and PATH. Runs no program."""
    if not python.is_current(venv):
        return False
    try:
        return _read(venv)[1] == _key()
    except ToolMissing:
        return False


def ensure() -> Tools:
    """Install missing tools; print nothing when none is missing."""
    if is_current():
        return locate()
    python.ensure()
    key = _key()
    with cache.full_disk_reported("getting tools"):
        chosen_node = node.ensure()
        node_modules = node.modules(chosen_node)
        chosen = engine.ensure()
        installed = Tools(
            engine_bin=chosen.folder,
            engine_version=chosen.version,
            engine_source=chosen.source,
            node=chosen_node.program,
            node_modules=node_modules,
            pocketbase=_pocketbase(),
            python=python.VENV / "bin" / "python",
        )
        _write(installed, key)
    return installed


def _pocketbase() -> Path:
    program = python.VENV / "bin" / "pocketbase"
    if output([program, "--version"]) is None:
        raise ToolError(f"PocketBase ({program}) does not run on this machine.", "run `rm -rf .venv && make tools`")
    return program


def _key() -> str:
    """Return a text that changes with every pin, and with the user's programs on PATH."""
    files = [
        *(pins.ENGINE_MOD / name for name in ("go.mod", "go.sum")),
        *(pins.LANGHOST_MOD / name for name in ("go.mod", "go.sum")),
        *(pins.NODE_LOCK / name for name in ("package.json", "package-lock.json")),
        pins.WHEELS / "node.txt",
        pins.LOCK,
    ]
    parts = [pins.ENGINE, platforms.host().key, str(cache.root()), os.environ.get("ORACLE_ENGINE", "")]
    return pins.digest(*files, extra="\n".join([*parts, path.signature("pulumi"), path.signature("node")]))


def _read(venv: Path) -> tuple[Tools, str]:
    """Return the record, and the key with which it was made."""
    try:
        record = json.loads((venv / RECORD).read_text())
        texts = record["tools"]
        recorded = Tools(
            engine_bin=Path(texts["engine_bin"]),
            engine_version=texts["engine_version"],
            engine_source=texts["engine_source"],
            node=Path(texts["node"]),
            node_modules=Path(texts["node_modules"]),
            pocketbase=Path(texts["pocketbase"]),
            python=Path(texts["python"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ToolMissing("The tools have not been installed yet.") from error
    _check(recorded)
    return recorded, record["key"]


def _check(recorded: Tools) -> None:
    needed = {
        "The Pulumi engine": recorded.engine_bin / "pulumi",
        "The Python language host": recorded.engine_bin / "pulumi-language-python",
        "Node": recorded.node,
        "The Workers runtime": recorded.node_modules / "miniflare",
        "PocketBase": recorded.pocketbase,
        "The Python environment": recorded.python,
    }
    for name, place in needed.items():
        if not place.exists():
            raise ToolMissing(f"{name} is no longer at {place}.")


def _write(installed: Tools, key: str) -> None:
    record = {"key": key, "tools": {name: str(value) for name, value in asdict(installed).items()}}
    atomic_write(python.VENV / RECORD, json.dumps(record, indent=2) + "\n")
