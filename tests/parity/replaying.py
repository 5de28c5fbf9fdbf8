"""What the replays of digitalocean and random have in common: who refers to what, and what may differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.parity.recordings import bare
from tests.parity.stub import Answer, Request, Stub, content

_URN = re.compile(r"urn:pulumi:\S+")
_NAMED = re.compile(r"\bx-[0-9a-f]{7}\b")
_LAST = re.compile(r"(\.[^.'\]]+)'\.$")
# The official plugin names some property of the block, another one at each run: its schema is a map.
_SOME_PROPERTY = ("Missing required argument", "to be in the range")
# Looked at again and again until a deployment is done: how often depends on the clock.
_POLLED = re.compile(r"/v2/apps/[^/]+/deployments(/[^/]+)?$")


def same(answer: Mapping[str, Any]) -> Any:
    """An answer of ours, or a recorded one, without what may differ: URNs, made names, and order of failures."""
    text = _NAMED.sub("x-NAMED", _URN.sub("URN", json.dumps(bare(answer))))
    shaped: dict[str, Any] = json.loads(text)
    response = shaped.get("response")
    if isinstance(response, dict):
        shaped["response"] = {key: value for key, value in response.items() if value not in ({}, []) or key == "inputs"}
        _same_failures(shaped["response"])
    failed = shaped.get("error", {}).get("initFailed")
    if failed and not failed.get("inputs"):
        failed.pop("inputs", None)
    return shaped


def _same_failures(response: dict[str, Any]) -> None:
    if "failures" in response:
        reasons = [failure["reason"] for failure in response["failures"]]
        response["failures"] = sorted(
            _LAST.sub("'.", reason) if any(words in reason for words in _SOME_PROPERTY) else reason
            for reason in reasons
        )
    if response.get("inputs") == {}:
        del response["inputs"]


def outcome(step: Mapping[str, Any]) -> dict[str, Any]:
    """What a recorded step ended with."""
    return {key: step[key] for key in ("response", "error") if key in step}


def asked(exchanges: list[Mapping[str, Any]]) -> list[Any]:
    """Recorded requests, equal looks at a deployment in a row as one."""
    return list(_once((one["method"], one["path"], one.get("query", ""), one.get("requestBody")) for one in exchanges))


def sent(requests: list[Request]) -> list[Any]:
    """The plugin's requests, likewise."""
    return list(_once((one.method, one.path, one.query, content(one)) for one in requests))


def _once(requests: Iterator[tuple[str, str, str, Any]]) -> Iterator[Any]:
    last = None
    for request in requests:
        if not (request == last and request[0] == "GET" and _POLLED.match(request[1])):
            yield request
        last = request


def serve(stub: Stub, exchanges: list[Mapping[str, Any]]) -> None:
    """Answers the exchanges in order; a look at a deployment beyond them gets the last answer to it again."""
    left = list(exchanges)
    looks: dict[str, Answer] = {}

    def answer(request: Request) -> Answer:
        polled = request.method == "GET" and _POLLED.match(request.path)
        if left and (left[0]["method"], left[0]["path"]) == (request.method, request.path):
            looks[request.path] = left.pop(0)
            return looks[request.path]
        if polled and request.path in looks:
            return looks[request.path]
        return {"status": 599, "responseHeaders": {"x-should-retry": "false"}, "responseBody": "nothing was recorded"}

    stub.answer_by(answer)


def bearer(exchanges: list[Mapping[str, Any]]) -> set[str]:
    """The recorded `authorization` headers."""
    return {one["requestHeaders"]["authorization"] for one in exchanges if "requestHeaders" in one}
