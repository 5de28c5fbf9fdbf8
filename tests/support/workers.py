"""Workers on real workerd, as the local cloud runs them, but without the cloud."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from toolchain.tools import Tools

PROJECT = Path(__file__).parents[2]
API = PROJECT / "services" / "api" / "src" / "worker.js"
STATIC = PROJECT / "components" / "static_worker.js"
RUNNER = Path(__file__).with_name("workers.mjs")


@dataclass(frozen=True, kw_only=True)
class Worker:
    """What to run: a module, its text bindings, perhaps a folder of assets. Port 0 means any free one."""

    name: str
    module: Path
    bindings: Mapping[str, str] = field(default_factory=dict)
    assets: Path | None = None
    port: int = 0
    compatibility_date: str = "2025-06-01"


def static(name: str, assets: Path, **bindings: str) -> Worker:
    """The static Worker in front of that folder, as the program deploys it."""
    return Worker(name=name, module=STATIC, bindings=bindings, assets=assets, compatibility_date="2025-01-01")


@contextmanager
def running(tools: Tools, workers: Sequence[Worker]) -> Iterator[dict[str, str]]:
    """The addresses by name, while the Workers run. Raises RuntimeError when one does not start."""
    # The bindings go through a pipe: planted secrets must not stand in the process list.
    command = [tools.node, RUNNER, tools.node_modules]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps([asdict(worker) for worker in workers], default=str) + "\n")
            process.stdin.flush()
            yield dict(_started(process.stdout.readline()) for _ in workers)
        finally:
            process.stdin.close()
            process.wait(20)


def _started(line: str) -> tuple[str, str]:
    if not line:
        raise RuntimeError("a Worker did not start; the reason is above")
    answer = json.loads(line)
    return answer["name"], answer["url"]
