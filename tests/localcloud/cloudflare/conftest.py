"""An edge on a free port, and small Workers to run on it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.edge import Edge
from localcloud.worker_spec import Module, WorkerSpec
from tests.localcloud.cloudflare.loop import Loop
from tests.localcloud.cloudflare.service import Client, Running
from tests.localcloud.cloudflare.upstream import App
from tests.support.http import NO_TLS


@dataclass(frozen=True)
class Programs:
    """Where Node and its packages are."""

    node: Path
    node_modules: Path
    pocketbase: Path = Path("/bin/true")  # nothing here runs it


@pytest.fixture(scope="session")
def programs() -> Programs:
    """From the environment (ORACLE_NODE, ORACLE_NODE_MODULES) or from the toolchain's cache."""
    if "ORACLE_NODE" in os.environ:
        return Programs(Path(os.environ["ORACLE_NODE"]), Path(os.environ["ORACLE_NODE_MODULES"]))
    from toolchain import tools

    found = tools.locate()
    return Programs(found.node, found.node_modules, found.pocketbase)


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with Loop() as running:
        yield running


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def edge(loop: Loop, root: Path, programs: Programs) -> Iterator[Edge]:
    made = Edge(root, 0, programs)
    loop.run(made.start())
    yield made
    loop.run(made.stop())


@pytest.fixture
def app() -> Iterator[App]:
    made = App("one")
    yield made
    made.stop()


@pytest.fixture
def spec(tmp_path: Path) -> Any:
    """spec(code, **fields): a one-module WorkerSpec."""
    numbers = itertools.count()

    def make(code: str, **fields: Any) -> WorkerSpec:
        file = tmp_path / f"worker{next(numbers)}.js"
        file.write_text(code)
        module = Module(name="worker.js", kind="ESModule", file=file)
        defaults: dict[str, Any] = {
            "modules": [module],
            "compatibility_date": "2025-06-01",
            "log": tmp_path / "log.jsonl",
        }
        return WorkerSpec(**(defaults | fields))

    return make


@dataclass
class Browser:
    """Asks the edge for a host the way a client would that resolves names under .localhost."""

    port: int
    client: httpx.Client

    def __call__(self, method: str, host: str, path: str = "/", **more: Any) -> httpx.Response:
        headers = {"host": f"{host}:{self.port}"} | more.pop("headers", {})
        return self.client.request(method, f"http://127.0.0.1:{self.port}{path}", headers=headers, **more)


@pytest.fixture
def ask(edge: Edge) -> Iterator[Browser]:
    with httpx.Client(trust_env=False, timeout=20, verify=NO_TLS) as client:
        yield Browser(edge.port, client)


@pytest.fixture(scope="module")
def api(loop: Loop, tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Iterator[Client]:
    """The Cloudflare API with an edge of its own, on an empty state folder."""
    running = Running(tmp_path_factory.mktemp("cloud"), programs)
    loop.run(running.start())
    client = Client(running, loop)
    yield client
    client.http.close()
    loop.run(running.stop())
