"""A client of a cloud's REST API: it returns JSON of the expected shape, or raises ApiError.

Repeatable requests are retried after transient failures: no answer, 408, 429, 5xx, or a 200 that is not the API's own,
such as a proxy's page. Retry-After is respected up to a limit. A wait longer than the remaining time fails at once. The
token is sent only to the API's address.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from clients.http import client, httpx, is_loopback
from errors import First, Fix, Help, Remedy, SetKey, UserError

T = TypeVar("T")
FIRST_PAUSE, LONGEST_PAUSE = 0.3, 5.0
LONGEST_RETRY_AFTER = 60.0
LOCAL_SECONDS = 30.0
"""How long the local cloud may refuse connections before it counts as stopped, even in a longer wait."""
LARGEST = 64 << 20
"""Largest answer in bytes."""
REPEATABLE = frozenset({"GET", "HEAD"})
WRONG_SHAPE = (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer of any status."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """The media type."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower() or "of no type"

    def json(self) -> Any:
        """Return the decoded body; None if it is empty. Raises ValueError."""
        return json.loads(self.body) if self.body else None

    @property
    def is_object(self) -> bool:
        """True if the body is a JSON object, as all answers of these APIs are."""
        try:
            return isinstance(self.json(), dict)
        except (ValueError, RecursionError):
            return False

    def message(self) -> str:
        """Return the API's error message on one line; without one, the name of the status."""
        try:
            body = self.json()
            errors = [each["message"] for each in body.get("errors") or [] if each.get("message")]
            text = "; ".join(map(str, errors)) or str(body.get("message") or "")
        except WRONG_SHAPE:
            text = ""
        return " ".join((text or self.reason or "no reason given").split())[:300].rstrip(".")

    @property
    def retry_after(self) -> float:
        """The seconds in Retry-After; 0 without it."""
        header = self.headers.get("retry-after", "").strip()
        if re.fullmatch(r"\d{1,9}", header, re.ASCII):
            return float(header)
        try:
            until = parsedate_to_datetime(header)
        except ValueError:
            return 0.0
        return max(0.0, (until.astimezone(UTC) - self._now()).total_seconds())

    def _now(self) -> datetime:
        """Return the time by the sender's clock (Date) if it is known, because a laptop's clock may be wrong."""
        try:
            return parsedate_to_datetime(self.headers["date"]).astimezone(UTC)
        except (KeyError, ValueError):
            return datetime.now(UTC)


class ApiError(UserError):
    """A failed request, and the answer if it came from the API itself."""

    def __init__(
        self,
        problem: str,
        *helps: Help,
        cause: BaseException | str = "",
        answer: Answer | None = None,
        transient: bool = False,
    ) -> None:
        super().__init__(problem, *helps, cause=cause)
        self.answer = answer
        self.transient = transient

    @property
    def status(self) -> int | None:
        """The HTTP status of a refusal."""
        return self.answer.status if self.answer else None


class Unreachable(ApiError):
    """The API did not answer. `reason` is the text and `kind` the name of httpx's error."""

    def __init__(self, problem: str, *helps: Help, kind: str, reason: str) -> None:
        super().__init__(problem, *helps, cause=reason, transient=True)
        self.kind, self.reason = kind, reason

    @property
    def refused(self) -> bool:
        """True if the connection was refused."""
        return self.kind == httpx.ConnectError.__name__


