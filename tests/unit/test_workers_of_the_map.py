"""An additional Worker needs only an entry in the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.preview_env.config import declared
from cli.ui import phrases
from settings import Settings, SettingsError, parse
from tests.support.stacks import LOCAL
from tests.unit import program
from tests.unit.test_program import checkouts

__all__ = ["checkouts"]

SCRIPT = "cloudflare:index/workersScript:WorkersScript"
FEED: dict[str, Any] = {
    "script": "oracle-feed",
    "path": "feed",
    "entry": "worker.js",
    "compatibilityDate": "2025-06-01",
    "crons": ["*/5 * * * *"],
    "consumes": {"jobs": {"batchSize": 5, "deadLetterQueue": "lost"}},
    "bindings": {
        "GREETING": {"text": "hello"},
        "API": {"service": "api"},
        "CACHE": {"kv": "feed-cache"},
        "FILES": {"r2": "feed-files"},
        "DB": {"d1": "feed-data"},
        "JOBS": {"queue": "jobs"},
    },
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkouts: Path) -> program.Run:
    """The program with a fifth service, whose module is one line."""
    folder = Path.cwd() / "feed"
    folder.mkdir(exist_ok=True)
    (folder / "worker.js").write_text("export default { fetch: () => new Response('fed') };\n")
    config = program.config_of("prod")
    workers = {**json.loads(config["oracle-net:workers"]), "feed": {**FEED, "path": str(folder)}}
    secrets = json.dumps({"feed": {"TOKEN": "planted-token"}})
    given = {**config, "oracle-net:workers": json.dumps(workers), "oracle-net:workerSecrets": secrets}
    return program.run(given, ["oracle-net:workerSecrets"])


def test_the_bindings_are_those_of_the_configuration(run: program.Run) -> None:
    bindings = {each["name"]: each for each in program.plain(run.one("feed-script").inputs["bindings"])}
    assert run.one("storage-kv-feed-cache").inputs["title"] == "feed-cache"
    assert bindings["GREETING"] == {"name": "GREETING", "type": "plain_text", "text": "hello"}
    assert bindings["API"] == {"name": "API", "type": "service", "service": "oracle-universe-api"}
    assert bindings["CACHE"]["namespaceId"] == "storage-kv-feed-cache-id"
    assert bindings["FILES"]["bucketName"] == "feed-files"
    assert bindings["DB"]["id"] == "storage-d1-feed-data-id"
    assert bindings["JOBS"]["queueName"] == "jobs"
    assert bindings["TOKEN"]["type"] == "secret_text"
    assert "planted-token" not in json.dumps(program.hidden(run.one("feed-script").inputs))


def test_crons_and_queues_call_the_worker(run: program.Run) -> None:
    assert program.plain(run.one("feed-crons").inputs["schedules"]) == [{"cron": "*/5 * * * *"}]
    consumer = run.one("feed-consumes-jobs").inputs
    assert consumer["queueId"] == "storage-queue-jobs-id"
    assert (consumer["scriptName"], consumer["deadLetterQueue"]) == ("oracle-feed", "lost")
    assert run.one("storage-queue-lost").inputs["queueName"] == "lost"


def test_an_additional_worker_is_a_service_like_the_others(run: program.Run) -> None:
    assert run.outputs["feedUrl"] == "https://oracle-feed.team.workers.dev"
    assert set(run.outputs["release"]["workers"]) == {"api", "web", "universe", "feed"}
    assert run.one("uptime-feed-check").inputs["name"].endswith(" feed")
    assert not [each for each in program.plain(run.one("feed-script").inputs["bindings"]) if each["name"] == "BACKEND"]


def settings(**workers: Any) -> Settings:
    document = yaml.safe_load(LOCAL.read_text())["config"]
    values = {key.removeprefix("oracle-net:"): value for key, value in document.items() if "oracle-net:" in key}
    values["workers"] = {**values["workers"], **workers}
    return parse(values)


def test_workers_are_listed_api_first_and_created_after_their_bindings() -> None:
    found = settings(atlas={**FEED, "script": "atlas", "bindings": {"FEED": {"service": "feed"}}}, feed=FEED)
    assert list(found.workers) == ["api", "atlas", "feed", "universe", "web"]
    order = found.made_in_order()
    assert order.index("api") < order.index("feed") < order.index("atlas")


@pytest.mark.parametrize(
    "feed, said",
    [
        (
            {**FEED, "bindings": {"X": {"service": "nobody"}}},
            "feed is bound to nobody, which is no Worker of this stack",
        ),
        ({**FEED, "bindings": {"X": {"service": "feed"}}}, "feed is bound to feed, which is itself"),
        ({**FEED, "bindings": {"STACK": {"text": "x"}}}, "STACK is a binding of feed twice"),
        ({**FEED, "bindings": {"X": {"kv": "cache", "r2": "files"}}}, "bindings.X should have exactly one of text, "),
        ({**FEED, "bindings": {"X": {}}}, "oracle-net:workers.feed.bindings.X should have exactly one of text, "),
        ({**FEED, "bindings": {"X": {"kv": "Cache"}}}, "oracle-net:workers.feed.bindings.X.kv "),
        ({**FEED, "consumes": {"jobs": {"batchSize": 1000}}}, "oracle-net:workers.feed.consumes.jobs.batchSize "),
    ],
)
def test_an_invalid_worker_is_refused_in_one_sentence(feed: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(feed=feed)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cycle_of_service_bindings_is_refused() -> None:
    one, other = (
        {**FEED, "script": name, "bindings": {"X": {"service": asked}}} for name, asked in (("a1", "b"), ("b1", "a"))
    )
    with pytest.raises(SettingsError, match=r"Workers are bound to each other in a circle \("):
        settings(a=one, b=other)


@pytest.mark.parametrize("name", ["backend", "uptime", "storage"])
def test_a_worker_with_a_reserved_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f"has a Worker named {name}"):
        settings(**{name: FEED})


def test_an_invalid_worker_name_is_refused() -> None:
    with pytest.raises(SettingsError, match="my-feed is no name for a Worker"):
        settings(**{"my-feed": FEED})


def test_storage_that_backups_do_not_include_is_named() -> None:
    feed = {**FEED, "migrations": [{"tag": "v1", "newSqliteClasses": ["Room"]}]}
    assert phrases.not_in_backups(settings(feed=feed)) == (
        "Not in it, and stored by Cloudflare only: D1 database feed-data, KV namespace feed-cache, queue jobs, "
        "queue lost, R2 bucket feed-files, Durable Objects of Room."
    )
    assert phrases.not_in_backups(settings()) == ""


def test_a_review_environment_has_its_own_storage() -> None:
    document = {"config": {"oracle-net:workers": {"feed": FEED}}}
    made = declared(document, 7)["config"]
    bindings = made["oracle-net:workers"]["feed"]["bindings"]
    assert [bindings[name] for name in ("GREETING", "API", "CACHE", "JOBS")] == [
        {"text": "hello"},
        {"service": "api"},
        {"kv": "pr-7-feed-cache"},
        {"queue": "pr-7-jobs"},
    ]
    assert made["oracle-net:workers"]["feed"]["consumes"] == {
        "pr-7-jobs": {"batchSize": 5, "deadLetterQueue": "pr-7-lost"}
    }
    assert made["oracle-net:keepStorage"] is False
