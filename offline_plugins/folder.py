"""Plugin folders of a Pulumi home: each holds a short shell script that runs one of our plugins."""

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
    """Create `home`/plugins/resource-NAME-vVERSION/pulumi-resource-NAME, run by `python`, for each name.

    A correct folder stays unchanged. Others are made aside and renamed, so that an engine that starts at that moment
    sees all of a plugin or nothing. Raises OSError.
    """
    for name in names:
        script = _script(home, name, python)
        folder = home / "plugins" / f"resource-{name}-v{VERSIONS[name]}"
        executable = folder / f"pulumi-resource-{name}"
        if not (executable.is_file() and executable.read_text() == script and os.access(executable, os.X_OK)):
            _put(folder, executable.name, script)


def _script(home: Path, name: str, python: Path) -> str:
    """Return the script. It executes Python in place of the shell, so that the plugin's parent is the engine.

    The plugin ends when its parent changes.
    """
    plugin = shlex.quote(code())
    run, launch = shlex.quote(str(python)), shlex.quote(str(Path(__file__).with_name("launch.py")))
    where = shlex.quote(str(home.absolute()))
    return (
        f'#!/bin/sh\n[ -S {where}/{SOCKET} ] && exec {run} -I -S {launch} {where} {plugin} {name} "$@"\n'
        f'exec {run} -I -c {plugin} {name} "$@"\n'
    )


def code() -> str:
    """Return Python code that runs `offline_plugins`.

    With -I it depends on neither the user's site folder, nor the environment, nor the working directory (the
    program's).
    """
    setup = f"import sys; sys.path.insert(0, {str(_ROOT)!r})"
    return f"{setup}; from offline_plugins.__main__ import main; sys.exit(main(sys.argv[1:]))"


def _put(folder: Path, name: str, script: str) -> None:
    """Replace the folder by one that holds the script."""
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
