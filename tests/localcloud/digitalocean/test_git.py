"""Apps from a git repository: cloned, built with a log, started."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.localcloud.account import Account, Json
from tests.localcloud.repository import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def spec(account: Account, name: str, repository: Repository, **changes: Json) -> Json:
    made = account.spec(name, **changes)
    service = made["services"][0]
    del service["image"]
    source = {"repo_clone_url": str(repository.folder), "branch": "main"}
    run = f'GREETING="$(cat built.txt)" exec {sys.executable} -I -S program.py'
    build = 'echo "building $FLAVOUR"; cp word.txt built.txt'
    defaults = {"git": source, "source_dir": "app", "build_command": build, "run_command": run}
    service |= {**defaults, **changes}
    return made


def up(account: Account, made: Json) -> Json:
    app = account.create(made)
    account.wait(app["id"], app["pending_deployment"]["id"], "ACTIVE")
    return account.app(app["id"])


def test_a_repository_is_built_and_run(account: Account, repository: Repository) -> None:
    envs = [
        {"key": "FLAVOUR", "value": "sweet", "scope": "BUILD_TIME"},
        {"key": "SPICE", "value": "build-secret-1", "scope": "BUILD_TIME", "type": "SECRET"},
    ]
    build = 'echo "building $FLAVOUR with $SPICE"; cp word.txt built.txt'
    app = up(account, spec(account, "from-git", repository, envs=envs, build_command=build))
    assert account.get(app).json()["greeting"] == "first"
    commit = repository.git("rev-parse", "HEAD")
    assert app["active_deployment"]["services"][0]["source_commit_hash"] == commit
    log = account.log(app["id"], app["active_deployment"]["id"], "BUILD")
    assert f"at commit {commit}" in log
    assert "building sweet with ********" in log
    assert "SPICE" not in account.get(app, "/env").json()


def test_new_commits_are_deployed_only_on_request(account: Account, repository: Repository) -> None:
    made = spec(account, "sources", repository)
    app = up(account, made)
    repository.commit("second")
    account.update(app["id"], made)
    assert account.get(app).json()["greeting"] == "first"
    answer = account.http.put(f"/v2/apps/{app['id']}", json={"spec": made, "update_all_source_versions": True})
    account.wait(app["id"], answer.json()["app"]["pending_deployment"]["id"], "ACTIVE")
    assert account.get(app).json()["greeting"] == "second"
    repository.commit("third")
    path = f"/v2/apps/{app['id']}/deployments"
    deployment = account.http.post(path, json={"force_build": True}).json()["deployment"]
    account.wait(app["id"], deployment["id"], "ACTIVE")
    assert account.get(app).json()["greeting"] == "third"


def test_an_unchanged_source_is_not_built_again_unless_forced(account: Account, repository: Repository) -> None:
    app = up(account, spec(account, "cached", repository))
    path = f"/v2/apps/{app['id']}/deployments"
    for force, words in ((False, "nothing changed since an earlier build"), (True, "building")):
        deployment = account.http.post(path, json={"force_build": force}).json()["deployment"]
        account.wait(app["id"], deployment["id"], "ACTIVE")
        assert words in account.log(app["id"], deployment["id"], "BUILD")


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"build_command": "echo no luck; exit 5"}, ["no luck", "the build command failed (status 5)"]),
        ({"source_dir": "nowhere"}, ["source_dir 'nowhere' is not in the repository"]),
        ({"source_dir": "../.."}, ["is not in the repository"]),
        ({"run_command": ""}, ["needs a run_command"]),
        ({"git": {"repo_clone_url": "/nowhere/at/all", "branch": "main"}}, ["cannot be cloned"]),
        ({"git": {"repo_clone_url": "--upload-pack=touch x", "branch": "main"}}, ["cannot be cloned"]),
    ],
)
def test_the_log_of_a_failed_build_says_why(
    account: Account, repository: Repository, request: pytest.FixtureRequest, changes: Json, words: list[str]
) -> None:
    name = f"bad-{request.node.callspec.indices['changes']}-build"
    app = account.create(spec(account, name, repository, **changes))
    failed = account.wait(app["id"], app["pending_deployment"]["id"], "ERROR")
    log = account.log(app["id"], failed["id"], "BUILD")
    assert all(word in log for word in words), log
    assert failed["progress"]["steps"][0]["status"] == "ERROR"
    assert failed["progress"]["steps"][0]["steps"][1]["steps"][0]["reason"]["code"] == "BuildFailed"
    assert not list((account.cloud.root / "builds").glob("*"))
