"""The HTTP client: proxies, certificates, redirects, and errors that reveal no secret."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from clients import http_routes
from clients.http import Proxy, client, httpx, is_loopback, proxy_for
from tests.support.scripted import Scripted, scripted
from tests.support.stub_server import BROKEN, Reply, Request, StubServer
from tests.support.waiting import free_port

NAMES = ("https_proxy", "http_proxy", "all_proxy", "no_proxy")
SECRET = "password-of-a-proxy"
PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, *(each.upper() for each in NAMES), "ssl_cert_file", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted({"/": [Reply({"hello": "world"})], "/moved": [Reply(status=302, headers={"location": "/"})]}) as one:
        yield one


def test_threads_share_one_transport(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one would be forgotten, and its connections would stay open after `close`."""
    make, made, both = http_routes._transport, [], threading.Barrier(2)

    def slow(*arguments: Any) -> httpx.HTTPTransport:
        made.append(arguments)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.3)  # for another thread that makes one too
        return make(*arguments)

    monkeypatch.setattr(http_routes, "_transport", slow)
    with client() as http, ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: http.get(server.address + "/"), range(2)))
    assert [each.status_code for each in answers] == [200, 200]
    assert len(made) == 1


@pytest.mark.parametrize(
    "host, here",
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("api.oracle.workers.localhost", True),
        ("10.0.0.1", False),
        ("notlocalhost", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_loopback_hosts_are_recognized(host: str, here: bool) -> None:
    assert is_loopback(host) == here


@pytest.mark.parametrize(
    "no_proxy, url, direct",
    [
        ("", "https://api.example.org", False),
        ("example.org", "https://api.example.org", True),
        ("example.org", "https://example.org", True),
        (".example.org", "https://api.example.org", True),
        ("*.example.org", "https://api.example.org", True),
        ("example.org", "https://badexample.org", False),
        ("one.test, EXAMPLE.org two.test", "https://api.example.org", True),
        ("example.org:8443", "https://example.org:8443", True),
        ("example.org:8443", "https://example.org", False),
        ("example.org:443", "https://example.org", True),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("fd00::/8", "https://[fd12::1]", True),
        ("[fd12::1]:443", "https://[fd12::1]", True),
        ("*", "https://api.example.org", True),
        (",", "https://api.example.org", False),
        ("org", "https://127.0.0.1:8400", True),
        ("", "http://127.0.0.1:8400", True),
        ("", "https://x.workers.localhost:8401", True),
        ("", "ws://127.0.0.1:8400", True),
        ("", "wss://console.example.org", False),
    ],
)
def test_no_proxy_excludes_the_listed_hosts(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, url: str, direct: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(url) == (None if direct else Proxy("HTTPS_PROXY", "http://proxy.test:3128"))


def test_the_proxy_variable_is_chosen_by_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://all.test:1")
    assert proxy_for("http://example.org") == Proxy("ALL_PROXY", "http://all.test:1")
    monkeypatch.setenv("HTTP_PROXY", "plain.test:2")
    assert proxy_for("http://example.org") == Proxy("HTTP_PROXY", "http://plain.test:2")
    monkeypatch.setenv("http_proxy", "http://lower.test:3")
    assert proxy_for("http://example.org") == Proxy("http_proxy", "http://lower.test:3")
    assert proxy_for("https://example.org") == Proxy("ALL_PROXY", "http://all.test:1")


def test_the_proxy_is_used_for_every_host_except_loopback(monkeypatch: pytest.MonkeyPatch, server: Scripted) -> None:
    with scripted({"http://cloud.example/x": [Reply("by way of the proxy")]}) as proxy, client() as http:
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.address)
        assert http.get("http://cloud.example/x").text == "by way of the proxy"
        with pytest.raises(httpx.ProxyError, match="by way of the proxy in HTTPS_PROXY"):
            http.get("https://cloud.example/x")
        assert proxy.asked == ["GET http://cloud.example/x", "CONNECT cloud.example:443"]
        assert http.get(server.address).json() == {"hello": "world"}
        assert http.get(server.address.replace("127.0.0.1", "a.localhost")).json() == {"hello": "world"}
        assert len(proxy.asked) == 2
        assert server.headers[1]["host"].startswith("a.localhost:")


@pytest.mark.parametrize(
    "value, said",
    [
        ("socks5://user:{}@127.0.0.1:{}", "not the address of an HTTP proxy"),
        ("http://user:{}@127.0.0.1:{}", "refused"),
        ("http://user:{}@[::bad/{}", "not the address of an HTTP proxy"),
    ],
)
def test_the_error_of_an_unusable_proxy_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", value.format(SECRET, free_port()))
    with client() as http, pytest.raises(httpx.HTTPError, match=said) as failed:
        http.get("https://cloud.example")
    assert "by way of the proxy in ALL_PROXY" in str(failed.value)
    assert SECRET not in str(failed.value)


def test_a_redirect_is_returned_and_not_followed(server: Scripted) -> None:
    with client(headers={"authorization": "Bearer t"}) as http:
        assert http.get(f"{server.address}/moved").status_code == 302
    assert server.asked == ["GET /moved"]


def test_an_error_does_not_quote_a_header(server: Scripted) -> None:
    """The text of the library's own error would."""
    with client(headers={"authorization": f"Bearer {SECRET}\r"}) as http, pytest.raises(httpx.HTTPError) as failed:
        http.get(server.address)
    assert SECRET not in str(failed.value)
    assert SECRET not in repr(failed.value.__cause__)
    assert not server.asked


@pytest.mark.parametrize(
    "url", ["http://[::bad", "ftp://example.org", "no address", "http://" + 70 * "a" + ".test", ""]
)
def test_an_invalid_address_is_an_http_error(url: str) -> None:
    with client() as http, pytest.raises(httpx.HTTPError):
        http.get(url)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost, signed by itself, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    options = [
        "-addext",
        "subjectAltName=DNS:localhost,DNS:cloud.example,IP:127.0.0.1",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
    ]
    subprocess.run([*command.split(), *options], cwd=folder, capture_output=True, check=True)
    both = folder / "both.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return both


@pytest.fixture(scope="module")
def secure(authority: Path) -> Iterator[str]:
    """An https server that no system trusts."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    with StubServer({"/": Reply(status=204)}, tls=context) as server:
        yield server.url


def test_certificates_are_checked_against_ssl_cert_file(
    monkeypatch: pytest.MonkeyPatch, secure: str, authority: Path
) -> None:
    with client() as http, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        http.get(secure)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with client() as http:
        assert http.get(secure).status_code == 204


@pytest.fixture
def tunnel(secure: str) -> Iterator[str]:
    """A proxy that leads every CONNECT to the https server."""

    def lead(request: Request) -> Reply:
        with socket.create_connection(("127.0.0.1", urlsplit(secure).port or 0)) as there:
            request.connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            back = threading.Thread(target=_pass_on, args=(there, request.connection))
            back.start()
            _pass_on(request.connection, there)
            back.join()
        return BROKEN

    with StubServer(lead) as server:
        yield server.url


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


def test_tls_is_checked_behind_a_proxy_too(monkeypatch: pytest.MonkeyPatch, tunnel: str, authority: Path) -> None:
    monkeypatch.setenv("HTTPS_PROXY", tunnel)
    with client() as http, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        http.get("https://cloud.example/")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with client() as http:
        assert http.get("https://cloud.example/").status_code == 204
        with pytest.raises(httpx.ConnectError, match="Hostname mismatch"):
            http.get("https://another.example/")


def test_the_error_of_an_unusable_certificate_file_names_it(
    monkeypatch: pytest.MonkeyPatch, secure: str, tmp_path: Path
) -> None:
    for path, why in ((tmp_path / "none.pem", "No such file"), (tmp_path / "empty.pem", "it holds no certificate")):
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        if why.startswith("it"):
            path.write_text("nothing")
        with client() as http, pytest.raises(httpx.ConnectError, match=rf"SSL_CERT_FILE names {path}, .*{why}"):
            http.get(secure)


def test_a_client_that_sends_no_request_does_not_import_httpx() -> None:
    """In an update without changes the import of httpx would be a twentieth of the time."""
    said = run_python(
        "import sys, clients.cloud_api, clients.app_platform, clients.pocketbase; print('httpx' in sys.modules)"
    )
    assert said == "False"
    said = run_python("import sys, clients.http as http; http.client(); print({'httpx', 'click'} & {*sys.modules})")
    assert said == "{'httpx'}"


def run_python(text: str) -> str:
    done = subprocess.run([sys.executable, "-c", text], cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
