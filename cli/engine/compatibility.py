"""Compatibility dates that the local cloud's Workers runtime does not know yet, although Cloudflare's takes them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from cli.engine.workspace import Stack, located_tools


def newest_date(node_modules: Path) -> str | None:
    """The newest compatibility date of the runtime, which its version names; None where that cannot be told."""
    try:
        version = json.loads((node_modules / "workerd" / "package.json").read_text())["version"]
    except (OSError, ValueError, LookupError):
        return None
    found = re.fullmatch(r"\d+\.(\d{4})(\d\d)(\d\d)\.\d+", str(version))
    return "-".join(found.groups()) if found else None


def warnings(stack: Stack) -> list[str]:
    """A sentence for each Worker of a stack on the local cloud that runs with an older date there than it asks for."""
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
