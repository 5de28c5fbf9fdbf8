"""The project's Python environment: .venv, with exactly the packages of requirements.lock and the `oracle` command."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from programs import packages
from toolchain import cache, pins, platforms
from toolchain.errors import DiskFull, ToolError
from toolchain.files import atomic_write
from toolchain.progress import Step, say
from toolchain.run import Command, output, run

VENV = pins.PROJECT / ".venv"
STAMP = "oracle-stamp"
HERE = "."  # the project, relative: in an absolute path pip and uv would read # and % as in an address


def base() -> str:
    """Return the Python that creates environments: never that of an environment, which may be recreated."""
    own = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return str(own) if own.exists() else sys.executable


def stamp(venv: Path = VENV) -> str:
    """Return the stamp of a complete environment at `venv`. It includes the folder, because scripts hold its path."""
    return pins.digest(pins.LOCK, pins.PYPROJECT, extra=f"{venv} 2")


def is_current(venv: Path = VENV) -> bool:
    """Return whether the environment is complete and matches the lock. Reads three small files."""
    try:
        return (venv / STAMP).read_text() == stamp(venv) and (venv / "bin" / "python").exists()
    except OSError:
        return False


def ensure(venv: Path = VENV) -> None:
    """Update the environment to the lock. The stamp is written last, so that an interrupted update is repeated."""
    if is_current(venv):
        return
    with cache.full_disk_reported("making .venv"), cache.lock(f"venv-{pins.digest(extra=str(venv))}"):
        if is_current(venv):
            return
        (venv / STAMP).unlink(missing_ok=True)
        with Step("Python packages into .venv (half a minute)"):
            uv = find_uv()
            _sync_with_uv(uv, venv) if uv else _sync_with_pip(venv)
            cache.remove(pins.PROJECT / "oracle_net.egg-info")  # left by the build; nothing reads it
        atomic_write(venv / STAMP, stamp(venv))


def install_wheel(name: str, target: Path) -> None:
    """Unpack the program that wheels/<name>.txt pins into `target`. Hashes are checked."""
    listed = pins.WHEELS / f"{name}.txt"
    uv = find_uv()
    if uv:
        command: list[str | Path] = [uv, "pip", "install", *packages.uv_options(), "--python", base()]
    else:
        plain = target.parent / "pip"
        _plain_venv(plain)
        command = [plain / "bin" / "python", "-m", "pip", "install"]
    command += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", target, "-r", listed]
    run(command, doing=f"getting {name}", folder=target, env=environment())


def environment() -> dict[str, str]:
    """Return the variables for uv and pip: downloads stay in our cache, and no other Python is downloaded or chosen."""
    return packages.python(
        {
            "UV_CACHE_DIR": str(cache.root() / "uv-cache"),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_NO_PROGRESS": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "VIRTUAL_ENV": "",
        }
    )


def find_uv() -> Path | None:
    """Return uv in the cache, or None when PyPI has none for this machine: pip does the same more slowly."""
    name = f"uv-{pins.wheel('uv')}-{platforms.host().key}-{pins.digest(pins.WHEELS / 'uv.txt')}"
    final = cache.root() / name / "uv"
    if final.exists():
        return final
    try:
        return cache.install(name, _make_uv) / "uv"
    except DiskFull:
        raise
    except ToolError as error:
        say(f"  uv cannot be installed, so pip is used, which takes longer: {error.problem.splitlines()[-1].strip()}")
        return None


def _make_uv(folder: Path) -> None:
    plain = folder / "venv"
    _plain_venv(plain)
    command: Command = [plain / "bin" / "python", "-m", "pip", "install", "--no-deps", "--require-hashes"]
    run(
        [*command, "--only-binary", ":all:", "-r", pins.WHEELS / "uv.txt"],
        doing="getting uv",
        folder=folder,
        env=environment(),
    )
    (plain / "bin" / "uv").rename(folder / "uv")
    cache.remove(plain)
    if output([folder / "uv", "--version"]) is None:
        raise ToolError("uv does not run on this machine.")


def _sync_with_uv(uv: Path, venv: Path) -> None:
    own, options = {**environment(), "VIRTUAL_ENV": str(venv)}, packages.uv_options()
    python = venv / "bin" / "python"
    if output([python, "-c", "import sys"]) is None:
        run(
            [uv, "venv", "--clear", "--python", base(), venv],
            doing="making .venv",
            folder=venv,
            env=own,
        )
    # Compile now: where PYTHONDONTWRITEBYTECODE is set, each run would compile the SDKs again, for seconds.
    run(
        [uv, "pip", "sync", *options, "--compile-bytecode", "--require-hashes", "--python", python, pins.LOCK],
        doing="installing Python packages",
        folder=venv,
        env=own,
    )
    run(
        [uv, "pip", "install", *options, "--no-deps", "--python", python, "-e", HERE],
        doing="installing the oracle command",
        folder=venv,
        env=own,
        cwd=pins.PROJECT,
    )


def _sync_with_pip(venv: Path) -> None:
    """Install into a new environment: pip does not remove the packages of an older lock."""
    cache.remove(venv)
    _plain_venv(venv)
    pip: Command = [venv / "bin" / "python", "-m", "pip", "install", "--quiet"]
    run(
        [*pip, "--require-hashes", "-r", pins.LOCK],
        doing="installing Python packages",
        folder=venv,
        env=environment(),
    )
    run(
        [*pip, "--no-deps", "-e", HERE],
        doing="installing the oracle command",
        folder=venv,
        env=environment(),
        cwd=pins.PROJECT,
    )


def _plain_venv(folder: Path) -> None:
    from importlib.util import find_spec

    if find_spec("ensurepip") is None or find_spec("venv") is None:
        raise ToolError(
            f"{base()} cannot make virtual environments: its venv module is not installed.", _venv_package()
        )
    doing = "making a virtual environment"
    run([base(), "-m", "venv", "--without-pip", folder], doing=doing, folder=folder, env=environment())
    # A step of its own: venv does not report why its pip failed.
    run([folder / "bin" / "python", "-m", "ensurepip", "--default-pip"], doing=doing, folder=folder, env=environment())


def _venv_package() -> str:
    """Return the fix that installs Python's venv module on this system."""
    if shutil.which("apt-get"):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return f"run `sudo apt-get install -y python{version}-venv && make tools`"
    return "install Python 3.11 or later with its venv module, then run `make tools`"
