"""Plugin folders of a Pulumi home, which hold a few lines of shell that run our plugins."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from offline_plugins import VERSIONS
from offline_plugins.launch import SOCKET

_ROOT = Path(__file__).resolve().parents[1]  # the project


def install(home: Path, python: Path, names: Iterable[str]) -> None:
    """Makes `home`/plugins/resource-NAME-vVERSION/pulumi-resource-NAME, run by `python`, for each name.

    What is there already and right is left alone; the rest is made aside and renamed, so that an engine that starts
    meanwhile sees all of a plugin or nothing. Raises OSError.
    """
    for name in names:
        script = _script(home, name, python)
        folder = home / "plugins" / f"resource-{name}-v{VERSIONS[name]}"
        executable = folder / f"pulumi-resource-{name}"
        if not (executable.is_file() and executable.read_text() == script and os.access(executable, os.X_OK)):
            _put(folder, executable.name, script)


def _script(home: Path, name: str, python: Path) -> str:
    """Replaces the shell, so that the plugin's parent is the engine: the plugin ends when that changes."""
    plugin = shlex.quote(code())
    run, launch = shlex.quote(str(python)), shlex.quote(str(Path(__file__).with_name("launch.py")))
    where = shlex.quote(str(home.absolute()))
    return (
        f'#!/bin/sh\n[ -S {where}/{SOCKET} ] && exec {run} -I -S {launch} {where} {plugin} {name} "$@"\n'
        f'exec {run} -I -c {plugin} {name} "$@"\n'
    )


def code() -> str:
    """Python that runs `offline_plugins`; with -I it gets nothing from the user's site, the environment or the
    working directory, which is the program's.
    """
    found = f"import sys; sys.path.insert(0, {str(_ROOT)!r})"
    return f"{found}; from offline_plugins.__main__ import main; sys.exit(main(sys.argv[1:]))"


def _put(folder: Path, name: str, script: str) -> None:
    """Replaces the folder by one that holds the script."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        new = aside / "new"
        new.mkdir(mode=0o755)
        (new / name).write_text(script)
        (new / name).chmod(0o755)
        if folder.is_symlink():
            folder.unlink()  # the engine ignores linked plugin folders
        elif folder.exists():
            folder.rename(aside / "old")
        new.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
