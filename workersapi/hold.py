"""A hold on the API's writes while data is carried from one backend to the next.

The Worker's front refuses writes until the moment in the secret HOLD_UNTIL (milliseconds since 1970). The hold ends by
itself at that moment, so nothing that goes wrong here can keep the API from writing for good; it ends earlier when the
engine uploads the script again, because an upload drops every secret that it does not name.
"""

from __future__ import annotations

import contextlib
import time

from loopback import client, httpx
from waiting import backoff
from workersapi.client import Workers, WorkersApiError

SECRET = "HOLD_UNTIL"
MARK = "x-oracle-hold"
PROBE_PATH = "/_oracle/hold-probe"
PROBE_SECONDS = 5.0
PROOFS = 3
"""Held answers in a row, each on a connection of its own: a new version reaches an edge's machines one by one."""


class WriteHold:
    """`with WriteHold(workers, script, seconds, url=…) as hold:` holds the writes of the Worker that answers at `url`.

    Entering returns once the Worker has been seen to refuse writes, and `settle` seconds later: until then a write that
    it took before may still be on its way to the backend. Leaving by an exception releases the hold; leaving normally
    does not, because the upload that follows does. Without such a script (a first deployment) nothing is held.

    Raises WorkersApiError when the API refuses, and when the Worker still takes writes after `wait` seconds.
    """

    def __init__(
        self, workers: Workers, script: str, seconds: float, *, url: str, wait: float = 30.0, settle: float = 2.0
    ) -> None:
        self.held = False
        """Whether writes are refused; False without such a script, and after `release`."""
        self.began: float | None = None
        """When the Worker was first seen to refuse writes: seconds since 1970 by Cloudflare's clock."""
        self._workers, self._script, self._url = workers, script, url.rstrip("/")
        self._seconds, self._wait, self._settle = seconds, wait, settle
        self._until = 0.0

    def __enter__(self) -> WriteHold:
        if self._workers.bindings(self._script) is None:
            return self
        try:
            self._until = self._workers.now() + self._seconds
            self._workers.put_secret(self._script, SECRET, str(int(self._until * 1000)))
            self._prove()
        except BaseException:
            self._let_go()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self.held:
            self._let_go()

    def left(self) -> float:
        """Seconds until the hold ends by itself; 0.0 when there is none."""
        return max(0.0, self._until - self._workers.now()) if self.held else 0.0

    def release(self) -> None:
        """Writes are taken again. Raises WorkersApiError when the API refuses; the hold ends by itself then."""
        if self.held:
            self._workers.delete_secret(self._script, SECRET)
            self.held = False

    def _prove(self) -> None:
        """Returns when PROOFS probes in a row were held."""
        proofs, answer = 0, ""
        for _ in backoff(self._wait, longest=1.0):
            answer = self._probe()
            proofs = proofs + 1 if answer == MARK else 0
            if proofs == 1:
                self.began = self._workers.now()
            if proofs == PROOFS:
                self.held = True
                time.sleep(self._settle)
                return
        raise WorkersApiError(
            f"The Worker {self._script} at {self._url} still takes writes {self._wait:.0f} s after it was asked to "
            f"hold them (it answers {answer}), so no data was moved; deploy it with its front first, leaving the "
            "generation as it is: pulumi up"
        )

    def _probe(self) -> str:
        """MARK when a write was held, otherwise what the Worker did. There is nothing at that path to be changed."""
        try:
            with client(PROBE_SECONDS) as http:  # without the API's token: it is none of the Worker's business
                response = http.post(f"{self._url}{PROBE_PATH}")
        except httpx.HTTPError as error:
            return f"nothing: {str(error) or type(error).__name__}"
        held = response.status_code == 503 and response.headers.get(MARK) == "1"
        return MARK if held else f"with status {response.status_code}"

    def _let_go(self) -> None:
        """As far as possible: what went wrong before is what counts, and the hold ends by itself."""
        with contextlib.suppress(WorkersApiError):
            self._workers.delete_secret(self._script, SECRET)
        self.held = False
