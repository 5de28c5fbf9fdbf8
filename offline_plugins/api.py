"""A small HTTP client for one cloud API on loopback, with retries.

The official plugins wait seconds between tries, because the services are far away. On loopback the same number of tries
is made with much shorter waits; a `retry-after` header is honoured unchanged.
"""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urlsplit

from offline_plugins.resource import ProviderError


@dataclass(frozen=True)
class Retries:
    """The retry policy: `more` tries after the first, for these statuses and for connection errors.

    Waits double from `first` to `longest`, in seconds.
    """

    more: int = 4
    first: float = 0.1
    longest: float = 2.0
    statuses: frozenset[int] = frozenset({429})
    server_errors: bool = True  # 5xx except 501

    def wanted(self, answer: Answer) -> bool:
        if answer.headers.get("x-should-retry", "").lower() == "false":
            return False
        return answer.status in self.statuses or (self.server_errors and answer.status >= 500 and answer.status != 501)

    def wait(self, tried: int, answer: Answer | None) -> float:
        """Return the seconds to wait after `tried` tries."""
        asked = answer.headers.get("retry-after", "") if answer else ""
        if asked.isdigit():
            return float(asked)
        return min(self.longest, self.first * 2.0 ** (tried - 1))


@dataclass(frozen=True)
class Answer:
    """A response; header names in lower case. `tries`: the number of requests."""

    method: str
    url: str
    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    tries: int = 1

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @cached_property
    def json(self) -> Any:
        """Return the decoded body; None when it is empty or not JSON."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            return None


class Unreachable(ProviderError):
    """No response: the connection was refused, reset, or silent for too long. `tries` requests were made."""

    def __init__(self, method: str, url: str, cause: str, tries: int) -> None:
        super().__init__(f"{method} {url}: {cause}; is the local cloud running? Start it with: make up")
        self.method, self.url, self.cause, self.tries = method, url, cause, tries


REFUSED = 'The local cloud at {origin} refuses the token. Fix: run `eval "$(oracle env STACK)"`.'


def _silent(_severity: str, _text: str) -> None:
    """Drop a message, for an Api without a log."""


class Api:
    """The client. A provider's `configure` sets `endpoint`, `headers` and `retries`; then resources call `send`."""

    def __init__(self, log: Callable[[str, str], None] = _silent) -> None:
        self.endpoint = ""  # scheme, host, port and path prefix, without a trailing slash
        self.headers: dict[str, str] = {}
        self.retries = Retries()
        self.timeout = 60.0  # seconds of silence that end a try
        self.log = log  # (severity: debug|info|warning|error, text)
        self.cancelled = threading.Event()  # set when the engine cancels, which ends every wait
        self._advised: set[str] = set()
        self._advising = threading.Lock()

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request with retries; return the first final response, or the last one. Raises Unreachable,
        ProviderError.
        """
        if not self.endpoint:
            raise ProviderError(
                "The offline plugin's endpoint is a computed value. Fix: set it to a plain value in the configuration."
            )
        url = self.endpoint + path + ("?" + urlencode(query) if query else "")
        tried = 0
        while True:
            tried += 1
            try:
                answer = self._once(method, url, body, {**self.headers, **(headers or {})}, tried)
            except OSError as error:
                if tried > self.retries.more:
                    self._advise("The local cloud at {origin} does not answer. Fix: run `make up`.")
                    raise Unreachable(method, url, str(error) or type(error).__name__, tried) from None
                answer = None
            if answer and (tried > self.retries.more or not self.retries.wanted(answer)):
                if answer.status == 401 or (answer.status == 403 and b"Authentication error" in answer.body):
                    self._advise(REFUSED)
                return answer
            self.pause(self.retries.wait(tried, answer))

    def send_json(self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None) -> Answer:
        """Send a JSON body; None sends no body."""
        if body is None:
            return self.send(method, path, query=query)
        return self.send(method, path, json.dumps(body).encode(), {"Content-Type": "application/json"}, query)

    def pause(self, seconds: float) -> None:
        """Wait. Raises ProviderError as soon as the engine cancels."""
        if self.cancelled.wait(seconds):
            raise ProviderError("The operation was cancelled.", "CANCELLED")

    def _advise(self, advice: str) -> None:
        """Log one sentence once a run, beside the official plugins' error that every resource gets."""
        with self._advising:
            new, self._advised = advice not in self._advised, self._advised | {advice}
        if new:
            parts = urlsplit(self.endpoint)
            self.log("error", advice.format(origin=f"{parts.scheme}://{parts.netloc}"))

    def _once(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], tried: int) -> Answer:
        """Send one request on a new connection. Raises OSError."""
        from http.client import HTTPConnection, HTTPException  # not at import: many runs send nothing

        parts = urlsplit(url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=self.timeout)
        try:
            target = parts.path + ("?" + parts.query if parts.query else "")
            connection.request(method, target, body, dict(headers))
            response = connection.getresponse()
            received = {name.lower(): value for name, value in response.getheaders()}
            return Answer(method, url, response.status, response.reason, received, response.read(), tried)
        except HTTPException as error:
            raise OSError(f"broken answer: {error!r}") from None
        finally:
            connection.close()


def loopback(url: str, key: str) -> str:
    """Return `url` without a trailing slash. Raises ProviderError, naming the config `key`, unless its host is
    loopback.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http" and _is_loopback(host):
        return url.rstrip("/")
    shown = f"{parts.scheme}://{host}" if host else repr(url)
    raise ProviderError(
        f"{key} is {shown}, but the offline plugin connects to http://127.0.0.1 only. Fix: for the real cloud, use the "
        "official plugin: run `oracle up --plugins official`."
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
