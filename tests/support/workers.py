"""Workers on real workerd, as the local cloud runs them, but without the cloud."""

from __future__ import annotations

import atexit
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from toolchain.tools import Tools

PROJECT = Path(__file__).parents[2]
API = PROJECT / "services" / "api" / "src" / "worker.js"
STATIC = PROJECT / "sources" / "static_worker.js"
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
    host = _host(tools)
    started = host.ask(start=[asdict(worker) for worker in workers])
    try:
        yield dict(started["urls"])
    finally:
        host.ask(stop=started["id"])


def call_handlers(tools: Tools, workers: Sequence[Worker]) -> dict[str, Any]:
    """Have each Worker's `scheduled` and `queue` called, which no request reaches, on a runtime that ends then.

    Answers by name: both outcomes, and `seen`, the JSON that its /seen answers afterwards.
    """
    return _host(tools).ask(handlers=[asdict(worker) for worker in workers])


class _Host:
    """The Node process that runs all Workers of this test process, each on a workerd of its own."""

    def __init__(self, tools: Tools) -> None:
        command = [tools.node, RUNNER, tools.node_modules]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self.close)

    def ask(self, **operation: Any) -> dict[str, Any]:
        """The answer to an operation of workers.mjs. Raises RuntimeError.

        It goes through a pipe: planted secrets must not stand in the process list.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(operation, default=str) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that runs Workers has ended; the reason is above")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"a Worker did not start: {answer['error']}")
        return answer

    def close(self) -> None:
        with self._process as process:
            assert process.stdin
            process.stdin.close()
            process.wait(20)


@cache
def _host(tools: Tools) -> _Host:
    return _Host(tools)
