"""An api service whose requests come over a WebSocket, as the network's own do; it takes the reference API's place."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.live.project import Project

SOURCE = Path(__file__).with_name("worker.js")
DECLARED = "      path: services/api\n      entry: src/worker.js\n"
REPLACED = "      path: services/rpc_api\n      entry: worker.js\n"


def install(project: Project) -> None:
    """Make the stack's api service this one; nothing is deployed yet."""
    target = project.root / "services/rpc_api/worker.js"
    target.parent.mkdir(parents=True)
    shutil.copyfile(SOURCE, target)
    project.edit(project.stack_file.name, DECLARED, REPLACED)
