"""The command line: `python -m offline_plugins NAME [ENGINE_ADDRESS]` runs one plugin, as the engine starts it.

`python -m offline_plugins install HOME [NAME ...]` installs the named plugins, or all, in a Pulumi home. `python -m
offline_plugins warm HOME` runs the process that forks plugins for the engines of a home (`warm`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from offline_plugins import VERSIONS, install


def main(arguments: list[str]) -> int:
    """Run a command and return the exit code. Flags are ignored: the engine passes its own (logging, tracing)."""
    words = [argument for argument in arguments if not argument.startswith("-")]
    try:
        if words[:1] == ["install"]:
            _install(words[1:])
        elif words[:1] == ["warm"]:
            _warm_home(words[1:])
        else:
            _serve(*(words or [""])[:2])
    except (LookupError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _install(words: list[str]) -> None:
    if not words:
        raise LookupError("The Pulumi home is missing. Fix: run `python -m offline_plugins install HOME`.")
    names = words[1:] or list(VERSIONS)
    unknown = [name for name in names if name not in VERSIONS]
    if unknown:
        raise LookupError(f"There is no offline plugin {unknown[0]!r}. Fix: use one of {', '.join(VERSIONS)}.")
    install(Path(words[0]), Path(sys.executable), names)


def _warm_home(words: list[str]) -> None:
    if not words:
        raise LookupError("The Pulumi home is missing. Fix: run `python -m offline_plugins warm HOME`.")
    _warm(Path(words[0]).absolute())


def _warm(home: Path) -> None:
    _spare_asyncio()
    from offline_plugins.warm import main as warm

    warm(home)


def _serve(name: str, engine: str = "") -> None:
    _spare_asyncio()
    from offline_plugins.catalog import provider
    from offline_plugins.server import serve

    serve(provider(name), engine)


def _spare_asyncio() -> None:
    """Keep grpc from importing asyncio, which takes half of a plugin's start and is only needed for grpc.aio."""
    sys.modules.setdefault("grpc.aio", ModuleType("grpc.aio"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
