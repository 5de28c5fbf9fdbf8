"""An additional Worker by configuration alone, with storage, crons and bindings. One story: the tests run in order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clients.http import client
from tests.live.project import Project, assert_quiet
from tests.support.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.slow]

ENTRY = """    feed:
      script: oracle-feed
      path: services/feed
      entry: worker.js
      compatibilityDate: "2025-06-01"
      crons: ["0 3 * * *"]
      bindings:
        WORD: {text: hello}
        API: {service: api}
        CACHE: {kv: feed-cache}
"""
SECRET = "planted-feed-token"
FURTHER = {
    "FILES": {"r2": "feed-files"},
    "DB": {"d1": "feed-data"},
    "JOBS": {"queue": "feed-jobs"},
    "ROOMS": {"durableObject": "Room"},
}
STORED = {"file": "stored", "rows": ["stored"], "room": "stored", "job": "stored"}


@pytest.fixture(scope="module")
def project(brought_up: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = brought_up.copy(tmp_path_factory.mktemp("copy") / "project")
    shutil.copytree(Path(__file__).with_name("feed"), made.root / "services/feed")
    made.edit(made.stack_file.name, "  oracle-net:workers:\n", f"  oracle-net:workers:\n{ENTRY}")
    try:
        yield made
    finally:
        made.stop()


def feed(project: Project, path: str = "/") -> Any:
    with client() as http:
        return http.get(f"{project.outputs()['feedUrl']}{path}").raise_for_status().json()


def services(project: Project) -> list[str]:
    found = json.loads(project.oracle("status", "--json").well().output)
    assert (found["level"], found["findings"]) == ("healthy", [])
    return [each["name"] for each in found["services"]]


def namespaces(project: Project) -> list[str]:
    account = f"{project.config['cloudflare:baseUrl']}/accounts/{project.config['oracle-net:accountId']}"
    with client(headers={"Authorization": f"Bearer {project.tokens()['cloudflare']}"}) as http:
        return [
            each["title"] for each in http.get(f"{account}/storage/kv/namespaces").raise_for_status().json()["result"]
        ]


def test_a_new_worker_is_deployed_alone_and_does_not_delay_the_others(project: Project) -> None:
    project.edit("services/web/public/index.html", "</title>", " 2</title>")
    done = project.oracle("deploy", "web", "--yes").well()
    assert "feedUrl" not in project.outputs()
    assert "feed" not in done.output.rpartition("service")[2]
    project.pulumi("config", "set", "--secret", "--path", "oracle-net:workerSecrets.feed.TOKEN", SECRET, "-s", "local")
    done = project.oracle("deploy", "feed", "--yes").well()
    assert SECRET not in done.output
    assert feed(project) == {"calls": 0, "word": "hello", "token": len(SECRET)}
    assert services(project) == ["backend", "api", "feed", "universe", "web"]


def test_the_worker_calls_the_api_by_its_binding(project: Project) -> None:
    assert feed(project, "/api")["status"] == "ok"


def test_a_cron_calls_the_worker_and_its_data_survives_a_new_version(project: Project) -> None:
    project.api("POST", "/_cloud/workers/oracle-feed/scheduled?cron=0+3+*+*+*")
    assert feed(project)["calls"] == 1
    project.pulumi("config", "set", "--path", "oracle-net:workers.feed.bindings.WORD.text", "again", "-s", "local")
    project.oracle("deploy", "feed", "--yes").well()
    assert feed(project) == {"calls": 1, "word": "again", "token": len(SECRET)}
    assert_quiet(project.oracle("up"))


def test_a_bucket_database_queue_and_durable_objects_survive_a_new_version(project: Project) -> None:
    """The update after a migration uploads once more; the next one changes nothing."""
    document = yaml.safe_load(project.stack_file.read_text())
    worker = document["config"]["oracle-net:workers"]["feed"]
    worker["bindings"] |= FURTHER
    worker |= {
        "consumes": {"feed-jobs": {"maxWaitMs": 100}},
        "migrations": [{"tag": "v1", "newSqliteClasses": ["Room"]}],
    }
    project.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
    project.oracle("deploy", "feed", "--yes").well()
    feed(project, "/store?word=stored")
    until(lambda: feed(project, "/stored") == STORED, "every word is stored", 60)
    project.oracle("up").well()
    assert_quiet(project.oracle("up"))
    project.edit("services/feed/worker.js", "word: env.WORD", "word: `${env.WORD}!`")
    project.oracle("deploy", "feed", "--yes").well()
    assert feed(project)["word"] == "again!"
    assert feed(project, "/stored") == STORED


def test_a_rollback_includes_the_worker_and_its_data_survives(project: Project) -> None:
    project.oracle("rollback", "local", "--yes").well()
    assert feed(project)["word"] == "again"
    assert feed(project, "/stored") == STORED
    project.pulumi("config", "rm", "oracle-net:receipt", "-s", "local")


def test_its_storage_is_named_by_a_backup_and_survives_its_removal(project: Project) -> None:
    said = project.oracle("backup").well().output
    assert "Not in it, and stored by Cloudflare only: D1 database feed-data, KV namespace feed-cache, " in said
    for key in ("workers.feed", "workerSecrets.feed"):
        project.pulumi("config", "rm", "--path", f"oracle-net:{key}", "-s", "local")
    project.oracle("up").well()
    assert services(project) == ["backend", "api", "universe", "web"]
    assert "feedUrl" not in project.outputs()
    assert namespaces(project) == ["feed-cache"]
