"""Benchmark of the write gate outside of a freeze: `python -m benchmarks.write_freeze [--requests N] [--rounds N]`.

A network of its own starts on the local cloud, with the api service of tests/live/rpc_api. That service's module is
also uploaded without the write gate, under another name and with the same bindings. Batches of requests go to both in
turn, in one run, so that the machine's speed cancels out: reads and writes by HTTP, and by messages over WebSockets
that stay open. Prints requests a second and the 99th percentile of each, and the ratios of those with the gate to those
without.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients.http import client
from tests.live import rpc_api
from tests.live.network_load import POSTS, Http, Json, Socket
from tests.live.project import Project
from tests.live.tally import Tally

PLAIN = "api-without-front"
CLIENTS = 4
"""Connections that send requests at the same time."""
REQUESTS, ROUNDS = 200, 10
"""Requests of each batch, over all clients; and batches of each kind. The first batch of each is not counted."""
PERCENTILE = 99

Ask = Callable[[], str]
"""Sends one request and returns its status."""


@dataclass
class Batches:
    """The measurements of one kind of request on one of the two Workers."""

    rates: list[float] = field(default_factory=list)
    """Requests a second, of each batch."""
    seconds: list[float] = field(default_factory=list)
    """Seconds of each request."""

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.seconds, n=100)[PERCENTILE - 1]


@dataclass
class Visitor:
    """One connection of each kind to one Worker, and a member who writes."""

    url: str
    token: str
    prefix: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._http = Http(self.url)
        self._socket = Socket(self.url, lambda: Tally("benchmark"))

    def kinds(self) -> dict[str, Ask]:
        return {
            "HTTP read": lambda: self._http.call("GET", POSTS)[0],
            "HTTP write": lambda: self._http.call("POST", POSTS, self._post(), self.token)[0],
            "WebSocket read": lambda: self._socket.call({"method": "GET", "path": POSTS})[0][0],
            "WebSocket write": lambda: self._socket.call(
                {"method": "POST", "path": POSTS, "body": self._post(), "headers": {"authorization": self.token}}
            )[0][0],
        }

    def close(self) -> None:
        self._http.close()
        self._socket.close()

    def _post(self) -> Json:
        return {"title": f"{self.prefix} {next(self._numbers)}", "body": "benchmark"}


def upload_without_front(project: Project) -> str:
    """Upload the service's own module with our Worker's bindings; return the new Worker's address."""
    outputs, config, tokens = project.outputs(), project.config, project.tokens()
    secrets = {
        "POCKETBASE_URL": outputs["backendUrl"],
        "PB_ADMIN_EMAIL": outputs["adminEmail"],
        "PB_ADMIN_PASSWORD": outputs["adminPassword"],
    }
    metadata: dict[str, Any] = {
        "main_module": "worker.js",
        "compatibility_date": config["oracle-net:workers"]["api"]["compatibilityDate"],
        "bindings": [{"type": "secret_text", "name": name, "text": text} for name, text in secrets.items()],
        "observability": {"enabled": True},
    }
    parts: dict[str, tuple[str | None, bytes, str]] = {
        "metadata": (None, json.dumps(metadata).encode(), "application/json"),
        "worker.js": ("worker.js", rpc_api.SOURCE.read_bytes(), "application/javascript+module"),
    }
    script = f"{config['cloudflare:baseUrl']}/accounts/{tokens['accountId']}/workers/scripts/{PLAIN}"
    with client(timeout=60, headers={"Authorization": f"Bearer {tokens['cloudflare']}"}) as http:
        uploaded = http.put(script, files=parts)
        assert uploaded.status_code == 200, uploaded.text
        shown = http.post(f"{script}/subdomain", json={"enabled": True, "previews_enabled": False})
        assert shown.status_code == 200, shown.text
    return str(config["oracle-net:workersUrl"]).format(script=PLAIN)


def measure(batches: Batches, asks: list[Ask], requests: int, pool: ThreadPoolExecutor) -> None:
    """Run one batch: all clients send at the same time. Raises AssertionError when a request fails."""

    def ask(one: Ask) -> list[float]:
        taken = []
        for _ in range(requests // CLIENTS):
            began = time.perf_counter()
            status = one()
            taken.append(time.perf_counter() - began)
            assert status in ("200", "201"), status
        return taken

    began = time.perf_counter()
    taken = [seconds for each in pool.map(ask, asks) for seconds in each]
    batches.rates.append(len(taken) / (time.perf_counter() - began))
    batches.seconds += taken


def compare(ours: str, plain: str, token: str, requests: int, rounds: int) -> dict[str, tuple[Batches, Batches]]:
    """Measure both Workers in turn, for each kind of request: (with the gate, without it)."""
    visitors = {url: [Visitor(url, token, f"{url} {number}") for number in range(CLIENTS)] for url in (ours, plain)}
    kinds = list(visitors[ours][0].kinds())
    measured = {kind: (Batches(), Batches()) for kind in kinds}
    with ThreadPoolExecutor(CLIENTS) as pool:
        for number, kind in itertools.product(range(rounds + 1), kinds):
            turns = list(zip((ours, plain), measured[kind], strict=True))
            for url, batches in turns if number % 2 else reversed(turns):
                asks = [visitor.kinds()[kind] for visitor in visitors[url]]
                measure(batches if number else Batches(), asks, requests, pool)
    for visitor in itertools.chain(*visitors.values()):
        visitor.close()
    return measured


def main() -> None:
    """Start the network, measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, help=f"of each batch ({REQUESTS})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"batches of each kind ({ROUNDS})")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Project.copied(Path(folder) / "project")
        rpc_api.install(project)
        try:
            project.oracle("up").well()
            ours, plain = str(project.outputs()["apiUrl"]), upload_without_front(project)
            measured = compare(ours, plain, _token(ours), options.requests, options.rounds)
        finally:
            project.stop()
    print("                  with the front         without it             ratios")
    for kind, (front, none) in measured.items():
        shown = "   ".join(f"{each.rate:6.0f}/s p99 {each.p99 * 1000:5.1f} ms" for each in (front, none))
        print(f"{kind:16}  {shown}   {front.rate / none.rate:.2f} x rate, {front.p99 / none.p99:.2f} x p99")


def _token(url: str) -> str:
    body = {"name": "Ben", "email": "ben@example.org", "password": "ben-password"}
    status, answer = Http(url).call("POST", "/api/register", body)
    assert status == "201", answer
    return str(answer["token"])


if __name__ == "__main__":
    main()
