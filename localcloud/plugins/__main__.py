"""`python -m localcloud.plugins NAME [ENGINE_ADDRESS]`: runs one plugin, as the engine starts it."""

from __future__ import annotations

import sys
from types import ModuleType

# grpc imports its asyncio half, and asyncio with it, only to offer it as grpc.aio: nearly half of a plugin's start.
sys.modules.setdefault("grpc.aio", ModuleType("grpc.aio"))

from localcloud.plugins.catalog import provider  # noqa: E402
from localcloud.plugins.server import serve  # noqa: E402


def main(arguments: list[str]) -> int:
    """The exit code. The engine's address is the last argument; the flags before it (logging, tracing) are not ours."""
    words = [argument for argument in arguments if not argument.startswith("-")]
    try:
        chosen = provider(words[0] if words else "")
    except LookupError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    serve(chosen, words[1] if len(words) > 1 else "")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
