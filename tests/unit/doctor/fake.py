"""A server on loopback that answers as the clouds' APIs do, from a table."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from cli.engine.workspace import Stack
from tests.support.stacks import LOCAL

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
    hang: threading.Event | None = None
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


@contextmanager
def served(fake: Fake) -> Iterator[Fake]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            fake.asked.append(path)
            if fake.hang:
                fake.hang.wait(30)
            status, body = fake.answers.get(path, (404, {"message": f"no {path} for {TOKEN}"}))
            if self.headers["authorization"] != f"Bearer {TOKEN}" and not path.startswith("/_cloud"):
                status, body = 401, {}
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate((timestamp or time.time()) + fake.clock, usegmt=True)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    fake.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        if fake.hang:
            fake.hang.set()
        server.shutdown()
        thread.join()
        server.server_close()


def stack(folder: Path, address: str, name: str = "local", **values: Any) -> Stack:
    """The local stack's file in a folder of its own, with other addresses and values."""
    document = yaml.safe_load(LOCAL.read_text())
    document["config"] |= {"digitalocean:apiEndpoint": address, "cloudflare:baseUrl": f"{address}/client/v4"}
    document["config"] |= {f"oracle-net:{key}": value for key, value in values.items()}
    made = Stack(name, folder)
    made.file.write_text(yaml.safe_dump(document))
    return made
