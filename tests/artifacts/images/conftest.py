"""A checkout with a Dockerfile, and the settings of the backend that is built from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from settings import BackendSettings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    checkout = tmp_path / "project" / "backend"
    (checkout / "src").mkdir(parents=True)
    (checkout / "Dockerfile").write_text("FROM scratch\nCOPY . /app\n")
    (checkout / ".dockerignore").write_text("*.md\n.git\nsrc/left\n")
    (checkout / "main.sh").write_text("echo\n")
    (checkout / "src" / "a.txt").write_text("a")
    return checkout.parent


def backend(host: str = "127.0.0.1:5000", build: dict[str, Any] | None = None, **image: Any) -> BackendSettings:
    source = {"host": host, "registry": "team", "repository": "app", "build": build or {}, **image}
    return BackendSettings.model_validate({"appName": "app", "service": "main", "path": "backend", "image": source})
