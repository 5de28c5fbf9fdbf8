"""The cloudflare recordings: the program's folder they were made in, and the states that their cases start from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.parity.cloudflare_left_out import LEFT_OUT
from tests.parity.recordings import case, load

TOKEN = "placeholder_token_0123456789_0123456789_A"
ACCOUNT = "0123456789abcdef0123456789abcdef"
SCRIPT = "cloudflare.WorkersScript"
SUBDOMAIN = "cloudflare.WorkersScriptSubdomain"
DOMAIN = "cloudflare.WorkersCustomDomain"
FIRST_CALLS = "provider configuration"
BUCKET = "cloudflare.R2Bucket"
RESOURCES = (SCRIPT, SUBDOMAIN, DOMAIN, BUCKET)
ONE, TWO = (f'export default {{ fetch() {{ return new Response("{word}") }} }}\n' for word in ("one", "two"))

_FILES = {
    "dist/worker.js": ONE,
    "dist/worker2.js": TWO,
    "site/.assetsignore": "copy.html\n",
    "site/_headers": "/*\n  X-A: b\n",
    "site/copy.html": "<h1>one</h1>\n",
    "site/index.html": "<h1>one</h1>\n",
    "site/noext": "x\n",
    "site/sub/app.js": "1\n",
    "site2/index.html": "<h1>two</h1>\n",
}

# What Create got in the cases whose recording only says "the checked inputs", without a Check.
PREVIEWS: Mapping[str, Mapping[str, Any]] = {
    "create preview: computed binding text": {
        "bindings": [{"name": "A", "type": "secret_text", "text": {"$unknown": True}}]
    },
    "create preview: bindings computed": {"bindings": {"$unknown": True}},
    "create preview: scriptName computed": {"scriptName": {"$unknown": True}},
    "create preview: content computed": {"content": {"$unknown": True}},
}
MINIMAL = {"accountId": ACCOUNT, "scriptName": "w-min", "mainModule": "worker.js", "content": ONE}


def lay_out(root: Path) -> None:
    """Writes the files of the recorded program's folder; their contents follow from the recorded hashes and uploads."""
    (root / "empty").mkdir(parents=True)
    for name, text in _FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def placeholders(port: str, root: Path) -> dict[str, str]:
    """What stands in the recordings for this run's port and folder.

    Two of the files have one hash, and which of them lends its name to an upload is chance in the official plugin; the
    recordings have both. So only the first is compared.
    """
    folder = "/ABSOLUTE/PROGRAM/DIR"
    return {"PORT": port, f"{folder}/site/index.html": f"{root}/site/copy.html", folder: str(root)}


def cases(kind: str, names: tuple[str, ...] = RESOURCES) -> Iterator[tuple[str, str]]:
    """Recording and name of every case that holds `kind` ("steps" or "rows") and is not left out."""
    for name in names:
        for one in load(name)["cases"]:
            if kind in one and one["name"] not in LEFT_OUT[name] and one["name"] != FIRST_CALLS:
                yield name, one["name"]


def created(recording: Mapping[str, Any], name: str) -> tuple[str, Any, Any]:
    """Id, outputs and inputs that the create case NAME ends with."""
    steps = case(recording, f"create: {name}")["steps"]
    state = steps[-1]["response"]
    return state["id"], state["properties"], steps[0]["response"]["inputs"]


def state_before(recording: Mapping[str, Any], name: str, request: Mapping[str, Any]) -> tuple[str, Any, Any]:
    """Id, outputs and inputs that a Read, Delete or Update step of the case NAME starts from."""
    if request.get("properties") == {}:  # an import
        return request["id"], {}, {}
    if name == "read and delete: 404":
        _, outputs, inputs = created(recording, "minimal")
        gone = {key: "w-gone" for key in ("scriptName", "name") if key in inputs}
        return request["id"], outputs | gone, inputs | gone
    base = request["as"].removeprefix("created: ") if "as" in request else name.split(": ", 1)[1]
    return created(recording, base.removesuffix(", nothing changed"))
