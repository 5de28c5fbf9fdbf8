"""Compatibility dates that Cloudflare accepts and the local cloud's Workers runtime does not know yet."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from cli.engine.workspace import Stack, located_tools


def newest_date(node_modules: Path) -> str | None:
    """Return the newest compatibility date that the runtime knows, from its version; None when it is unknown."""
    try:
        version = json.loads((node_modules / "workerd" / "package.json").read_text())["version"]
    except (OSError, ValueError, LookupError):
        return None
    match = re.fullmatch(r"\d+\.(\d{4})(\d\d)(\d\d)\.\d+", str(version))
    return "-".join(match.groups()) if match else None


def warnings(stack: Stack) -> list[str]:
    """Return a warning for each Worker of a local stack that runs with an older date than it asks for."""
    newest = newest_date(located_tools().node_modules) if stack.on_local_cloud else None
    if newest is None:
        return []
    today = datetime.now(UTC).date().isoformat()
    return [
        f"Warning: {name} asks for the compatibility date {worker.compatibility_date}, and the local cloud's runtime "
        f"knows none after {newest}: here it runs with that one. Cloudflare takes any date up to today."
        for name, worker in stack.settings().workers.items()
        if newest < worker.compatibility_date <= today
    ]
