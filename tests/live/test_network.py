"""Down and up, used, changed, destroyed: the network as its people live with it. One story."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.http import client, httpx
from offline_plugins.launch import SOCKET
from tests.live import network
from tests.live.leaks import SECRET_FILES, ProcessList, leaked, leaked_in_files
from tests.live.project import Project, assert_quiet, changed_names

pytestmark = pytest.mark.live


@pytest.fixture(scope="module", autouse=True)
def processes() -> Iterator[ProcessList]:
    """Looks at the machine's processes while the module's tests run."""
    with ProcessList() as seen:
        yield seen


def get(url: str) -> httpx.Response:
    with client() as http:
        return http.get(url)


def post(url: str, body: object, token: str = "") -> httpx.Response:
    with client() as http:
        return http.post(url, json=body, headers={"Authorization": f"Bearer {token}"} if token else {})


def make_post(api: str, title: str) -> None:
    """Registers somebody new, who posts."""
    human = {"email": f"{title.split()[0].lower()}@example.org", "password": "correct horse", "name": "Ada"}
    assert post(f"{api}/api/register", human).status_code in (200, 201)
    token = post(f"{api}/api/login", human).json()["token"]
    made = post(f"{api}/api/posts", {"title": title, "body": "The network is up."}, token)
    assert made.status_code in (200, 201), made.text


def admin_token(project: Project) -> str:
    outputs = project.outputs()
    body = {"identity": outputs["adminEmail"], "password": outputs["adminPassword"]}
    answer = post(f"{outputs['backendUrl']}/api/collections/_superusers/auth-with-password", body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


def test_down_and_up_keep_addresses_and_data_and_say_what_answers(project: Project) -> None:
    before = project.outputs()
    make_post(before["apiUrl"], "Kept")
    project.oracle("down").well()
    done = project.oracle("up")
    assert_quiet(done)
    assert project.outputs() == before
    assert "Kept" in [post["title"] for post in get(f"{before['apiUrl']}/api/posts").json()["items"]]
    assert re.search(r"Engine: Pulumi \d+\.\d+\.\d+ \(\w+\), (offline|official) provider plugins", done.output)
    for service in ("backend", "api", "web", "universe"):
        assert re.search(rf"^{service} +\w+ +ok +{re.escape(before[f'{service}Url'])} *$", done.output, re.MULTILINE)


def test_a_refreshed_preview_has_nothing_to_do(project: Project) -> None:
    assert_quiet(project.pulumi("preview", "--refresh", "--stack", "local"))


def test_the_local_cloud_has_the_plugins_imports_done(project: Project) -> None:
    """Ours alone; where the official ones could be had, there is nothing to be done."""
    home = project.root / ".oracle/pulumi/local/home"
    ours = list(home.glob("plugins/*/offline-plugin"))
    assert (home / SOCKET).is_socket() == bool(ours)


def test_the_apis_health_names_the_backends(project: Project) -> None:
    outputs = project.outputs()
    answer = get(f"{outputs['apiUrl']}/api/health")
    assert answer.status_code == 200
    assert answer.json()["backend"]["status"] == "ok"
    assert answer.json()["backend"]["version"] == outputs["release"]["backend"]


def test_a_post_through_the_api_is_in_pocketbase(project: Project) -> None:
    outputs = project.outputs()
    make_post(outputs["apiUrl"], "First light")
    url = f"{outputs['backendUrl']}/api/collections/posts/records"
    with client() as http:
        records = http.get(url, headers={"Authorization": admin_token(project)}).json()["items"]
    assert {record["title"] for record in records} == {"Kept", "First light"}


def test_changing_one_workers_source_changes_one_worker(project: Project) -> None:
    before = project.outputs()
    project.edit("services/api/src/worker.js", "export default", "// changed\nexport default")
    assert changed_names(project.up().well()) == {"api-script", "api-declared", "release-archive"}
    after = project.outputs()
    assert before["release"]["workers"]["api"] != after["release"]["workers"]["api"]
    assert before["release"]["backend"] == after["release"]["backend"]
    assert before["release"]["assets"] == after["release"]["assets"]
    version = get(f"{after['apiUrl']}/api/version").json()["version"]
    assert version == after["release"]["workers"]["api"]


@pytest.mark.slow
def test_changing_one_asset_changes_one_site(project: Project) -> None:
    project.edit("services/web/public/index.html", "<title>", "<title>Changed ")
    assert changed_names(project.up().well()) == {"web-script", "web-declared", "release-archive"}
    assert "<title>Changed " in get(project.outputs()["webUrl"]).text


@pytest.mark.slow
def test_setting_the_github_token_changes_one_worker(project: Project) -> None:
    project.pulumi(
        "config", "set", "--secret", "oracle-net:githubToken", "planted-github-token", "--stack", "local"
    ).well()
    assert changed_names(project.up().well()) == {"api-script", "api-declared"}
    assert get(f"{project.outputs()['apiUrl']}/api/github").json()["configured"] is True


@pytest.mark.slow
def test_formatting_the_configuration_changes_nothing(project: Project) -> None:
    text = project.stack_file.read_text()
    project.stack_file.write_text("# a remark\n" + text.replace("config:\n", "config:\n\n", 1).replace("'", '"'))
    assert_quiet(project.up())


def test_no_secret_is_in_a_file_or_was_an_argument(project: Project, processes: ProcessList) -> None:
    """Of what was done so far; every other kind of work is searched in test_secrets.py."""
    tokens = project.tokens()
    secrets = {name: tokens[name] for name in ("digitalocean", "cloudflare")}
    secrets["password"] = str(project.outputs()["adminPassword"])
    assert not leaked_in_files(project.root, secrets, SECRET_FILES)
    assert any(b"localcloud" in arguments for arguments in processes.seen)
    assert not [arguments for arguments in processes.seen if leaked(arguments, secrets)]


def test_destroy_takes_a_backup_and_leaves_nothing_in_the_clouds(project: Project, tmp_path: Path) -> None:
    titles = network.titles(project)
    project.pulumi("destroy", "--yes", "--skip-preview", "--stack", "local").failed()
    assert network.apps(project) == ["jellyfish-app"]
    project.pulumi("destroy", "--yes", "--skip-preview", "--run-program", "--stack", "local").well()
    assert network.apps(project) == []
    kept = network.backups(project)[0]["id"]
    assert network.backed_up_titles(project, kept, tmp_path) == titles == {"First light", "Kept"}


@pytest.mark.slow
def test_what_was_destroyed_can_be_up_again(project: Project) -> None:
    project.oracle("up").well()
