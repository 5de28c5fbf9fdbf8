"""Install the provider plugins of a stack on the local cloud: the official ones, or the project's offline plugins."""

from __future__ import annotations

import os
import shutil
import sys
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from cli.engine.workspace import PROJECT, Stack, exports
from cli.ui.errors import CommandError
from errors import Fix, Remedy
from programs import OutOfTime, run

NAMES = ("random", "digitalocean", "cloudflare")
MARK = "offline-plugin"
INSTALL_SECONDS = 300


class Plugins(StrEnum):
    auto = "auto"
    official = "official"
    offline = "offline"


def provide(stack: Stack, choice: Plugins) -> Plugins:
    """Install the chosen plugins in the stack's own Pulumi home; return the kind that was installed.

    Raises CommandError.
    """
    if choice is Plugins.offline or (choice is Plugins.auto and are_all(stack, Plugins.offline)):
        return _install_offline(stack)
    if _install_official(stack):
        return Plugins.official
    if choice is Plugins.official:
        raise CommandError(
            "The official provider plugins cannot be installed on this machine.",
            Fix(f"oracle up {stack.name} --plugins offline", "to use the offline plugins"),
        )
    return _install_offline(stack)


def are_all(stack: Stack, kind: Plugins) -> bool:
    """Return whether all plugins in the stack's Pulumi home are of this kind."""
    return all(_kind(stack, name) is kind for name in NAMES)


def _name(name: str) -> str:
    return f"resource-{name}-v{metadata.version(f'pulumi-{name}')}"


def _folder(stack: Stack, name: str) -> Path:
    return stack.home / "plugins" / _name(name)


def _kind(stack: Stack, name: str) -> Plugins | None:
    folder = _folder(stack, name)
    if not (folder / f"pulumi-resource-{name}").exists():
        return None
    return Plugins.offline if (folder / MARK).exists() else Plugins.official


def _install_official(stack: Stack) -> bool:
    """Install the official plugins; return False, with nothing changed, when one is not available."""
    needed = [name for name in NAMES if _kind(stack, name) is not Plugins.official]
    home = stack.home / "official"
    if not all(_install(stack, name, home) for name in needed):
        return False
    for name in needed:
        shutil.rmtree(_folder(stack, name), ignore_errors=True)
        _folder(stack, name).parent.mkdir(parents=True, exist_ok=True)
        (home / "plugins" / _name(name)).rename(_folder(stack, name))
    return True


def _install(stack: Stack, name: str, home: Path) -> bool:
    """Install one official plugin into the Pulumi home `home`, which is not the stack's own."""
    command = ["pulumi", "plugin", "install", "resource", name, f"v{metadata.version(f'pulumi-{name}')}"]
    environment = {**os.environ, **exports(stack), "PULUMI_HOME": str(home)}
    try:
        done = run(command, env=environment, seconds=INSTALL_SECONDS)
    except OutOfTime:
        return False
    return done.status == 0 and (home / "plugins" / _name(name) / f"pulumi-resource-{name}").exists()


def _install_offline(stack: Stack) -> Plugins:
    for name in NAMES:
        if _kind(stack, name) is Plugins.official:
            shutil.rmtree(_folder(stack, name))
    command = [sys.executable, "-m", "offline_plugins", "install", str(stack.home), *NAMES]
    done = run(command, cwd=PROJECT, seconds=INSTALL_SECONDS)
    if done.status != 0:
        last = (done.errors.strip().splitlines() or ["it printed nothing"])[-1]
        raise CommandError("The offline provider plugins could not be installed.", Remedy.RETRY, cause=last)
    for name in NAMES:
        (_folder(stack, name) / MARK).touch()
    return Plugins.offline
