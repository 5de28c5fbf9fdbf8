"""What the API answered to the updates of the rows of a diff matrix, rebuilt from what the recordings keep of them.

They list an update's requests and what it changed in the outputs, but not the answers. So an upload is answered as in
the base case, with those of the changed outputs that only an answer can have told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from offline_plugins.cloudflare.attributes import snake
from tests.parity.stub import Answer, Request, content

_REPORTED = ("etag", "modifiedOn", "hasModules", "hasAssets")
_SESSION = "completion-jwt-placeholder"


class Updates:
    """Answers the requests of one row's update of a WorkersScript."""

    def __init__(self, base_answer: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        self._told = dict(base_answer["result"])
        self._update = row["update"]
        for name, value in self._update.get("outputsDelta", {}).items():
            if name in _REPORTED:
                self._told[snake(name)] = value
            elif name == "handlers[0]":
                self._told["handlers"] = [value]

    def __call__(self, request: Request) -> Answer:
        if request.path.endswith("/assets-upload-session"):
            hashes = sorted({entry["hash"] for entry in content(request)["manifest"].values()})
            wanted = any(line.endswith("/assets/upload") for line in self._update["requests"])
            return _answer(201, {"jwt": _SESSION, "buckets": [hashes[:1]] if wanted else []})
        if request.path.endswith("/assets/upload"):
            return _answer(201, {"jwt": _SESSION})
        if "error" in self._update:
            status, _, body = self._update["error"]["details"].split('": ', 1)[1].partition(" ")
            return {"status": int(status), "responseBody": body[body.index("{") :]}
        return _answer(200, self._told)


def _answer(status: int, result: Any) -> Answer:
    envelope = {"success": True, "errors": [], "messages": [], "result": result}
    return {
        "status": status,
        "responseHeaders": {"content-type": "application/json"},
        "responseBody": json.dumps(envelope),
    }
