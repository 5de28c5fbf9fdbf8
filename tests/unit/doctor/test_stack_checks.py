"""The check of the stack's file, of .envrc, and of the state and its lock."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from cli.doctor import Finding, stack_checks
from cli.engine.workspace import Stack
from tests.unit.doctor.fake import stack

DEAD = 2**22 - 1  # above any process id in use
ADDRESS = "http://127.0.0.1:1"


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with an .envrc that is ignored and private."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text(".envrc\n")
    (tmp_path / ".envrc").touch(0o600)
    return tmp_path


def looked(folder: Path, environment: Mapping[str, str] | None = None, address: str = ADDRESS) -> list[Finding]:
    return list(stack_checks.envrc(stack(folder, address), {"PATH": os.environ["PATH"], **(environment or {})}))


def engine(folder: Path, listed: object = None, error: str = "") -> dict[str, str]:
    """An environment whose `pulumi` says that these stacks exist, or fails with this error."""
    folder.mkdir(exist_ok=True)
    program = folder / "pulumi"
    said = f"import sys; sys.exit({error!r})" if error else f"print({json.dumps(listed or [])!r})"
    program.write_text(f"#!{sys.executable} -IS\n{said}\n")
    program.chmod(0o755)
    state = folder.parent / "state"
    state.mkdir(exist_ok=True)
    return {"PATH": f"{folder}:/usr/bin:/bin", "PULUMI_BACKEND_URL": f"file://{state}"}


def stated(folder: Path, environment: Mapping[str, str]) -> list[Finding]:
    return list(stack_checks.state(stack(folder, ADDRESS), environment))


def test_an_invalid_stack_file_lists_every_problem_with_its_remedy(tmp_path: Path) -> None:
    made = stack(tmp_path, ADDRESS, generation="0", drainSecond="1")
    settings, findings = stack_checks.configuration(made)
    assert settings is None
    assert [finding.level for finding in findings] == ["fail", "fail"]
    assert {finding.remedy for finding in findings} == {
        f"pulumi config set oracle-net:generation 1 --stack {made.name}",
        f"pulumi config rm oracle-net:drainSecond --stack {made.name}",
    }
    assert stack_checks.configuration(stack(tmp_path, ADDRESS))[1][0].level == "ok"


def test_a_missing_stack_is_reported(tmp_path: Path) -> None:
    settings, (finding,) = stack_checks.configuration(Stack("nowhere", tmp_path))
    what = "There is no stack nowhere: Pulumi.nowhere.yaml does not exist. There are: none"
    assert (settings, finding) == (None, Finding("stack", "fail", what, "oracle up nowhere"))
    assert stack_checks.configuration(Stack("local", tmp_path))[1][0].remedy == "make up"


def test_only_stacks_on_real_clouds_need_an_envrc(tmp_path: Path) -> None:
    (local,) = looked(tmp_path)
    assert local.level == "ok"
    (other,) = looked(tmp_path, address="https://api.digitalocean.com")
    assert (other.level, other.what) == ("warn", "there is no .envrc; copy the example and fill it in")
    assert other.remedy == "cp .envrc.example .envrc"


def test_a_loaded_envrc_is_ok(project: Path) -> None:
    assert [finding.level for finding in looked(project, {"DIRENV_DIR": f"-{project}"})] == ["ok"]


def test_an_envrc_of_another_folder_does_not_count_as_loaded(project: Path) -> None:
    direnv = project / "bin" / "direnv"
    direnv.parent.mkdir()
    direnv.touch(0o755)
    environment = {"PATH": str(direnv.parent), "DIRENV_DIR": "-/elsewhere"}
    (found,) = looked(project, environment)
    assert (found.level, found.what, found.remedy) == ("warn", ".envrc is not loaded here", "direnv allow")


def test_the_remedy_without_direnv_is_to_source_the_envrc(project: Path) -> None:
    (found,) = looked(project, {"PATH": "/nowhere"})
    assert (found.level, found.remedy) == ("warn", "source .envrc")


def test_an_envrc_tracked_by_git_is_a_failure(project: Path) -> None:
    git(project, "add", "--force", ".envrc")
    found = looked(project)[0]
    assert (found.level, found.remedy) == ("fail", "git rm --cached .envrc")


def test_an_envrc_not_ignored_by_git_is_a_failure(project: Path) -> None:
    (project / ".gitignore").write_text("")
    found = looked(project)[0]
    assert (found.level, found.what) == ("fail", "git does not ignore .envrc")


def test_an_envrc_that_others_can_read_is_a_warning(project: Path) -> None:
    (project / ".envrc").chmod(0o644)
    found = looked(project)[0]
    assert (found.level, found.remedy) == ("warn", "chmod 600 .envrc")


def test_a_missing_state_is_a_warning(tmp_path: Path) -> None:
    (found,) = stated(tmp_path, {"PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}"})
    assert (found.level, found.remedy) == ("warn", "oracle up local")


def test_the_state_is_checked_for_the_stack(tmp_path: Path) -> None:
    environment = engine(tmp_path / "bin", [{"name": "organization/oracle-net/local", "resourceCount": 31}])
    assert [(f.check, f.level, f.what) for f in stated(tmp_path, environment)] == [
        ("state", "ok", "31 resources"),
        ("lock", "ok", "free"),
    ]
    found = stated(tmp_path, engine(tmp_path / "bin", [{"name": "prod"}]))[0]
    assert (found.level, found.what) == ("warn", "it has no stack local yet")


def test_a_state_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    error = "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions"
    (known,) = stated(tmp_path, engine(tmp_path / "bin", error=error))
    assert (known.level, known.remedy) == ("fail", "pulumi login")
    (unknown,) = stated(tmp_path, engine(tmp_path / "bin", error="error: the bucket has gone"))
    assert (unknown.level, unknown.what) == ("fail", "the bucket has gone")


def test_a_remote_state_reports_an_update_in_progress(tmp_path: Path) -> None:
    environment = engine(tmp_path / "bin", [{"name": "local", "updateInProgress": True}])
    del environment["PULUMI_BACKEND_URL"]
    found = stated(tmp_path, environment)[1]
    assert (found.check, found.level, found.remedy) == ("lock", "warn", "pulumi cancel --stack local")


@pytest.mark.parametrize(
    "host, what, remedy",
    [
        (socket.gethostname(), "left behind by process", "oracle recover local"),
        ("another-laptop", "held by process", "pulumi cancel --stack local"),
    ],
)
def test_the_holder_of_a_lock_is_named(tmp_path: Path, host: str, what: str, remedy: str) -> None:
    environment = engine(tmp_path / "bin", [{"name": "local"}])
    folder = tmp_path / "state" / ".pulumi" / "locks" / "organization" / "oracle-net"
    for name in ("local", "prod"):
        (folder / name).mkdir(parents=True)
    held = {"pid": DEAD, "hostname": host, "username": "ada", "timestamp": "2026-11-22T12:00:00Z"}
    (folder / "local" / "1.json").write_text(json.dumps(held))
    (folder / "prod" / "2.json").write_text(json.dumps(held))
    half = folder / "local" / "3.json"
    half.write_text('{"pid": 1')
    (found,) = [finding for finding in stated(tmp_path, environment) if finding.check == "lock"]
    assert found.level == "warn"
    assert found.what.startswith(what)
    assert f"of ada on {host}" in found.what
    assert found.remedy == remedy
    assert half.exists(), "somebody may be writing it just now"


def test_placeholder_values_of_the_template_are_named(tmp_path: Path) -> None:
    settings, [found] = stack_checks.configuration(stack(tmp_path, ADDRESS, accountId="0" * 32))
    assert settings is not None
    assert (found.level, found.what) == (
        "fail",
        "oracle-net:accountId still has the template's value; no Worker could be uploaded",
    )
    assert found.remedy.startswith("pulumi config set oracle-net:accountId ")
