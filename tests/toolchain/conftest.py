"""A cache of its own for every test, and programs that stand in for real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Program = Callable[[Path, str], Path]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder that this test alone uses."""
    monkeypatch.setenv("ORACLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ORACLE_ENGINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def program() -> Program:
    """Makes a shell script at a path."""

    def write(place: Path, body: str) -> Path:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"#!/bin/sh\n{body}\n")
        place.chmod(0o755)
        return place

    return write
