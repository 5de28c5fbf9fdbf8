"""The versions that are got, and the files that pin them. A changed pin gives its part a new folder in the cache."""

from __future__ import annotations

import hashlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent

ENGINE = "3.259.0"
# Older engines do not fail an update when a hook fails; the backend's bootstrap relies on that.
ENGINE_MINIMUM = "3.238.0"
# Where the engine's own Python scripts are taken from, and the engine itself.
ENGINE_MODULE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
# Small, and saying its version; nothing of the machine that built it is needed to run it.
ENGINE_FLAGS = f"-s -w -X {SDK_MODULE}/go/common/version.Version=v{ENGINE}"
LANGUAGE_HOST_MODULE = "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"

NODE_MINIMUM = "22.0.0"
PYTHON_MINIMUM = "3.11"

LOCK = PROJECT / "requirements.lock"
PYPROJECT = PROJECT / "pyproject.toml"
ENGINE_MOD = HERE / "engine"
LANGHOST_MOD = HERE / "langhost"
NODE_LOCK = HERE / "node"
WHEELS = HERE / "wheels"


def digest(*files: Path, extra: str = "") -> str:
    """Twelve hex digits that change when a file's content, or the extra text, does."""
    found = hashlib.sha256(extra.encode())
    for file in files:
        found.update(b"\0" + file.name.encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:12]


def wheel(name: str) -> str:
    """The version that wheels/<name>.txt pins: "0.13.9"."""
    first = (WHEELS / f"{name}.txt").read_text().split()[0]
    return first.split("==")[1]


def go_minimum() -> str:
    """The Go version that the engine's module asks for."""
    lines = (ENGINE_MOD / "go.mod").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("go "))
