"""A load like the real front ends': HTTP and open WebSockets, through a site and straight at the API, and one client
that talks to the backend itself.

Every acknowledged write is a post with a title of its own, so that each can be looked for afterwards. Sockets stay
open until somebody else closes them; only then another is opened.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from clients.http import client, httpx
from tests.live.project import Project
from tests.live.tally import RESTART, Tally
from tests.support.waiting import until

RATE = 20.0
"""Writes a second in sum, and as many reads."""
SELDOM_SECONDS = 5.0
"""Between the requests of a client whose socket is idle most of the time."""
ANSWER_SECONDS = 30.0
CLOSE_SECONDS = 2.0
RECOVERY_SECONDS = 60.0
"""In which every client must have had a good answer again, once an operation has ended."""
POSTS, SIGNED = "/api/posts", "/api/signed-posts"
RECORDS = "/api/collections/posts/records"

Json = dict[str, Any]
Answer = tuple[str, Json]
"""A status, `refused` for a freeze's refusal; and the body."""


class SocketClosed(Exception):
    """The socket was closed before all answers had come."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed {code}")
        self.code = code


class NotOpened(Exception):
    """The socket could not be opened; the text is the status or the error."""


@dataclass
class Socket:
    """Remote calls over one WebSocket, which is opened at the first call and after each close."""

    url: str
    tally: Callable[[], Tally]
    _connection: ClientConnection | None = None
    _opened: ExitStack = field(default_factory=ExitStack)
    _ids: Iterator[int] = field(default_factory=itertools.count)

    def call(self, *requests: Json) -> list[Answer]:
        """Send all requests at once and return their answers. Raises SocketClosed and NotOpened."""
        connection = self._connection or self._open()
        numbered = {next(self._ids): request for request in requests}
        answers: dict[int, Answer] = {}
        try:
            for number, request in numbered.items():
                connection.send(json.dumps({"id": number, **request}))
            while len(answers) < len(numbered):
                message = json.loads(connection.recv(timeout=ANSWER_SECONDS))
                if message.get("id") in numbered:
                    answers[message["id"]] = (_status(message["status"], message["data"]), message["data"])
        except ConnectionClosed as closed:
            self.close()
            code = closed.rcvd.code if closed.rcvd else 1006
            self.tally().close(code)
            raise SocketClosed(code) from None
        except TimeoutError:
            self.close()
            return [("no answer", {}) for _ in numbered]
        return [answers[number] for number in numbered]

    def close(self) -> None:
        self._connection = None
        self._opened.close()

    def _open(self) -> ClientConnection:
        parts = urlsplit(self.url)
        try:
            opening = connect(
                f"ws://{parts.netloc}{parts.path}/api/ws",
                address=("127.0.0.1", parts.port or 80),
                proxy=None,
                compression=None,
                ping_interval=None,
                close_timeout=CLOSE_SECONDS,
            )
            self._connection = self._opened.enter_context(opening)
        except InvalidStatus as refused:
            raise NotOpened(f"not opened {refused.response.status_code}") from None
        except (InvalidHandshake, OSError, EOFError) as error:
            raise NotOpened(f"not opened {type(error).__name__}") from None
        return self._connection


def _status(status: object, data: Any) -> str:
    if status == 503 and isinstance(data, dict) and data.get("error") == "hold":
        return "refused"
    return str(status)


def reason(answer: Json) -> str:
    """The API's or PocketBase's own words for a refusal."""
    return str(answer.get("error") or answer.get("message") or "")


@dataclass
class Http:
    """Requests to one address, on one connection or on a new one each time."""

    url: str
    keep: bool = True
    _kept: httpx.Client = field(default_factory=lambda: client(timeout=ANSWER_SECONDS))

    def call(self, method: str, path: str, body: Json | None = None, token: str = "") -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            if self.keep:
                return self._answer(self._kept.request(method, self.url + path, json=body, headers=headers))
            with client(timeout=ANSWER_SECONDS) as fresh:
                return self._answer(fresh.request(method, self.url + path, json=body, headers=headers))
        except httpx.HTTPError as error:
            return type(error).__name__, {}

    def close(self) -> None:
        self._kept.close()

    @staticmethod
    def _answer(response: httpx.Response) -> Answer:
        if response.headers.get("x-oracle-hold") == "1":
            return "refused", {}
        try:
            return str(response.status_code), dict(response.json())
        except ValueError:
            return str(response.status_code), {}


@dataclass
class Member:
    """Somebody who is registered through the API, and registers anew when the data went with which he was."""

    api: Http
    prefix: str
    tally: Callable[[], Tally]
    _token: str = ""
    _id: str = ""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def request(self, path: str) -> tuple[str, Json, str] | None:
        """A unique title, the request that writes it, and the token; None while nobody can register."""
        if not self._token and not self._register():
            return None
        title = f"{self.prefix} {next(self._numbers)}"
        return title, {"title": title, "body": "load", **({"author": self._id} if path == SIGNED else {})}, self._token

    def forget(self) -> None:
        self._token = ""

    def _register(self) -> bool:
        email = f"{re.sub(r'[^a-z0-9]+', '-', self.prefix)}-{next(self._numbers)}@example.org"
        body = {"name": "load", "email": email, "password": "load-password"}
        status, answer = self.api.call("POST", "/api/register", body)
        if status == "refused":
            self.tally().refuse(f"{self.prefix}: register")
        else:
            self.tally().count(f"{self.prefix}: register", status)
        if status != "201":
            return False
        self._token, self._id = answer["token"], answer["human"]["id"]
        return True


class Client:
    """One reader or writer: asks once in `period` seconds, until it is told to stop or has nothing more to do."""

    reads = writes = False

    def __init__(self, load: NetworkLoad, name: str, period: float) -> None:
        self.load, self.name, self.period = load, name, period

    def run(self) -> None:
        due = time.monotonic()
        try:
            while not self.load.over.wait(max(0.0, due - time.monotonic())) and self.step():
                due = max(time.monotonic(), due + self.period)
        except Exception as error:
            self.load.errors.append(error)
        finally:
            self.close()

    def step(self) -> bool:
        """Ask once; False when there is nothing more to be done."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the connections."""

    def member(self) -> Member:
        return Member(Http(self.load.api), f"{self.load.name} {self.name}", lambda: self.load.tally)

    def write(self, member: Member, path: str, send: Callable[[Json, str], Answer]) -> None:
        """Write a post by `send`, and count what became of it."""
        request = member.request(path)
        if request is None:
            return
        title, body, token = request
        status, answer = send(body, token)
        if status == "201":
            self.load.tally.acknowledge(self.name, title)
        elif status == "refused":
            self.load.tally.refuse(self.name)
        else:
            self.load.tally.fail(self.name, status, reason(answer))
            if not status.startswith("closed"):
                member.forget()


