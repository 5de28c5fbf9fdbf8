"""All network access goes through one HTTP client; exceptions are listed here with a reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sources import PROJECT, sources, tree

NOT_OURS = PROJECT / "benchmarks"
"""They speak to servers of their own on loopback, as tests do."""
ROADS = (
    "aiohttp",
    "boto3",
    "botocore",
    "ftplib",
    "http.client",
    "httpcore",
    "httpx",
    "requests",
    "urllib.request",
    "urllib3",
    "websockets",
)
"""Modules that open connections."""
CALLS = frozenset({"create_connection", "open_connection", "create_default_context", "urlopen", "urlretrieve"})
"""Functions that do, of modules that are needed for other things too."""
MAKERS = frozenset({"AsyncClient", "AsyncHTTPTransport", "Client", "HTTPTransport"})
VERBS = frozenset({"delete", "get", "head", "options", "patch", "post", "put", "request", "stream"})
"""What httpx makes connections with, beside the clients of `httpclient`."""
EXCEPTIONS = {
    "clients/http.py": "it is the way out",
    "clients/http_routes.py": "its other half, which is imported when a client is made",
    "clients/websocket.py": "the way out of websockets, by the proxies and certificates of httpclient",
    "clients/app_platform/typist.py": "the same websocket; it opens none",
    "storage/backups/bucket.py": "S3's own client; its errors",
    "storage/backups/s3.py": "S3's own client, by the proxies and certificates of httpclient",
    "localcloud/digitalocean/uptime.py": "the local cloud's checks of its own edge, on loopback",
    "localcloud/edge_storage.py": "the local cloud's storage, in a process of its own edge, on loopback",
    "localcloud/health.py": "the local cloud's checks of its apps, on loopback",
    "offline_plugins/api.py": "the offline plugins import nothing of ours, and refuse all but loopback",
    "localcloud/registry.py": "the local cloud's pulls of images, from a registry on loopback",
    "cli/status/certificates.py": "a bare TLS handshake, to see a site's certificate; nothing is asked",
    "toolchain/installer.py": "it runs before there is anything to import; urllib heeds proxies and certificates too",
}


def roads(path: Path) -> Iterator[str]:
    """What the file opens connections with."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _is_road(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in names if _is_road(name) or name.rpartition(".")[2] in CALLS)
        elif isinstance(node, ast.Attribute):
            if node.attr in CALLS:
                yield node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in VERBS | MAKERS:
            if ast.unparse(node.func.value) == "httpx":
                yield f"httpx.{node.func.attr}"
        elif isinstance(node, ast.keyword) and node.arg == "follow_redirects":
            yield "follow_redirects"


def _is_road(name: str) -> bool:
    return any(name == road or name.startswith(f"{road}.") for road in ROADS)


def test_all_requests_use_the_http_client() -> None:
    found = {
        path.relative_to(PROJECT).as_posix(): sorted(set(roads(path)))
        for path in sources()
        if NOT_OURS not in path.parents
    }
    assert {name: used for name, used in found.items() if used and name not in EXCEPTIONS} == {}


def test_every_listed_exception_is_needed() -> None:
    assert not [name for name in EXCEPTIONS if not (PROJECT / name).is_file() or not list(roads(PROJECT / name))]


@pytest.mark.parametrize(
    "text",
    [
        "import requests",
        "import urllib.request",
        "from urllib.request import urlopen",
        "from urllib import request",
        "from http import client",
        "import httpx",
        "from clients.http import httpx\nhttpx.get('x')",
        "from clients.http import httpx\nwith httpx.Client() as http: pass",
        "def late():\n    import boto3",
        "import socket\nsocket.create_connection(('x', 1))",
        "from clients.http import client\nclient().get('x', follow_redirects=True)",
        "from websockets.sync.client import connect",
    ],
)
def test_each_other_way_to_the_network_is_detected(tmp_path: Path, text: str) -> None:
    path = tmp_path / "some.py"
    path.write_text(text)
    assert list(roads(path))


@pytest.mark.parametrize(
    "text", ["from urllib.parse import quote", "from clients.http import client, httpx", "import http"]
)
def test_code_without_network_access_is_not_reported(tmp_path: Path, text: str) -> None:
    path = tmp_path / "some.py"
    path.write_text(text)
    assert not list(roads(path))
