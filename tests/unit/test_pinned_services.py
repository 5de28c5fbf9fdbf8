"""The program when only some services are deployed: the others are pinned to what runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from settings import from_file
from sources.release import read_sources
from stack_outputs import PINNED_VARIABLE, PinnedServices
from tests.support.stacks import LOCAL
from tests.unit.program import PROJECT


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(PINNED_VARIABLE, raising=False)
    for name in ("web", "universe", "api", "backend"):
        shutil.copytree(
            PROJECT / "services" / name, tmp_path / "services" / name, ignore=shutil.ignore_patterns("pb_data")
        )
    return tmp_path


def keep(checkout: Path, monkeypatch: pytest.MonkeyPatch, kept: PinnedServices) -> None:
    path = checkout / "pinned.json"
    path.write_text(json.dumps(kept))
    monkeypatch.setenv(PINNED_VARIABLE, str(path))


def test_a_pinned_service_is_declared_as_it_runs(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = from_file(LOCAL)
    before = read_sources(settings, checkout)
    keep(
        checkout,
        monkeypatch,
        {"services": ["backend", "api", "universe"], "release": before.release, "api": before.modules["api"]},
    )
    for name in ("backend/entrypoint.sh", "api/src/worker.js", "universe/public/index.html", "web/public/index.html"):
        with (checkout / "services" / name).open("a") as file:
            file.write("\n")
    after = read_sources(settings, checkout)
    assert after.assets["web"].digest != before.assets["web"].digest
    assert (after.digest, after.modules["api"]) == (before.digest, before.modules["api"])
    assert after.assets["universe"].digest == before.assets["universe"].digest
    assert after.release == {
        **before.release,
        "assets": {**before.release["assets"], "web": after.assets["web"].digest},
    }


def test_a_pinned_service_needs_no_checkout(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = from_file(LOCAL)
    before = read_sources(settings, checkout)
    keep(checkout, monkeypatch, {"services": ["api", "web", "universe"], "release": before.release, "api": "what runs"})
    for name in ("api", "web", "universe"):
        shutil.rmtree(checkout / "services" / name)
    after = read_sources(settings, checkout)
    assert (after.digest, after.modules["api"]) == (before.digest, "what runs")
    assert after.release["workers"] == before.release["workers"]
