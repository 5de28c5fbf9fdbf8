"""The network from up to destroy: used, changed, stopped and started. One story: the tests run in order."""

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


def test_down_and_up_preserve_addresses_and_data(project: Project) -> None:
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


def test_the_tests_read_the_outputs_that_the_engine_prints(project: Project) -> None:
    assert project.outputs() == project.engine_outputs()


def test_a_preview_with_refresh_has_no_changes(project: Project) -> None:
    assert_quiet(project.pulumi("preview", "--refresh", "--stack", "local"))


def test_the_local_cloud_preloads_the_offline_plugins(project: Project) -> None:
    """The official plugins need no preloading."""
    home = project.root / ".oracle/pulumi/local/home"
    ours = list(home.glob("plugins/*/offline-plugin"))
    assert (home / SOCKET).is_socket() == bool(ours)


def test_the_health_of_the_api_includes_the_backend(project: Project) -> None:
    outputs = project.outputs()
    answer = get(f"{outputs['apiUrl']}/api/health")
    assert answer.status_code == 200
    assert answer.json()["backend"]["status"] == "ok"
    assert answer.json()["backend"]["version"] == outputs["release"]["backend"]


def test_a_post_made_through_the_api_is_in_pocketbase(project: Project) -> None:
    outputs = project.outputs()
    make_post(outputs["apiUrl"], "First light")
    url = f"{outputs['backendUrl']}/api/collections/posts/records"
    with client() as http:
        records = http.get(url, headers={"Authorization": admin_token(project)}).json()["items"]
    assert {record["title"] for record in records} == {"Kept", "First light"}


def test_a_changed_source_of_one_worker_changes_one_worker(project: Project) -> None:
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
def test_a_changed_asset_changes_one_site(project: Project) -> None:
    project.edit("services/web/public/index.html", "<title>", "<title>Changed ")
    assert changed_names(project.up().well()) == {"web-script", "web-declared", "release-archive"}
    assert "<title>Changed " in get(project.outputs()["webUrl"]).text


@pytest.mark.slow
def test_a_changed_github_token_changes_one_worker(project: Project) -> None:
    project.pulumi(
        "config", "set", "--secret", "oracle-net:githubToken", "planted-github-token", "--stack", "local"
    ).well()
    assert changed_names(project.up().well()) == {"api-script", "api-declared"}
    assert get(f"{project.outputs()['apiUrl']}/api/github").json()["configured"] is True


@pytest.mark.slow
def test_a_reformatted_configuration_changes_nothing(project: Project) -> None:
    text = project.stack_file.read_text()
    project.stack_file.write_text("# a remark\n" + text.replace("config:\n", "config:\n\n", 1).replace("'", '"'))
    assert_quiet(project.up())


def test_no_secret_is_in_a_file_or_in_process_arguments(project: Project, processes: ProcessList) -> None:
    """After the work so far; test_secrets.py searches after every other kind of work."""
    tokens = project.tokens()
    secrets = {name: tokens[name] for name in ("digitalocean", "cloudflare")}
    secrets["password"] = str(project.outputs()["adminPassword"])
    assert not leaked_in_files(project.root, secrets, SECRET_FILES)
    assert any(b"localcloud" in arguments for arguments in processes.seen)
    assert not [arguments for arguments in processes.seen if leaked(arguments, secrets)]


def test_destroy_takes_a_backup_and_deletes_all_resources(project: Project, tmp_path: Path) -> None:
    titles = network.titles(project)
    project.pulumi("destroy", "--yes", "--skip-preview", "--stack", "local").failed()
    assert network.apps(project) == ["jellyfish-app"]
    project.pulumi("destroy", "--yes", "--skip-preview", "--run-program", "--stack", "local").well()
    assert network.apps(project) == []
    kept = network.backups(project)[0]["id"]
    assert network.backed_up_titles(project, kept, tmp_path) == titles == {"First light", "Kept"}


@pytest.mark.slow
def test_a_destroyed_network_can_be_brought_up_again(project: Project) -> None:
    project.oracle("up").well()
