"""The health and the version of a PocketBase backend."""

from __future__ import annotations

from typing import Any

from clients.http import client, httpx
from errors import Remedy, UserError
from retry import backoff


class Unhealthy(UserError):
    """The backend did not answer its health check in time. The text has its last answer."""


def wait_healthy(url: str, path: str = "/api/health", seconds: float = 60.0) -> None:
    """Wait until GET `path` answers 200. Raises Unhealthy after `seconds`."""
    last = "nothing"
    with client(timeout=5.0) as http:
        for _ in backoff(seconds, longest=1.0):
            last = _answer(http, f"{url}{path}")
            if last == "200":
                return
    problem = f"The backend at {url} answered {last} to its health check for {seconds:.0f} s."
    raise Unhealthy(problem, Remedy.READ_BACKEND_LOG)


def version(url: str, path: str = "/api/version", timeout: float = 5.0) -> dict[str, Any]:
    """Return the backend's version information; empty if it has no such route. Raises Unhealthy without an answer."""
    with client(timeout=timeout) as http:
        try:
            response = http.get(f"{url}{path}")
            return dict(response.json()) if response.status_code == 200 else {}
        except (ValueError, TypeError):
            return {}
        except httpx.HTTPError as error:
            problem = f"The backend at {url} does not answer ({type(error).__name__})."
            raise Unhealthy(problem, Remedy.READ_BACKEND_LOG) from None


def _answer(http: httpx.Client, url: str) -> str:
    try:
        return str(http.get(url).status_code)
    except httpx.HTTPError as error:
        return type(error).__name__
