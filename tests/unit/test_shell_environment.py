"""The stack that a shell works on: the variables that `oracle env` sets and removes."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.commands import build
from cli.engine import workspace
from cli.engine.pulumi import Engine
from cli.engine.shell_environment import BEFORE, script, unloaded
from cli.engine.workspace import LOCAL_PASSPHRASE, Stack
from cli.main import app

SHELLS = [shell for shell in ("sh", "dash", "bash", "zsh") if shutil.which(shell)]
LOCAL = {"PULUMI_STACK": "local", "PULUMI_BACKEND_URL": "file:///here/it's", "DIGITALOCEAN_TOKEN": "local-token"}
STAGING = {"PULUMI_STACK": "staging"}
OWN = {"DIGITALOCEAN_TOKEN": 'my "own"\n$token', "PULUMI_STACK": "mine", "HOME": "/home/ada"}


def loaded(environment: dict[str, str], wanted: dict[str, str], shell: str = "sh") -> dict[str, str]:
    """The environment after the script was evaluated in a shell that has this environment."""
    text = "\n".join(script(environment, wanted))
    keys = sorted({*environment, *wanted, BEFORE})
    program = "import json, os, sys; print(json.dumps({k: os.environ[k] for k in sys.argv[1:] if k in os.environ}))"
    words = " ".join(shlex.quote(word) for word in (sys.executable, "-c", program, *keys))
    done = subprocess.run([shell, "-c", f"eval {shlex.quote(text)}\n{words}"], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("shell", SHELLS)
def test_loading_another_stack_replaces_the_environment_of_the_first(shell: str) -> None:
    local = loaded(OWN, LOCAL, shell)
    assert {**OWN, **LOCAL, BEFORE: local[BEFORE]} == local
    staging = loaded(local, STAGING, shell)
    assert {**OWN, **STAGING, BEFORE: staging[BEFORE]} == staging
    assert loaded(staging, LOCAL, shell) == local, "and back"
    assert unloaded(local) == unloaded(staging) == OWN


def test_loading_the_same_stack_twice_changes_nothing() -> None:
    local = loaded(OWN, LOCAL)
    assert loaded(local, LOCAL) == local
    renewed = loaded(local, {**LOCAL, "DIGITALOCEAN_TOKEN": "renewed"})
    assert (renewed["DIGITALOCEAN_TOKEN"], unloaded(renewed)) == ("renewed", OWN)


def test_variables_set_later_by_the_user_stay() -> None:
    """For example by .envrc, between the tour on the local stack and the first deploy to a real one."""
    local = loaded(OWN, LOCAL)
    local |= {"DIGITALOCEAN_TOKEN": "real", "PULUMI_CONFIG_PASSPHRASE": "team's"}
    staging = loaded(local, STAGING)
    assert (staging["DIGITALOCEAN_TOKEN"], staging["PULUMI_CONFIG_PASSPHRASE"]) == ("real", "team's")
    assert "PULUMI_BACKEND_URL" not in staging


def test_unloading_does_not_restore_the_path() -> None:
    local = loaded({"PATH": "/usr/bin"}, {"PATH": "/tools:/usr/bin"})
    assert unloaded(local)["PATH"] == "/tools:/usr/bin"


def test_the_local_tokens_are_not_stored_a_second_time() -> None:
    assert "local-token" not in loaded(OWN, LOCAL)[BEFORE]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"HOME": 1}', '{"HOME": ["x"]}'])
def test_an_invalid_record_unloads_nothing(text: str) -> None:
    assert unloaded({**OWN, BEFORE: text}) == OWN


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack on the local cloud, whose tokens are there, and a real one."""
    monkeypatch.setattr(Stack.__init__, "__defaults__", (tmp_path,))
    for name in ("PULUMI_HOME", "PULUMI_BACKEND_URL", "DIGITALOCEAN_TOKEN", BEFORE, workspace.ELSEWHERE):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "Pulumi.local.yaml").write_text("config: {digitalocean:apiEndpoint: http://127.0.0.1:8400}\n")
    (tmp_path / "Pulumi.staging.yaml").write_text("config: {}\n")
    cloud = Stack("local").cloud_state
    cloud.mkdir(parents=True)
    (cloud / "tokens.json").write_text('{"digitalocean": "local-token", "cloudflare": "c", "accountId": "a"}')
    return tmp_path


def evaluated(stack: str) -> None:
    """`eval "$(oracle env STACK)"` in this process's own environment."""
    said = CliRunner().invoke(app, ["env", stack])
    assert said.exit_code == 0, said.output
    for line in said.output.splitlines():
        verb, word = shlex.split(line)
        name, _, value = word.partition("=")
        os.environ.pop(name, None)
        if verb == "export":
            os.environ[name] = value


def test_plain_pulumi_works_only_on_the_loaded_stack(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    evaluated("local")
    assert (os.environ["PULUMI_STACK"], os.environ["DIGITALOCEAN_TOKEN"]) == ("local", "local-token")
    assert os.environ["PULUMI_CONFIG_PASSPHRASE"] == LOCAL_PASSPHRASE
    evaluated("staging")
    assert os.environ["PULUMI_STACK"] == "staging"
    gone = {"PULUMI_HOME", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "DIGITALOCEAN_TOKEN"}
    assert not gone & set(os.environ)


def test_a_command_for_another_stack_ignores_the_loaded_environment(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`oracle … staging` after `oracle env local` uses neither the local state nor its passphrase and tokens."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", "mine")
    evaluated("local")
    seen: dict[str, str] = {}

    def builds(stack: Stack, _: object) -> list[object]:
        seen.update(Engine(stack).environment)
        return []

    monkeypatch.setattr(build, "builds", builds)
    assert CliRunner().invoke(app, ["build", "--stack", "staging"]).exit_code == 0
    assert (seen["PULUMI_STACK"], seen["CLOUDFLARE_ACCOUNT_ID"]) == ("staging", "mine")
    assert not {"PULUMI_HOME", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "DIGITALOCEAN_TOKEN"} & set(seen)
