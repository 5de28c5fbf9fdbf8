"""A server on loopback that answers as the clouds' APIs do, from a table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any

import yaml

from cli.engine.workspace import Stack
from tests.support.stacks import LOCAL
from tests.support.stub_server import Reply, Request, StubServer

ACCOUNT = "0ac1e0000000000000000000000000ce"
ZONE = "1" * 32
TOKEN = "a-token-that-nobody-may-see"
VERIFY = "/client/v4/user/tokens/verify"
OWN = f"/client/v4/accounts/{ACCOUNT}/tokens/verify"
SCRIPTS = f"/client/v4/accounts/{ACCOUNT}/workers/scripts"


@dataclass
class Fake:
    """Well in everything until a test says otherwise. `asked` has the paths in their order."""

    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    clock: float = 0.0
    """Seconds that its clock is ahead."""
    asked: list[str] = field(default_factory=list)
    hangs: bool = False
    address: str = ""

    def __post_init__(self) -> None:
        self.answers = {
            "/v2/account": (200, {"account": {"email": "ada@example.org", "status": "active"}}),
            "/v2/apps": (200, {"apps": []}),
            "/v2/uptime/checks": (200, {"checks": []}),
            "/v2/registry": (200, {"registry": {"name": "ours"}}),
            VERIFY: (200, {"result": {"id": "1", "status": "active"}}),
            SCRIPTS: (200, {"result": []}),
            f"/client/v4/zones/{ZONE}": (200, {"result": {}}),
            **self.answers,
        }

    def reply(self, request: Request) -> Reply:
        self.asked.append(request.path)
        status, body = self.answers.get(request.path, (404, {"message": f"no {request.path} for {TOKEN}"}))
        if request.headers.get("authorization") != f"Bearer {TOKEN}" and not request.path.startswith("/_cloud"):
            status, body = 401, {}
        date = formatdate(time.time() + self.clock, usegmt=True)
        return Reply(body, status, headers={"date": date}, hangs=self.hangs)


@contextmanager
def served(fake: Fake) -> Iterator[Fake]:
    with StubServer(fake.reply) as server:
        fake.address = server.url
        yield fake


def stack(folder: Path, address: str, name: str = "local", **values: Any) -> Stack:
    """The local stack's file in a folder of its own, with other addresses and values."""
    document = yaml.safe_load(LOCAL.read_text())
    document["config"] |= {"digitalocean:apiEndpoint": address, "cloudflare:baseUrl": f"{address}/client/v4"}
    document["config"] |= {f"oracle-net:{key}": value for key, value in values.items()}
    made = Stack(name, folder)
    made.file.write_text(yaml.safe_dump(document))
    return made
