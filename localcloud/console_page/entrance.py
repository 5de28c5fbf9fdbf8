"""Access to the console page: for a browser that got a one-time code on this machine.

The API's tokens never reach the browser. A holder of the API's token requests a code, which works once within two
minutes. The browser exchanges it for a session's token, which opens only the page's own data. The browser stores that
token for the page's origin, port included, and the page sends it explicitly. A cookie for 127.0.0.1 would also go to
every other port of this machine, and along with requests that other pages make.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable

from starlette.requests import Request

from localcloud.vault import Vault, VaultError

PURPOSE = "console page"
CODE_SECONDS = 120
SESSION_SECONDS = 12 * 3600
SAME = frozenset({"same-origin", "none"})


class Entrance:
    """Issues codes and sessions. Sessions survive a restart of the local cloud: the vault authenticates them."""

    def __init__(self, vault: Vault, port: int, clock: Callable[[], float] = time.time) -> None:
        self._vault = vault
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
        self._clock = clock
        self._codes: dict[str, float] = {}

    def code(self) -> str:
        """Return a new one-time code."""
        now = self._clock()
        self._codes = {old: until for old, until in self._codes.items() if until > now}
        code = secrets.token_urlsafe(32)
        self._codes[_digest(code)] = now + CODE_SECONDS
        return code

    def session(self, code: str) -> str | None:
        """Exchange a code for a session's token and spend the code; return None when it is unknown, used or too old."""
        if self._codes.pop(_digest(code), 0.0) <= self._clock():
            return None
        return self._vault.seal(json.dumps({"until": self._clock() + SESSION_SECONDS}), PURPOSE)

    def admits(self, request: Request) -> bool:
        """Return whether the request carries a valid session's token."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            until = float(json.loads(self._vault.open(token, PURPOSE))["until"])
        except VaultError:
            return False
        return hmac.compare_digest(kind.lower(), "bearer") and until > self._clock()

    def named(self, request: Request) -> bool:
        """Return whether the Host header is our own. A page that uses DNS rebinding sends another."""
        return request.headers.get("host", "").lower() in self._hosts

    def own(self, request: Request) -> bool:
        """Return whether the request comes from our own page, as far as browsers show it: same Origin, same site."""
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site", "none")
        ours = origin is None or origin == f"http://{request.headers.get('host', '').lower()}"
        return self.named(request) and ours and site in SAME


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()
