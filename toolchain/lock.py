"""Updates the lock files after a pin was changed by hand: `make lock`.

Go updates its own: `go get -tool MODULE@VERSION && go mod tidy` in the modules' folders.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from programs import packages
from toolchain import node, pins, python
from toolchain.errors import ToolError
from toolchain.progress import say
from toolchain.run import Command, run


def write() -> None:
    """Write requirements.lock from requirements-dev.txt, wheels/*.txt from their own first lines, and
    package-lock.json.
    """
    uv = python.find_uv()
    if uv is None:
        raise ToolError(
            "Lock files are written with uv, and uv cannot be installed here.", "run `make lock` on another machine"
        )
    _python_lock(uv)
    for listed in sorted(pins.WHEELS.glob("*.txt")):
        _wheel(uv, listed)
    _node_lock()
    say("Written: requirements.lock, toolchain/wheels/*.txt, toolchain/node/package-lock.json.")


def _compile(uv: Path, source: Path, target: Path, *more: str) -> None:
    """Write one lock for all supported platforms, with hashes and without a registry's name."""
    options = ["--universal", "--python-version", pins.PYTHON_MINIMUM, "--generate-hashes", *more]
    quiet = ["--quiet", "--no-header", "--no-annotate", "--no-emit-index-url"]
    command: Command = [uv, "pip", "compile", *options, *quiet, source, "-o", target]
    run(command, doing=f"locking {source.name}", folder=target.parent, env=python.environment(), cwd=pins.PROJECT)


def _python_lock(uv: Path) -> None:
    _compile(uv, pins.PROJECT / "requirements-dev.txt", pins.LOCK)


def _wheel(uv: Path, listed: Path) -> None:
    source = listed.with_suffix(".in")
    source.write_text(listed.read_text().split()[0] + "\n")
    try:
        listed.unlink()
        _compile(uv, source, listed, "--no-deps")
    finally:
        source.unlink()


def _node_lock() -> None:
    chosen = node.ensure()
    start = [chosen.program, chosen.npm] if chosen.npm.suffix == ".js" else [chosen.npm]
    arguments = [
        "install",
        *packages.NPM_OPTIONS,
        "--package-lock-only",
        "--ignore-scripts",
        "--omit-lockfile-registry-resolved=true",
    ]
    env = {"PATH": f"{chosen.program.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    run([*start, *arguments], doing="locking node", folder=pins.NODE_LOCK, env=packages.npm(env), cwd=pins.NODE_LOCK)
    shutil.rmtree(pins.NODE_LOCK / "node_modules", ignore_errors=True)