class HttpReader(Client):
    def __init__(self, load: NetworkLoad, name: str, period: float, http: Http, path: str = POSTS) -> None:
        super().__init__(load, name, period)
        self.http, self.path = http, path

    def step(self) -> bool:
        status, answer = self.http.call("GET", self.path)
        self.load.tally.read(self.name, status, reason(answer))
        return True

    def close(self) -> None:
        self.http.close()


class HttpWriter(Client):
    def __init__(self, load: NetworkLoad, name: str, period: float, http: Http, path: str = POSTS) -> None:
        super().__init__(load, name, period)
        self.http, self.path, self.author = http, path, self.member()

    def step(self) -> bool:
        self.write(self.author, self.path, lambda body, token: self.http.call("POST", self.path, body, token))
        return True

    def close(self) -> None:
        self.http.close()
        self.author.api.close()


class SocketReader(Client):
    def __init__(self, load: NetworkLoad, name: str, period: float, url: str, path: str = POSTS) -> None:
        super().__init__(load, name, period)
        self.socket, self.path = Socket(url, lambda: load.tally), path

    def step(self) -> bool:
        try:
            [(status, answer)] = self.socket.call({"method": "GET", "path": self.path})
        except (SocketClosed, NotOpened) as error:
            status, answer = str(error), {}
        self.load.tally.read(self.name, status, reason(answer))
        return True

    def close(self) -> None:
        self.socket.close()


class SocketWriter(Client):
    """Writes; with `reading` it also has a read under way on the same socket at the same time."""

    def __init__(
        self, load: NetworkLoad, name: str, period: float, url: str, path: str = POSTS, reading: bool = False
    ) -> None:
        super().__init__(load, name, period)
        self.socket, self.path, self.reading = Socket(url, lambda: load.tally), path, reading
        self.author = self.member()

    def step(self) -> bool:
        self.write(self.author, self.path, self._send)
        return True

    def _send(self, body: Json, token: str) -> Answer:
        requests = [
            {"method": "POST", "path": self.path, "body": body, "headers": {"authorization": f"Bearer {token}"}}
        ]
        if self.reading:
            requests.append({"method": "GET", "path": POSTS})
        try:
            answers = self.socket.call(*requests)
        except (SocketClosed, NotOpened) as error:
            answers = [(str(error), {})] * len(requests)
        written, *read = answers
        for status, answer in read:
            self.load.tally.read(self.name, status, reason(answer))
        return written

    def close(self) -> None:
        self.socket.close()
        self.author.api.close()


