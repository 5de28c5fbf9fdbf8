"""Up, used, changed, changed back, refreshed, destroyed: the network as its people live with it."""

from __future__ import annotations

import re

import pytest

from loopback import client, httpx
from tests.live.project import Project

pytestmark = pytest.mark.live


def get(url: str) -> httpx.Response:
    with client() as http:
        return http.get(url)


def post(url: str, body: object, token: str = "") -> httpx.Response:
    with client() as http:
        return http.post(url, json=body, headers={"Authorization": f"Bearer {token}"} if token else {})


def admin_token(project: Project) -> str:
    outputs = project.outputs()
    body = {"identity": outputs["adminEmail"], "password": outputs["adminPassword"]}
    answer = post(f"{outputs['backendUrl']}/api/collections/_superusers/auth-with-password", body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


def changes(output: str) -> dict[str, int]:
    """The engine's own count of what it did, such as {"updated": 1, "unchanged": 28}."""
    return {word: int(number) for number, word in re.findall(r"^ +[~+-]{0,2} ?(\d+) (\w+)$", output, re.MULTILINE)}


def test_up_says_what_it_uses_and_shows_what_answers(project: Project) -> None:
    done = project.oracle("up").ok
    assert re.search(r"Engine: Pulumi \d+\.\d+\.\d+ \(\w+\), (offline|official) provider plugins", done.output)
    outputs = project.outputs()
    for service in ("backend", "api", "web", "universe"):
        assert re.search(rf"^{service} +\w+ +ok +{re.escape(outputs[f'{service}Url'])} *$", done.output, re.MULTILINE)


def test_a_second_up_and_a_refreshed_preview_have_nothing_to_do(project: Project) -> None:
    assert changes(project.oracle("up").ok.output).keys() == {"unchanged"}
    assert changes(project.pulumi("preview", "--refresh", "--stack", "local").ok.output).keys() == {"unchanged"}
    assert changes(project.up().ok.output).keys() == {"unchanged"}


def test_the_apis_health_names_the_backends(project: Project) -> None:
    outputs = project.outputs()
    answer = get(f"{outputs['apiUrl']}/api/health")
    assert answer.status_code == 200
    assert answer.json()["backend"]["status"] == "ok"
    assert answer.json()["backend"]["version"] == outputs["release"]["backend"]


def test_a_post_through_the_api_is_in_pocketbase(project: Project) -> None:
    outputs, api = project.outputs(), project.outputs()["apiUrl"]
    human = {"email": "ada@example.org", "password": "correct horse", "name": "Ada"}
    assert post(f"{api}/api/register", human).status_code in (200, 201)
    token = post(f"{api}/api/login", human).json()["token"]
    made = post(f"{api}/api/posts", {"title": "First light", "body": "The network is up."}, token)
    assert made.status_code in (200, 201), made.text
    with client() as http:
        records = http.get(
            f"{outputs['backendUrl']}/api/collections/posts/records", headers={"Authorization": admin_token(project)}
        ).json()["items"]
    assert [record["title"] for record in records] == ["First light"]


def test_changing_one_workers_source_changes_one_worker(project: Project) -> None:
    before = project.outputs()
    project.edit("services/api/src/worker.js", "export default", "// changed\nexport default")
    done = project.up().ok
    assert changes(done.output) == {"updated": 1, "unchanged": 28}
    after = project.outputs()
    assert before["release"]["workers"]["api"] != after["release"]["workers"]["api"]
    assert before["release"]["backend"] == after["release"]["backend"]
    assert before["release"]["assets"] == after["release"]["assets"]
    version = get(f"{after['apiUrl']}/api/version").json()["version"]
    assert version == after["release"]["workers"]["api"]


def test_changing_one_asset_changes_one_site(project: Project) -> None:
    project.edit("services/web/public/index.html", "<title>", "<title>Changed ")
    assert changes(project.up().ok.output) == {"updated": 1, "unchanged": 28}
    assert "<title>Changed " in get(project.outputs()["webUrl"]).text


def test_setting_the_github_token_changes_one_worker(project: Project) -> None:
    project.pulumi("config", "set", "--secret", "oracle-net:githubToken", "planted-github-token", "--stack", "local").ok  # noqa: B018
    assert changes(project.up().ok.output) == {"updated": 1, "unchanged": 28}
    assert get(f"{project.outputs()['apiUrl']}/api/github").json()["configured"] is True


def test_formatting_the_configuration_changes_nothing(project: Project) -> None:
    text = project.stack_file.read_text()
    project.stack_file.write_text("# a remark\n" + text.replace("config:\n", "config:\n\n", 1).replace("'", '"'))
    assert changes(project.up().ok.output).keys() == {"unchanged"}


def test_changing_the_backend_deploys_it_and_nothing_else(project: Project) -> None:
    before = project.outputs()
    project.edit("services/backend/entrypoint.sh", "exec ", "echo changed\nexec ")
    done = project.up().ok
    assert changes(done.output) == {"updated": 3, "unchanged": 26}, done.output
    after = project.outputs()
    assert after["backendUrl"] == before["backendUrl"]
    assert get(f"{after['backendUrl']}/api/version").json()["version"] == after["release"]["backend"]
    assert get(f"{after['apiUrl']}/api/health").json()["backend"]["version"] == after["release"]["backend"]
    assert admin_token(project)


def test_down_and_up_keep_addresses_and_data(project: Project) -> None:
    before, token = project.outputs(), admin_token(project)
    url = f"{before['backendUrl']}/api/collections/oracles/records"
    with client() as http:
        made = http.post(url, json={"name": "Kept"}, headers={"Authorization": token})
    assert made.status_code == 200, made.text
    project.oracle("down").ok  # noqa: B018
    assert changes(project.oracle("up").ok.output).keys() == {"unchanged"}
    assert project.outputs() == before
    assert [record["name"] for record in get(url).json()["items"]] == ["Kept"]


def test_destroy_leaves_nothing_in_the_clouds(project: Project) -> None:
    project.pulumi("destroy", "--yes", "--skip-preview", "--run-program", "--stack", "local").ok  # noqa: B018
    assert project.api("GET", "/v2/apps").get("apps") in (None, [])
    assert project.oracle("up").ok.status == 0
