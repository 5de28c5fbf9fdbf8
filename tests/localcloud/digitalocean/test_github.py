"""Apps that are built from GitHub with a Dockerfile; a checkout and a command stand in for both."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.localcloud.account import Account, Json
from tests.localcloud.repository import Repository

NAME = "Some-Team/backend"
BUILD = 'mkdir -p made && cp program.py made && echo "building $FLAVOUR" && cp word.txt made/built.txt'
RUN = f'GREETING="$(cat built.txt)" exec {sys.executable} -I -S program.py'


@pytest.fixture
def repository(tmp_path: Path, account: Account) -> Repository:
    """One that the account has access to, with a Dockerfile."""
    made = Repository(tmp_path / "repository")
    (made.folder / "app" / "Dockerfile").write_text("FROM scratch\n")
    made.commit("first")
    allow(account, checkout=str(made.folder), build=BUILD, output="made", run=RUN)
    return made


def allow(account: Account, status: int = 200, **changes: Any) -> Json:
    answer = account.http.post("/_cloud/repositories", json={"name": NAME, **changes})
    assert answer.status_code == status, answer.text
    return answer.json()


def spec(account: Account, name: str, **changes: Json) -> Json:
    made = account.spec(name, **changes)
    service = made["services"][0]
    del service["image"]
    source = {"repo": NAME, "branch": "main", "deploy_on_push": True}
    made["services"] = [{"github": source, "dockerfile_path": "app/Dockerfile", "source_dir": "app", **service}]
    return made


def up(account: Account, made: Json) -> Json:
    app = account.create(made)
    account.wait(app["id"], app["pending_deployment"]["id"], "ACTIVE")
    return account.app(app["id"])


def push(account: Account, name: str = NAME, branch: str = "main") -> list[Json]:
    answer = account.http.post("/_cloud/pushes", json={"repository": name, "branch": branch})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["deployments"])


def test_a_dockerfile_is_built_by_its_configured_command(account: Account, repository: Repository) -> None:
    envs = [{"key": "FLAVOUR", "value": "sweet", "scope": "BUILD_TIME"}]
    app = up(account, spec(account, "from-github", envs=envs))
    assert account.get(app).json()["greeting"] == "first"
    active = app["active_deployment"]
    assert active["services"][0]["source_commit_hash"] == repository.git("rev-parse", "HEAD")
    assert app["spec"]["services"][0]["github"] == {"repo": NAME, "branch": "main", "deploy_on_push": True}
    log = account.log(app["id"], active["id"], "BUILD")
    assert f"cloning branch main of {NAME}" in log
    assert "building sweet" in log


def test_the_run_command_of_the_spec_takes_precedence(account: Account, repository: Repository) -> None:
    run = f"GREETING=mine exec {sys.executable} -I -S program.py"
    app = up(account, spec(account, "own-command", run_command=run))
    assert account.get(app).json()["greeting"] == "mine"


def test_a_push_deploys_apps_with_deploy_on_push(account: Account, repository: Repository) -> None:
    app = up(account, spec(account, "pushed"))
    quiet = {"repo": NAME.lower(), "branch": "main", "deploy_on_push": False}
    other = up(account, spec(account, "not-pushed", github=quiet))
    commit = repository.commit("second")
    names = [each["app"] for each in push(account)]
    assert "pushed" in names
    assert "not-pushed" not in names
    [deployment, _] = account.http.get(f"/v2/apps/{app['id']}/deployments").json()["deployments"]
    account.wait(app["id"], deployment["id"], "ACTIVE")
    assert account.get(app).json()["greeting"] == "second"
    assert deployment["cause"] == f"commit {commit[:7]} pushed to github/{NAME}"
    details = deployment["cause_details"]
    assert details["type"] == "DEPLOY_ON_PUSH"
    assert details["git_push"]["commit_sha"] == commit
    assert details["git_push"]["github"]["repo"] == NAME
    assert account.get(other).json()["greeting"] == "first"


def test_a_push_deploys_nothing_after_deploy_on_push_is_off(account: Account, repository: Repository) -> None:
    made = spec(account, "switched-off")
    app = up(account, made)
    made["services"][0]["github"] = {"repo": NAME, "branch": "main"}
    account.update(app["id"], made)
    repository.commit("second")
    assert "switched-off" not in [each["app"] for each in push(account)]
    assert account.get(app).json()["greeting"] == "first"


def test_a_push_to_a_missing_repository_or_branch_is_refused(account: Account, repository: Repository) -> None:
    for name, branch, words in (("a/b", "main", "has no repository a/b"), (NAME, "other", "has no branch other")):
        answer = account.http.post("/_cloud/pushes", json={"repository": name, "branch": branch})
        assert answer.status_code == 404
        assert words in answer.json()["error"]
    assert account.http.post("/_cloud/pushes", json=["x"]).status_code == 400


def test_a_public_clone_url_of_the_same_repository_is_built(account: Account, repository: Repository) -> None:
    made = spec(account, "by-address")
    del made["services"][0]["github"]
    made["services"][0]["git"] = {"repo_clone_url": f"https://github.com/{NAME}.git", "branch": "main"}
    assert account.get(up(account, made)).json()["greeting"] == "first"


def test_a_repository_without_access_is_refused(account: Account, repository: Repository) -> None:
    for verb, path in (("POST", "/v2/apps"), ("POST", "/v2/apps/propose")):
        stranger = spec(account, "stranger", github={"repo": "other/private", "branch": "main"})
        answer = account.http.request(verb, path, json={"spec": stranger})
        assert answer.status_code == 400
        message = answer.json()["message"]
        assert message.startswith("GitHub user does not have access to other/private; ")
        assert "oracle cloud repository other/private CHECKOUT" in message
    assert "stranger" not in [each["spec"]["name"] for each in account.http.get("/v2/apps").json()["apps"]]


def test_a_dockerfile_without_a_configured_command_is_refused(account: Account, repository: Repository) -> None:
    allow(account, checkout=str(repository.folder))
    answer = account.http.post("/v2/apps", json={"spec": spec(account, "no-command")})
    assert answer.status_code == 400
    assert "builds no Dockerfiles" in answer.json()["message"]
    assert f"oracle cloud repository {NAME} CHECKOUT --build COMMAND --run COMMAND" in answer.json()["message"]


def test_access_to_a_repository_can_be_removed(account: Account, repository: Repository) -> None:
    assert account.http.delete(f"/_cloud/repositories/{NAME.upper()}").json() == {"repositories": []}
    assert account.http.delete(f"/_cloud/repositories/{NAME}").status_code == 404
    assert account.http.post("/v2/apps", json={"spec": spec(account, "too-late")}).status_code == 400


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"dockerfile_path": "Dockerfile"}, "the Dockerfile 'Dockerfile' is not in the repository"),
        ({"dockerfile_path": "../../x"}, "is not in the repository"),
        ({"github": {"repo": NAME, "branch": "gone"}}, "cannot be cloned"),
        ({"source_dir": "nowhere"}, "source_dir 'nowhere' is not in the repository"),
    ],
)
def test_the_log_of_a_failed_build_says_why(
    account: Account, repository: Repository, request: pytest.FixtureRequest, changes: Json, words: str
) -> None:
    app = account.create(spec(account, f"bad-{request.node.callspec.indices['changes']}-github", **changes))
    failed = account.wait(app["id"], app["pending_deployment"]["id"], "ERROR")
    assert words in account.log(app["id"], failed["id"], "BUILD")


def test_the_log_of_a_build_without_output_says_so(account: Account, repository: Repository) -> None:
    allow(account, checkout=str(repository.folder), build="true", output="made", run=RUN)
    app = account.create(spec(account, "makes-nothing"))
    failed = account.wait(app["id"], app["pending_deployment"]["id"], "ERROR")
    assert "the build made no folder 'made'" in account.log(app["id"], failed["id"], "BUILD")


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"name": "backend"}, "is not the name of a repository"),
        ({"checkout": "relative"}, "is not an absolute path"),
        ({"checkout": "/"}, f"is not a git checkout. Fix: run `git clone https://github.com/{NAME} /`."),
        ({"build": "make"}, "two commands"),
        ({"run": "./x"}, "two commands"),
        ({"output": "../.."}, "not a folder below"),
        ({"branch": "x"}, "has no field 'branch'"),
        ({"run": 7}, "a JSON object whose values are texts"),
    ],
)
def test_an_invalid_repository_is_refused(account: Account, repository: Repository, changes: Json, words: str) -> None:
    told = allow(account, status=400, **{"checkout": str(repository.folder), **changes})
    assert words in told["error"]


def test_an_alert_at_the_wrong_level_is_refused(account: Account) -> None:
    load = {"rule": "CPU_UTILIZATION", "operator": "GREATER_THAN", "value": 80, "window": "FIVE_MINUTES"}
    for alerts, of_service in (([load], []), ([], [{"rule": "DEPLOYMENT_FAILED"}]), ([{"rule": "NOPE"}], [])):
        wrong = {**account.spec("alerts", alerts=of_service), "alerts": alerts}
        answer = account.http.post("/v2/apps", json={"spec": wrong})
        assert answer.status_code == 400
        assert "alerts.rule" in answer.json()["message"]
