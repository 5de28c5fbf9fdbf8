"""The server of the page on loopback: it answers only at its own address."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

import advice
from cli.dashboard.server import Pages, Server
from errors import Remedy, UserError
from tests.support.http import ask
from tests.support.waiting import free_port


class Counted:
    def __init__(self) -> None:
        self.count = 0
        self.failure: UserError | None = None

    def page(self) -> str:
        self.count += 1
        if self.failure:
            raise self.failure
        return f"<p>{self.count}"


@pytest.fixture
def made() -> Counted:
    return Counted()


@pytest.fixture
def server(made: Counted) -> Iterator[Server]:
    with Server(Pages(made.page, fresh=0), "local", 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_only_the_exact_address_is_answered(server: Server) -> None:
    assert ask("GET", server.address).text == "<p>1"
    base = f"http://127.0.0.1:{server.server_port}"
    for path in ("/", "/favicon.ico", server.path.upper(), server.path[:-2], f"{server.path}x", "/%00", "/é"):
        answer = ask("GET", f"{base}{path}")
        assert answer.status_code == 404, path
        assert answer.text.endswith(" Fix: open the address that `oracle page --stack local` printed.\n")
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask(method, server.address).status_code == 501, method


def test_two_servers_have_different_addresses(server: Server, made: Counted) -> None:
    with Server(Pages(made.page), "local", 0) as other:
        assert other.path != server.path
        assert len(other.path) > 30


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", ""])
def test_a_request_with_a_foreign_host_name_is_refused(server: Server, made: Counted, host: str) -> None:
    answer = ask("GET", server.address, headers={"host": host.format(port=server.server_port)})
    assert answer.status_code == 403
    assert made.count == 0


def test_the_host_name_localhost_is_accepted(server: Server) -> None:
    assert ask("GET", server.address, headers={"host": f"localhost:{server.server_port}"}).status_code == 200


def test_security_headers_are_set(server: Server) -> None:
    for address in (server.address, server.address + "x"):
        headers = ask("GET", address).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"
        assert "Python" not in headers["server"]


def test_a_page_that_cannot_be_made_answers_503(server: Server, made: Counted) -> None:
    made.failure = UserError("There is no stack.", Remedy.RETRY)
    answer = ask("GET", server.address)
    assert (answer.status_code, answer.text) == (503, "There is no stack. Fix: run `oracle page --stack local`.\n")
    made.failure = None
    assert ask("GET", server.address).status_code == 200


def test_concurrent_requests_share_one_page() -> None:
    made = Counted()
    pages = Pages(made.page, fresh=1000)
    threads = [threading.Thread(target=pages.page) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made.count == 1


def test_the_server_listens_only_on_loopback(server: Server) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_a_port_in_use_is_reported(made: Counted) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError) as caught:
            Server(Pages(made.page), "local", port)
    assert advice.text(caught.value, "local", "") == (
        f"Port {port} is in use. Fix: run `oracle page --stack local --port 0` to use any free port."
    )


def test_an_invalid_http_request_does_not_stop_the_server(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01nonsense\r\n\r\n")
        assert connection.recv(100)
    connection2 = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection2.request("GET", server.path)
    assert connection2.getresponse().status == 200
    connection2.close()
