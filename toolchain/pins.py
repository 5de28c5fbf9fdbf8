"""The pinned versions, and the files that pin them. A changed pin gives its part a new folder in the cache."""

from __future__ import annotations

import hashlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent

ENGINE = "3.259.0"
# Older engines do not fail an update when a hook fails, which the backend's bootstrap needs.
ENGINE_MINIMUM = "3.238.0"
# The modules of the engine and of its Python scripts.
ENGINE_MODULE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
# A small program that prints its version and depends on nothing of the machine that built it.
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
    """Return twelve hex digits that change with a file's content, or with the extra text."""
    sha256 = hashlib.sha256(extra.encode())
    for file in files:
        sha256.update(b"\0" + file.name.encode() + b"\0" + file.read_bytes())
    return sha256.hexdigest()[:12]


def wheel(name: str) -> str:
    """Return the version that wheels/<name>.txt pins: "0.13.9"."""
    first = (WHEELS / f"{name}.txt").read_text().split()[0]
    return first.split("==")[1]


def go_minimum() -> str:
    """Return the Go version that the engine's module requires."""
    lines = (ENGINE_MOD / "go.mod").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("go "))
