"""Missing stacks and invalid stack files: every command refuses them in one sentence, before it does anything.

The engine and the clouds are not reached: asking either fails these tests.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner

import advice
from cli.deploy import config_change
from cli.drift import Drift, Report
from cli.engine import local_cloud
from cli.engine.events import Recorder
from cli.engine.pulumi import Finished
from cli.engine.workspace import Stack
from cli.main import app
from cli.releases import promotion, promotion_checks, receipts
from cli.runs.store import Run, Runs
from cli.ui.errors import CommandError, engine_failure
from errors import Fix, UserError
from settings import SettingsError, parse
from stack_outputs import ADOPTED, Release
from tests.support.owners import owner
from tests.support.stacks import LOCAL, stack_file
from tests.unit.test_promotion import A, B, release
from tests.unit.test_settings import values

COMMANDS: dict[str, list[str]] = {
    "promote": ["promote", "local", "{}", "--yes"],
    "promote from": ["promote", "{}", "local", "--yes"],
    "rollback": ["rollback", "{}", "--yes"],
    "rollback --list": ["rollback", "{}", "--list"],
    "adopt": ["adopt", "{}", "--yes"],
    "drift": ["drift", "{}"],
    "drift --repair": ["drift", "{}", "--repair"],
    "rotate": ["rotate", "admin", "{}"],
    "unlock": ["unlock", "{}", "--yes"],
    "plan": ["plan", "{}"],
    "recover": ["recover", "{}"],
    "up": ["up", "{}"],
}
READING = [name for name in COMMANDS if name not in ("recover", "rollback --list")]
"""Those that use the stack's whole configuration."""


@pytest.fixture(scope="module")
def with_receipt() -> str:
    """The text of a stack's file that has a receipt."""
    return receipts.edited(LOCAL.read_text(), release(A), "Pulumi.other.yaml")


