"""The whole examination: one deadline, no secret in the output, one exit status."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.commands import doctor
from cli.doctor import Finding, examination, examine, worst
from cli.doctor.model import from_error, secrets
from cli.engine.workspace import Stack
from cli.main import app
from errors import STACK, First, Fix, UserError
from tests.unit.doctor.fake import TOKEN, Fake, served, stack

OK, WARN, FAIL = (
    Finding("a", "ok", "well"),
    Finding("b", "warn", "so so", "do this"),
    Finding("c", "fail", "not well", "do that"),
)


def run(monkeypatch: pytest.MonkeyPatch, found: list[Finding], *options: str) -> tuple[int, str]:
    monkeypatch.setattr(doctor, "examine", lambda _: found)
    done = CliRunner().invoke(app, ["doctor", *options])
    return done.exit_code, done.output


def test_the_exit_status_is_1_when_a_check_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, [OK])[0] == 0
    assert run(monkeypatch, [OK, WARN])[0] == 0
    status, output = run(monkeypatch, [OK, WARN, FAIL])
    assert status == 1
    lines = [line.split() for line in output.splitlines()]
    assert lines == [
        ["ok", "a", "well"],
        ["warn", "b", "so", "so"],
        ["next:", "do", "this"],
        ["fail", "c", "not", "well"],
        ["next:", "do", "that"],
    ]


def test_json_output_is_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    status, output = run(monkeypatch, [OK, WARN], "--json", "--stack", "prod")
    document = json.loads(output)
    assert (status, document["stack"], document["level"]) == (0, "prod", "warn")
    assert document["findings"][1] == {"check": "b", "level": "warn", "what": "so so", "remedy": "do this"}


def test_markup_in_a_finding_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "[red]x[/blue]" in run(monkeypatch, [Finding("[b]", "ok", "[red]x[/blue]")])[1]


def test_only_a_finding_that_is_not_ok_has_a_remedy() -> None:
    assert worst([OK, FAIL, WARN]) == "fail"
    assert worst([]) == "ok"
    for level, remedy in (("warn", ""), ("fail", ""), ("ok", "do")):
        with pytest.raises(AssertionError):
            Finding("a", level, "x", remedy)  # type: ignore[arg-type]


def test_an_error_is_a_finding_with_its_first_command() -> None:
    gone = UserError("It is gone.", First("wait"), Fix(f"make it {STACK}"), cause="no such file\nat line 1")
    assert from_error("a", gone, "prod", "other") == Finding("a", "fail", "It is gone: no such file", "make it prod")
    assert from_error("a", UserError("It is gone."), "prod", "other", "warn") == Finding(
        "a", "warn", "It is gone", "other"
    )


def test_secrets_are_hidden_in_findings() -> None:
    hidden = secrets({"DIGITALOCEAN_TOKEN": TOKEN, "AWS_SECRET_ACCESS_KEY": f"{TOKEN}-longer", "PATH": "/usr/bin:/bin"})
    assert hidden == [f"{TOKEN}-longer", TOKEN]
    shown = Finding("a", "warn", f"said {TOKEN}-longer", f"try {TOKEN} in /usr/bin:/bin").without(hidden)
    assert shown == Finding("a", "warn", "said (hidden)", "try (hidden) in /usr/bin:/bin")


def test_a_late_or_broken_check_is_a_finding() -> None:
    never = threading.Event()

    def late() -> Iterable[Finding]:
        never.wait(30)
        return [OK]

    def breaks() -> Iterable[Finding]:
        yield OK
        raise RuntimeError(TOKEN)

    def refused() -> Iterable[Finding]:
        raise UserError("It is gone.", Fix(f"oracle up {STACK}"))

    checks = {"late": late, "breaks": breaks, "refused": refused, "well": lambda: [OK]}
    found = examination.run_checks(checks, 0.3, "x")
    never.set()
    assert [(finding.check, finding.level) for finding in found] == [
        ("late", "fail"),
        ("a", "ok"),
        ("breaks", "fail"),
        ("refused", "fail"),
        ("a", "ok"),
    ]
    assert [finding.remedy for finding in found if finding.level == "fail"] == [
        "oracle doctor --stack x",
        "oracle doctor --stack x",
        "oracle up x",
    ]
    assert TOKEN not in str(found)


def test_a_missing_stack_is_the_only_finding(tmp_path: Path) -> None:
    (found,) = examine(Stack("nowhere", tmp_path))
    assert found.level == "fail"


def test_a_stopped_local_cloud_is_reported_once(tmp_path: Path) -> None:
    found = examine(stack(tmp_path, "http://127.0.0.1:1"))
    (cloud,) = [each for each in found if "127.0.0.1:1" in each.what]
    assert (cloud.check, cloud.level, cloud.remedy) == ("cloud", "warn", "oracle up local")
    assert not {"digitalocean", "cloudflare"} & {each.check for each in found}


def test_all_checks_run_for_a_stack_on_a_running_cloud(tmp_path: Path) -> None:
    said = {"/_cloud/health": (200, {"pid": 1}), "/v2/account": (401, {"message": f"no {TOKEN}"})}
    with served(Fake()) as fake:
        fake.answers |= said
        made = stack(tmp_path, fake.address)
        made.cloud_state.mkdir(parents=True)
        tokens = {"digitalocean": TOKEN, "cloudflare": TOKEN, "accountId": made.settings().account_id}
        (made.cloud_state / "tokens.json").write_text(json.dumps(tokens))
        found = examine(made)
    levels = {(each.check, each.level) for each in found}
    assert {("stack", "ok"), ("digitalocean", "fail"), ("cloudflare", "ok"), ("backups", "ok")} <= levels
    assert {"engine", "plugins", "direnv", "state", "clock", "disk", "backup key"} <= {each.check for each in found}
    assert TOKEN not in str(found)


def test_the_other_checks_run_when_the_stack_file_is_invalid(tmp_path: Path) -> None:
    found = examine(stack(tmp_path, "http://127.0.0.1:1", generation="0"))
    assert found[0].level == "fail"
    assert {"engine", "plugins", "state", "disk"} <= {each.check for each in found}
    assert "backups" not in {each.check for each in found}
