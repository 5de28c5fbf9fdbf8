"""Lines about the backend's data, in the output of the engine."""

from __future__ import annotations

import sys


def log(text: str) -> None:
    """Print a line for the user. The engine shows its hosts' standard error."""
    print(f"data | {text}", file=sys.stderr, flush=True)