class Api:
    """An API called `name` at `address`. The `token` comes from the environment variable `variable`.

    `address_key` is the configuration key of the address, which errors name; empty if there is none.
    `timeout` limits each step of a request and its whole answer. The `repeatable` methods are retried for `patience`
    seconds, by default a quarter of the timeout. `heard` is called with every answer. Raises ApiError for a text that
    is no token, and for an unencrypted address, where others could read the token.
    """

    def __init__(
        self,
        name: str,
        address: str,
        token: str,
        variable: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        patience: float | None = None,
        repeatable: frozenset[str] = REPEATABLE,
        heard: Callable[[Answer], object] = lambda _: None,
        address_key: str = "",
    ) -> None:
        self.name, self.address, self._variable = name, address.rstrip("/"), variable
        self._set_address: Help = (
            SetKey(address_key, "ADDRESS") if address_key else First(f"set the address of {name}'s API")
        )
        if not is_token(token):
            raise ApiError(
                f"{variable} is not a token: it has a space, a line break or another character that no token has.",
                Fix(f"export {variable}=TOKEN"),
            )
        self._check_address()
        self._http = client(timeout, {**(headers or {}), "Authorization": f"Bearer {token}"})
        self._timeout = timeout
        self._patience = timeout / 4 if patience is None else patience
        self._repeatable = repeatable
        self._heard = heard

    def close(self) -> None:
        self._http.close()

    def ask(
        self, method: str, path: str, read: Callable[[Any], T], body: Any = None, *, seconds: float | None = None
    ) -> T:
        """Return the result of `read` for the answer's JSON. For another shape `read` raises KeyError, TypeError, ….

        `seconds` is the time for retries, if it is not `patience`. Raises ApiError.
        """
        return self._retried(method, path, lambda answer: read(answer.json()), body, seconds)

    def fetch(self, path: str, read: Callable[[Answer], T]) -> T:
        """Return the result of `read` for the answer to GET, which need not be JSON. Raises ApiError."""
        return self._retried("GET", path, read, None, None)

    def _retried(self, method: str, path: str, read: Callable[[Answer], T], body: Any, seconds: float | None) -> T:
        begin, pause = time.monotonic(), FIRST_PAUSE
        while True:
            elapsed = time.monotonic() - begin
            limit = self._timeout if seconds is None else min(self._timeout, max(1.0, seconds - elapsed))
            try:
                return self._once(method, path, read, body, limit)
            except ApiError as error:
                wait = max(pause, self._requested_wait(error))
                over = time.monotonic() - begin + wait > self._retry_time(error, seconds)
                if over or not self._may_repeat(method, error):
                    raise
            time.sleep(wait)
            pause = min(LONGEST_PAUSE, pause * 1.5)

    def _once(self, method: str, path: str, read: Callable[[Answer], T], body: Any, seconds: float) -> T:
        try:
            with self._http.stream(method, f"{self.address}{path}", json=body, timeout=seconds) as response:
                answer = received(response, seconds)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        self._heard(answer)
        return self._read(method, path, answer, read)

    def _read(self, method: str, path: str, answer: Answer, read: Callable[[Answer], T]) -> T:
        if (
            answer.status == 404 and not answer.is_object
        ):  # callers act on a missing resource, so a proxy's 404 must not count
            raise self._foreign(method, path, answer)
        if answer.status >= 400:
            raise self._refusal(method, path, answer)
        if answer.status >= 300:
            host = urlsplit(answer.headers.get("location", "")).netloc or "another address"
            raise ApiError(
                f"{self.name}'s API at {self.address} redirects {method} {path} to {host} (status {answer.status}), "
                "which must not get the token.",
                self._set_address,
            )
        try:
            return read(answer)
        except WRONG_SHAPE:
            raise self._foreign(method, path, answer) from None

    def _foreign(self, method: str, path: str, answer: Answer) -> ApiError:
        problem = (
            f"The answer of {self.address} to {method} {path} is not from {self.name}'s API "
            f"({answer.kind}, status {answer.status})."
        )
        return ApiError(problem, Fix(f"curl -sSI {self.address}", "to see what answers there"), transient=True)

    def _refusal(self, method: str, path: str, answer: Answer) -> ApiError:
        request, cause = f"{method} {path} (status {answer.status}).", answer.message()
        if _is_transient(answer):
            wait = f"wait {answer.retry_after:.0f} s" if answer.retry_after else "wait a minute"
            help = First(wait, Remedy.RETRY)
            return ApiError(f"{self.name}'s API failed at {request}", help, cause=cause, answer=answer, transient=True)
        helps = [First(f"set {self._variable} to a token that may do this")] if answer.status in (401, 403) else []
        return ApiError(f"{self.name} refused {request}", *helps, cause=cause, answer=answer)

    def _unreachable(self, error: httpx.HTTPError) -> Unreachable:
        reason = str(error) or type(error).__name__
        help = Remedy.START_LOCAL_CLOUD if self._local else First("wait a minute", Remedy.RETRY)
        problem = f"{self.name}'s API at {self.address} does not answer."
        return Unreachable(problem, help, kind=type(error).__name__, reason=reason)

    def _may_repeat(self, method: str, error: ApiError) -> bool:
        """Return whether to retry. After 429 any method may be repeated, since the API did nothing."""
        limited = error.answer is not None and error.answer.status == 429
        return error.transient and (method in self._repeatable or limited)

    def _retry_time(self, error: ApiError, seconds: float | None) -> float:
        """Return the time for retries. If the local cloud refuses connections, only an explicit wait retries."""
        if self._local and isinstance(error, Unreachable) and error.refused:
            return min(LOCAL_SECONDS, seconds or 0.0)
        return self._patience if seconds is None else seconds

    @staticmethod
    def _requested_wait(error: ApiError) -> float:
        return min(LONGEST_RETRY_AFTER, error.answer.retry_after) if error.answer else 0.0

    @property
    def _local(self) -> bool:
        return is_loopback(urlsplit(self.address).hostname or "")

    def _check_address(self) -> None:
        try:
            parts = urlsplit(self.address)
            usable = parts.scheme in ("http", "https") and parts.hostname
        except ValueError:
            usable = False
        if not usable:
            raise ApiError(f"{self.address!r} is not an address of {self.name}'s API.", self._set_address)
        if parts.scheme == "http" and not self._local:
            raise ApiError(
                f"{self.address} does not begin with https://, so others could read {self.name}'s token.",
                self._set_address,
            )


def received(response: httpx.Response, seconds: float) -> Answer:
    """Read a whole answer. Raises httpx.HTTPError if it does not end in time, or is too large."""
    end, body = time.monotonic() + seconds, bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > LARGEST:
            raise httpx.ReadError(f"its answer is larger than {LARGEST >> 20} MB")
        if time.monotonic() > end:
            raise httpx.ReadTimeout(f"its answer did not end within {seconds:.0f} s")
    return Answer(response.status_code, response.reason_phrase, response.headers, bytes(body))


def _is_transient(answer: Answer) -> bool:
    """Return whether the same request may succeed later."""
    if answer.headers.get("x-should-retry") == "false" or answer.status == 501:
        return False
    return answer.status in (408, 429) or answer.status >= 500


def is_token(text: str) -> bool:
    """Return whether the text can be a token: one word of visible ASCII."""
    return re.fullmatch(r"[\x21-\x7e]+", text) is not None