@pytest.fixture
def project(tmp_path: Path, with_receipt: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the committed stacks and one of ours, `other`, which has a receipt; nothing else is reached."""
    for name in ("local", "staging", "prod"):
        (tmp_path / f"Pulumi.{name}.yaml").write_text(stack_file(name).read_text())
    monkeypatch.setattr(Stack.__init__, "__defaults__", (tmp_path,))
    Stack("other").file.write_text(with_receipt)
    reached = Mock(side_effect=AssertionError("the engine or a cloud was reached"))
    monkeypatch.setattr(subprocess, "Popen", reached)
    for name in ("start", "health"):
        monkeypatch.setattr(local_cloud, name, reached)
    return tmp_path


def said(command: str, stack: str) -> str:
    """The text of a command that fails; the last line of several."""
    done = CliRunner().invoke(app, [word.format(stack) for word in COMMANDS[command]])
    assert isinstance(done.exception, CommandError), (done.exception, done.output)
    assert done.exception.status != 0
    return advice.text(done.exception, stack, "RETRY").splitlines()[-1]


@pytest.mark.parametrize("name", ["", "..", "../other", "a/b", "other/", ".other", "oth er", "other\n", "x" * 101])
@pytest.mark.parametrize("command", COMMANDS)
def test_an_invalid_stack_name_is_refused(project: Path, command: str, name: str) -> None:
    assert said(command, name).endswith(
        "has letters, digits, dashes, dots and underscores. Fix: run `ls Pulumi.*.yaml` to see the stacks."
    )


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "up"])
def test_a_missing_stack_is_refused_and_no_file_is_created(project: Path, command: str) -> None:
    before = sorted(project.rglob("*"))
    assert said(command, "nowhere") == (
        "There is no stack nowhere: Pulumi.nowhere.yaml does not exist. There are: local, other, prod, staging. Fix: "
        "run `oracle up nowhere` to create a stack of your own on this machine."
    )
    assert sorted(project.rglob("*")) == before


def test_a_copy_of_a_stack_file_left_by_an_editor_is_ignored(project: Path) -> None:
    (project / "Pulumi.local copy.yaml").write_text(LOCAL.read_text())
    assert Stack("other").on_local_cloud
    assert Stack("other").cloud_state.name == "other"


def other_case(text: str) -> str:
    return text.replace(f"web: {A}", f"web: {A.upper()}")


def a_digit_less(text: str) -> str:
    return text.replace(f"backend: sha256:{A}", f"backend: sha256:{A[1:]}")


def a_service_less(text: str) -> str:
    return text.replace(f"      universe: {A}\n", "")


def no_yaml(text: str) -> str:
    return text.replace("  oracle-net:receipt:\n", "  oracle-net:receipt: {\n")


def no_section(text: str) -> str:
    begin = text.index("  oracle-net:receipt:\n")
    return text[:begin] + "  oracle-net:receipt: by hand\n"


@pytest.mark.parametrize(
    "edit, sentence",
    [
        (other_case, "oracle-net:receipt.workers.web does not have the form ^[0-9a-f]{64}$; it would be unknown"),
        (a_digit_less, "oracle-net:receipt.backend does not have the form ^sha256:[0-9a-f]{64}$; it would be unknown"),
        (
            a_service_less,
            "oracle-net:receipt.workers and oracle-net:workers name different Workers (universe).",
        ),
        (no_yaml, "Pulumi.other.yaml is not YAML"),
        (no_section, "oracle-net:receipt should be"),
    ],
)
@pytest.mark.parametrize("command", READING)
def test_an_invalid_receipt_is_refused_in_one_sentence(
    project: Path, command: str, edit: Callable[[str], str], sentence: str
) -> None:
    file = Stack("other").file
    file.write_text(edit(file.read_text()))
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    done = CliRunner().invoke(app, [word.format("other") for word in COMMANDS[command]])
    assert isinstance(done.exception, UserError), (done.exception, done.output)
    said = advice.text(done.exception, "other", f"oracle {command}")
    assert sentence in said
    assert any(word in said for word in ("`oracle promote FROM other`", "correct Pulumi.other.yaml, then run"))
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_a_well_formed_but_wrong_receipt_passes_the_settings(project: Path) -> None:
    """Only the program finds that no bytes have this digest: tests/unit/test_receipt.py."""
    other = Stack("other")
    other.file.write_text(other.file.read_text().replace(f"web: {A}", f"web: {A[1:]}b"))
    receipt = other.settings().receipt
    assert receipt is not None
    assert receipt.assets["web"] == f"{A[1:]}b"


@pytest.mark.parametrize(
    "engine, sentence",
    [
        ("failed to load checkpoint: unsupported checkpoint version 99", "A newer engine than this one"),
        (
            "failed to load checkpoint: this stack's deployment needs support for the following features: later",
            "A newer engine than this one",
        ),
        ("error: place 1: unexpected end of JSON input", "The state of prod is damaged"),
        ("failed to load checkpoint: place 1: unexpected end of JSON input", "The state of prod is damaged"),
        (
            'failed to make http request: PUT "http://x": 401 Unauthorized {"success":false}',
            "A cloud refused the token: it is another stack's, or it is no longer valid.",
        ),
        (
            "Error trying to read app deployment state: GET http://x/v2: 401 (request 1) Unable to authenticate you",
            "A cloud refused the token",
        ),
        ("The local cloud at http://127.0.0.1:1 refuses the token. Fix: run `x`.", "A cloud refused"),
    ],
)
def test_an_engine_error_about_state_or_token_becomes_one_sentence(engine: str, sentence: str) -> None:
    found = engine_failure(f"error: {engine}\n", "prod")
    assert found is not None
    assert found.problem.startswith(sentence)
    assert engine_failure(f"backend | {engine}\n", "prod") is None


@pytest.fixture
def run(tmp_path: Path) -> Run:
    stack = Stack("prod", tmp_path)
    stack.file.write_text("config:\n  as: before\n")
    return Runs(stack.runs).start("rotate", owner("prod"))


@pytest.mark.parametrize(
    "steps, stays", [([], False), (["backend-image"], False), (["admin-temporary"], True), (["api-script"], True)]
)
def test_a_config_change_is_undone_unless_the_update_changed_something(
    run: Run, tmp_path: Path, steps: list[str], stays: bool
) -> None:
    stack = Stack("prod", tmp_path)
    before = stack.file.read_text()

    def config(*words: str) -> str:
        assert words[:2] == ("config", "set")
        stack.file.write_text(f"config:\n  {words[2]}: {words[3]}\n")
        return ""

    def update(*_: str) -> Finished:
        recorder = Recorder(run.folder / "events.jsonl", run.clock)
        for name in steps:
            recorder.write("begin", urn=f"urn::{name}", type="x", op="update")
        return Finished(255, "error: the stack is currently locked by 1 lock(s).\n")

    engine = SimpleNamespace(
        stack=stack, run_checked=config, failure=lambda done, *_: engine_failure(done.output, "prod")
    )
    recording: Any = SimpleNamespace(engine=engine, run=run, update=update)
    with pytest.raises(CommandError, match=r"^Another update of prod holds the lock, or was killed\.$") as caught:
        config_change.run_config_change(recording, {"oracle-net:adminPasswordVersion": "2"})
    assert caught.value.helps == (Fix(first="wait for it"), Fix("oracle recover prod", "if it was killed"))
    assert isinstance(caught.value, config_change.Refused) is not stays
    assert (stack.file.read_text() != before) is stays


BY_HAND = Drift(about="web", what="Its active version is another.", owner="by hand", remedy="version", next="x")


def test_a_stack_with_drift_is_not_promoted() -> None:
    report = Report(stack="staging", drifts=(), unknown=())
    promotion_checks.refuse_drifted(report)
    with pytest.raises(CommandError) as caught:
        promotion_checks.refuse_drifted(replace(report, drifts=(BY_HAND, BY_HAND)))
    assert advice.text(caught.value, "prod", "") == (
        "staging differs from its declaration: Its active version is another, and 1 more. Fix: run `oracle "
        "drift staging --repair` to remove the differences; or run `oracle drift staging` to see them."
    )
    with pytest.raises(CommandError) as caught:
        promotion_checks.refuse_drifted(replace(report, unknown=("The backend's app was not looked at: refused.",)))
    assert advice.text(caught.value, "prod", "") == (
        "It is unknown whether staging differs from its declaration: The backend's app was not looked at: refused. "
        "Fix: run `oracle drift staging` to check again."
    )


def test_drift_is_checked_before_the_release_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The services answer, and differ from their declaration all the same."""
    engine = Mock()
    engine.stack.name = "staging"
    monkeypatch.setattr(promotion_checks, "Runs", Mock())
    monkeypatch.setattr(
        promotion_checks, "gather", Mock(return_value=SimpleNamespace(findings=(), services=(), notes=()))
    )
    drifted = Report(stack="staging", drifts=(BY_HAND,), unknown=())
    monkeypatch.setattr(promotion_checks, "find_drift", Mock(return_value=drifted))
    with pytest.raises(CommandError, match="staging differs from its declaration"):
        promotion_checks.release_to_promote(engine)
    engine.outputs.assert_not_called()


@pytest.mark.parametrize("adopted", ["other", "local"])
def test_an_adopted_stack_is_neither_source_nor_target_of_a_promotion(project: Path, adopted: str) -> None:
    here, there = Stack("other"), Stack("local")
    here.file.write_text(LOCAL.read_text())
    promotion.refuse_adopted(here, there)
    file = Stack(adopted).file
    file.write_text(file.read_text().replace("    api:\n", "    api:\n      adopted: {version: version-1}\n"))
    before = file.read_bytes()
    assert said("promote" if adopted == "other" else "promote from", "other") == (
        f"api of {adopted} still run as they were made by hand, so no receipt can name their bytes. Fix: run `oracle "
        f"deploy --stack {adopted}` to release them for the first time."
    )
    assert file.read_bytes() == before


def test_a_receipt_and_an_adoption_exclude_each_other() -> None:
    declared = values()
    receipt = {"backend": f"sha256:{A}", "workers": dict.fromkeys(("api", "web", "universe"), A)}
    declared["receipt"] = {**receipt, "assets": dict.fromkeys(("web", "universe"), A)}
    assert parse(declared).receipt is not None
    declared["workers"]["web"]["adopted"] = {"version": "version-1"}
    with pytest.raises(SettingsError, match=r"were adopted and not released since: .*web\.") as caught:
        parse(declared)
    assert advice.text(caught.value, "prod", "").endswith(
        "Fix: run `pulumi config rm oracle-net:receipt --stack prod`, then run `oracle deploy --stack prod`."
    )


def test_adopted_versions_have_no_bytes_in_the_release_archive() -> None:
    from storage.releases import adopted, items

    made = Release(
        backend=f"{ADOPTED}dep-1",
        workers={"api": f"{ADOPTED}v-1", "web": B, "universe": B},
        assets={"web": A, "universe": A},
        commits={},
    )
    assert adopted(made) == ["backend", "api"]
    assert {service for item in items(made, packed=True) for service in item.services} == {"web", "universe"}
    assert adopted(release(A)) == []