class DirectClient(Client):
    """Writes and reads at the backend's own address in turn, until that refuses it."""

    def __init__(self, load: NetworkLoad, name: str, period: float, url: str) -> None:
        super().__init__(load, name, period)
        self.http, self.author = Http(url), self.member()

    def step(self) -> bool:
        request = self.author.request(POSTS)
        if request is None:
            return True
        title, body, token = request
        status, _ = self.http.call("POST", RECORDS, body, token)
        if status != "200":
            self.load.tally.refuse(self.name)
            self.load.tally.count(self.name, f"ended by {status}")
            return False
        self.load.tally.acknowledge(self.name, title, through_api=False)
        status, _ = self.http.call("GET", f"{RECORDS}?perPage=1")
        self.load.tally.read(self.name, status)
        return True

    def close(self) -> None:
        self.http.close()
        self.author.api.close()


@dataclass
class NetworkLoad:
    """All clients of one network. `tally` is that of the operation that is under way."""

    api: str
    site: str
    """The site's address that leads to the API."""
    name: str
    rate: float = RATE
    tally: Tally = field(default_factory=lambda: Tally("start"))
    past: list[Tally] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    errors: list[Exception] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _direct: tuple[str, threading.Thread] | None = None
    _directs: Iterator[int] = field(default_factory=itertools.count)
    _names: set[str] = field(default_factory=set)

    @contextmanager
    def operation(self, name: str, backend: str) -> Iterator[Tally]:
        """Count what becomes of all requests in the block under `name`.

        A client that talks to the backend at `backend` is there when the block begins. When the block has ended well,
        every client of the API must get a good answer once more, or TimeoutError names those that do not.
        """
        self._follow(backend)
        self._begin(name)
        self._all_answered()
        yield self.tally
        self._all_answered()
        self.tally.end()

    def acknowledged(self) -> set[str]:
        """Every title that was acknowledged since the load began."""
        return set().union(self.tally.titles(), *(tally.titles() for tally in self.past))

    def stop(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join(ANSWER_SECONDS + 5)
        if self.errors:
            raise self.errors[0]

    def _begin(self, name: str) -> None:
        self.past.append(self.tally)
        self.tally = Tally(name, last=self.tally.last)

    def _all_answered(self) -> None:
        with self.tally._lock:
            self.tally.answered.clear()

        def silent() -> set[str]:
            return self._names - self.tally.has_answered()

        try:
            until(lambda: not silent() or bool(self.errors), "every client is answered", RECOVERY_SECONDS)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; not {sorted(silent())}: {dict(self.tally.statuses)}") from None

    def _follow(self, backend: str) -> None:
        """Start another direct client when there is none at this address."""
        if self._direct and self._direct[0] == backend and self._direct[1].is_alive():
            return
        direct = DirectClient(self, f"direct {next(self._directs)}", 40 / self.rate / 4, backend)
        self._direct = backend, self._start(direct)

    def _start(self, each: Client) -> threading.Thread:
        thread = threading.Thread(target=each.run, name=each.name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _clients(self) -> Iterator[Client]:
        """Superusers' requests are few: each costs the backend a login, and that a tenth of a second of a processor."""

        def period(share: float) -> float:
            return RATE / self.rate / share

        def keeping(url: str) -> Http:
            return Http(url)

        yield HttpWriter(self, "http write api", period(3.5), keeping(self.api))
        yield HttpWriter(self, "http write api, new connections", period(2), Http(self.api, keep=False))
        yield HttpWriter(self, "http write site", period(3.5), keeping(self.site))
        yield HttpWriter(self, "http write api as superuser", period(0.5), keeping(self.api), SIGNED)
        yield SocketWriter(self, "socket write api", period(3.5), self.api)
        yield SocketWriter(self, "socket write and read site", period(3.5), self.site, reading=True)
        yield SocketWriter(self, "socket write api as superuser", period(0.5), self.api, SIGNED)
        yield SocketWriter(self, "socket write site as superuser", period(1), self.site, SIGNED)
        yield HttpReader(self, "http read api", period(4), keeping(self.api))
        yield HttpReader(self, "http read site", period(4), Http(self.site, keep=False))
        yield HttpReader(self, "http read api as superuser", period(0.5), keeping(self.api), SIGNED)
        yield SocketReader(self, "socket read api", period(3), self.api)
        yield SocketReader(self, "socket read site", period(2.5), self.site)
        yield SocketReader(self, "socket read site as superuser", period(0.5), self.site, SIGNED)
        yield SocketReader(self, "socket read api, seldom", SELDOM_SECONDS, self.api)


@contextmanager
def loaded(project: Project, name: str, rate: float = RATE) -> Iterator[NetworkLoad]:
    """Load on a project whose api service is tests.live.rpc_api, for as long as the block lasts."""
    outputs = project.outputs()
    load = NetworkLoad(outputs["apiUrl"], f"{outputs['webUrl']}/_api", name, rate)
    for each in load._clients():
        load._names.add(each.name)
        load._start(each)
    try:
        yield load
    finally:
        load.stop()


__all__ = ["RESTART", "NetworkLoad", "Tally", "loaded"]
