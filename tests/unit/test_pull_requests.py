"""The receipt between the job that promotes and the job that proposes it, and drift reports in Markdown."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner

import advice
from cli.commands import propose as proposing
from cli.commands import receipt as receipting
from cli.drift import Drift, Report, markdown
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.github import pull_requests
from cli.main import app
from errors import UserError
from tests.support.errors import refused
from tests.unit.test_receipts_of_stacks import OTHER, PROJECT, RELEASE


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the committed files of staging and prod; staging runs RELEASE."""
    for name in ("staging", "prod"):
        shutil.copy(PROJECT / f"Pulumi.{name}.yaml", tmp_path)
    engine = Mock(Engine)
    engine.outputs.return_value = Mock(release=RELEASE)
    monkeypatch.setattr(receipting, "Engine", lambda _: engine)
    for module in (receipting, proposing):
        monkeypatch.setattr(module, "Stack", lambda name: Stack(name, tmp_path))
    monkeypatch.setenv("GITHUB_TOKEN", "planted")
    monkeypatch.setenv("GITHUB_REPOSITORY", "oracle/net")
    monkeypatch.setenv("GITHUB_REF_NAME", "main")
    return tmp_path


@pytest.fixture
def proposals(monkeypatch: pytest.MonkeyPatch) -> list[pull_requests.Proposal]:
    found: list[pull_requests.Proposal] = []

    def propose(_: object, wanted: pull_requests.Proposal) -> str:
        found.append(wanted)
        return "https://new"

    monkeypatch.setattr(proposing, "proposed", propose)
    return found


def run(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_the_receipt_of_the_running_release_can_be_printed(project: Path) -> None:
    with refused(r"^Pulumi.staging.yaml has no receipt\. Fix: run `oracle promote FROM staging` to write one\.$"):
        run("receipt", "staging")
    printed = run("receipt", "staging", "--running")
    assert printed.count("\n") == 1, "one line, so that a job's output holds it"
    assert json.loads(printed)["backend"] == RELEASE["backend"]
    held = Stack("staging", project).settings()
    assert held.receipt is not None
    assert held.backend.image.digest == RELEASE["backend"]
    assert run("receipt", "staging") == printed


def test_the_proposed_receipt_is_the_printed_one(project: Path, proposals: list[pull_requests.Proposal]) -> None:
    on_main = (project / "Pulumi.prod.yaml").read_text() + "# merged meanwhile\n"
    printed = run("receipt", "staging", "--running")
    assert run("propose", "prod", printed) == "Proposed: https://new\n"
    (wanted,) = proposals
    assert (wanted.base, wanted.branch, wanted.path) == ("main", "receipt-prod", "Pulumi.prod.yaml")
    changed = wanted.change(on_main)
    assert "# merged meanwhile" in changed
    (project / "Pulumi.prod.yaml").write_text(changed)
    receipt = Stack("prod", project).settings().receipt
    assert receipt is not None
    assert receipt.backend == RELEASE["backend"]
    assert wanted.change(changed) == changed


@pytest.mark.parametrize(
    "words", ["", "{}", "[]", "null", "7", json.dumps({**OTHER, "backend": "latest"}), json.dumps({"backend": "x"})]
)
def test_an_invalid_receipt_is_not_proposed(words: str, project: Path, proposals: list[pull_requests.Proposal]) -> None:
    before = (project / "Pulumi.prod.yaml").read_bytes()
    with pytest.raises(UserError) as raised:
        run("propose", "prod", words)
    assert re.search(r"oracle (receipt prod|promote)", advice.text(raised.value, "prod", ""))
    assert (project / "Pulumi.prod.yaml").read_bytes() == before
    assert not proposals


def found(**more: Any) -> Report:
    return Report(**{"stack": "prod", "drifts": (), "unknown": (), **more})


def test_drift_is_reported_in_markdown() -> None:
    drift = Drift(
        about="web", what="A version | by @eve has the traffic.", owner="by hand", remedy="version", version="v1",
        next="pulumi up -s prod",
    )  # fmt: skip
    told = markdown(found(drifts=(drift,), unknown=("Bindings were not compared.",)))
    assert told.startswith("### `prod`: 1 difference\n")
    assert "| web | by hand | A version \\| by @\u200beve has the traffic. | `oracle drift prod --repair` or " in told
    assert "- Bindings were not compared." in told
    assert markdown(found()).strip() == "### `prod`: as declared"
    assert markdown(found(unknown=("No.",))).startswith("### `prod`: cannot tell\n")
