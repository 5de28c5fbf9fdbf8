"""Comparing the requests that a plugin made with the recorded ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.parity.recordings import leaves
from tests.parity.stub import Request, content

_UNLIKE = "user-agent"  # ours says who it is


def differences(expected: Sequence[Mapping[str, Any]], made: Sequence[Request]) -> list[str]:
    """What is unlike the recorded exchanges, in sentences; nothing where all is alike."""
    wanted = [line(exchange["method"], exchange["path"], exchange.get("query", "")) for exchange in expected]
    got = [line(request.method, request.path, request.query) for request in made]
    if wanted != got:
        return [f"requests {got} instead of {wanted}"]
    return [text for exchange, request in zip(expected, made, strict=True) for text in _unlike(exchange, request)]


def line(method: str, path: str, query: str = "") -> str:
    return f"{method} {path}?{query}" if query else f"{method} {path}"


def _unlike(exchange: Mapping[str, Any], request: Request) -> list[str]:
    where = line(request.method, request.path)
    found = []
    for name, value in exchange.get("requestHeaders", {}).items():
        got = _without_boundary(request.headers.get(name, ""))
        if name != _UNLIKE and got != _without_boundary(value):
            found.append(f"{where}: header {name} is {got!r} instead of {value!r}")
    if "requestHeaders" in exchange and content(request) != exchange.get("requestBody"):
        found.append(f"{where}: body {content(request)} instead of {exchange.get('requestBody')}")
    return found


def _without_boundary(header: str) -> str:
    return header.split("; boundary=", 1)[0]


def parts(content: Any) -> dict[str, Any]:
    """The leaves of a multipart body, as the recordings' `putPartsDelta` names them."""
    found: dict[str, Any] = {}
    for part in content["$multipart"]:
        name = "part " + part["headers"]["content-disposition"].split('name="', 1)[1].split('"', 1)[0]
        if "json" in part:
            found |= {f"{name}.{path}": value for path, value in leaves(part["json"]).items()}
        else:
            found |= {f"{name}.contentType": part["headers"]["content-type"], f"{name}.text": part["text"]}
    return found
