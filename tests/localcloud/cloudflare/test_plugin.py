"""The offline cloudflare plugin against the local cloud: storage, queues, cron triggers and migrations.

Nothing of these resources was recorded; how they behave is read in terraform-provider-cloudflare 5 (internal/services).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.localcloud.cloudflare.service import Client
from tests.parity.plugin import Plugin

NAMESPACE = "cloudflare:index/workersKvNamespace:WorkersKvNamespace"
TRIGGER = "cloudflare:index/workersCronTrigger:WorkersCronTrigger"
SCRIPT = "cloudflare:index/workersScript:WorkersScript"
BUCKET = "cloudflare:index/r2Bucket:R2Bucket"
DATABASE = "cloudflare:index/d1Database:D1Database"
QUEUE = "cloudflare:index/queue:Queue"
CONSUMER = "cloudflare:index/queueConsumer:QueueConsumer"
CODE = 'export default { fetch: () => new Response("x"), scheduled() {} };'
UNKNOWN = {"$unknown": True}
Json = Any


@pytest.fixture(scope="module")
def plugin(api: Client) -> Iterator[Plugin]:
    with Plugin("cloudflare") as running:
        assert "response" in running.configure({"apiToken": api.token, "baseUrl": api.base})
        yield running


@pytest.fixture
def account_id(api: Client) -> str:
    return api.running.cloud.tokens.account_id


def answered(answer: Json) -> Json:
    assert "response" in answer, answer
    return answer["response"]


def checked(plugin: Plugin, token: str, news: Json) -> Json:
    answer = answered(plugin.check(token, {}, news))
    assert "failures" not in answer
    return answer["inputs"]


def quiet_after_refresh(plugin: Plugin, token: str, one: Json, news: Json) -> Json:
    """The outputs after a read that must lead to no change."""
    read = answered(plugin.read(token, one["id"], one["properties"], news))
    diff = answered(plugin.diff(token, one["id"], read["properties"], read["inputs"], news))
    assert diff["changes"] == "DIFF_NONE"
    return read["properties"]


def test_a_kv_namespace_is_managed(api: Client, plugin: Plugin, account_id: str) -> None:
    news = checked(plugin, NAMESPACE, {"accountId": account_id, "title": "plugged"})
    previewed = answered(plugin.create(NAMESPACE, news, preview=True))["properties"]
    assert (previewed["id"], previewed["supportsUrlEncoding"]) == (UNKNOWN, UNKNOWN)
    made = answered(plugin.create(NAMESPACE, news))
    assert made["properties"] == news | {"id": made["id"], "supportsUrlEncoding": True}
    outputs = quiet_after_refresh(plugin, NAMESPACE, made, news)

    renamed = news | {"title": "plugged-anew"}
    diff = answered(plugin.diff(NAMESPACE, made["id"], outputs, news, renamed))
    assert (diff["changes"], diff.get("replaces", [])) == ("DIFF_SOME", [])
    assert (
        plugin.update(NAMESPACE, made["id"], outputs, news, renamed, preview=True)["response"]["properties"]["id"]
        == made["id"]
    )
    updated = answered(plugin.update(NAMESPACE, made["id"], outputs, news, renamed))["properties"]
    assert (updated["id"], updated["title"]) == (made["id"], "plugged-anew")
    elsewhere = news | {"accountId": "0" * 32}
    assert answered(plugin.diff(NAMESPACE, made["id"], updated, renamed, elsewhere))["replaces"] == ["accountId"]

    imported = answered(plugin.read(NAMESPACE, f"{account_id}/{made['id']}", {}, {}))
    assert (imported["id"], imported["inputs"]) == (made["id"], renamed)
    assert "10014" in plugin.create(NAMESPACE, renamed)["error"]["details"]
    assert answered(plugin.delete(NAMESPACE, made["id"], updated)) == {}
    assert answered(plugin.read(NAMESPACE, made["id"], updated, renamed)).get("id") is None
    assert "10013" in plugin.delete(NAMESPACE, made["id"], updated)["error"]["details"]


def test_cron_triggers_are_managed(api: Client, plugin: Plugin, account_id: str) -> None:
    api.put("plugged", CODE)
    path = "~/workers/scripts/plugged/schedules"
    wanted = {
        "accountId": account_id,
        "scriptName": "plugged",
        "schedules": [{"cron": "0 1 * * *"}, {"cron": "0 2 * * *"}],
    }
    news = checked(plugin, TRIGGER, wanted)
    made = answered(plugin.create(TRIGGER, news))
    known = api.result("GET", path)["schedules"]
    assert made["id"] == "plugged"
    assert [each["createdOn"] for each in made["properties"]["schedules"]] == [each["created_on"] for each in known]
    outputs = quiet_after_refresh(plugin, TRIGGER, made, news)

    fewer = news | {"schedules": [{"cron": "0 3 * * *"}]}
    diff = answered(plugin.diff(TRIGGER, "plugged", outputs, news, fewer))
    assert (diff["changes"], diff.get("replaces", [])) == ("DIFF_SOME", [])
    updated = answered(plugin.update(TRIGGER, "plugged", outputs, news, fewer))["properties"]
    assert [each["cron"] for each in api.result("GET", path)["schedules"]] == ["0 3 * * *"]
    other = fewer | {"scriptName": "another"}
    assert answered(plugin.diff(TRIGGER, "plugged", updated, fewer, other))["replaces"] == ["scriptName"]

    api.result("PUT", path, json=[])  # a change that no refresh sees
    assert answered(plugin.read(TRIGGER, "plugged", updated, fewer))["properties"] == updated
    api.result("PUT", path, json=[{"cron": "0 3 * * *"}])
    assert answered(plugin.delete(TRIGGER, "plugged", updated)) == {}
    assert len(api.result("GET", path)["schedules"]) == 1  # deletion sends nothing
    assert "10100" in plugin.create(TRIGGER, news | {"schedules": [{"cron": "no"}]})["error"]["details"]
    api.result("DELETE", "~/workers/scripts/plugged")
    assert answered(plugin.read(TRIGGER, "plugged", updated, fewer)).get("id") is None


def test_a_bucket_is_managed(api: Client, plugin: Plugin, account_id: str) -> None:
    news = checked(plugin, BUCKET, {"accountId": account_id, "name": "plugged-bucket"})
    made = answered(plugin.create(BUCKET, news))
    assert (made["id"], made["properties"]["storageClass"]) == ("plugged-bucket", "Standard")
    outputs = quiet_after_refresh(plugin, BUCKET, made, news)
    cold = news | {"storageClass": "InfrequentAccess"}
    updated = answered(plugin.update(BUCKET, made["id"], outputs, news, cold))["properties"]
    assert api.result("GET", "~/r2/buckets/plugged-bucket")["storage_class"] == "InfrequentAccess"
    assert "10004" in plugin.create(BUCKET, news)["error"]["details"]
    assert answered(plugin.delete(BUCKET, made["id"], updated)) == {}
    assert answered(plugin.read(BUCKET, made["id"], updated, cold)).get("id") is None


def test_a_database_is_managed(api: Client, plugin: Plugin, account_id: str) -> None:
    replication = {"readReplication": {"mode": "disabled"}}
    news = checked(plugin, DATABASE, {"accountId": account_id, "name": "plugged"} | replication)
    made = answered(plugin.create(DATABASE, news))
    assert made["id"] == made["properties"]["uuid"]
    outputs = quiet_after_refresh(plugin, DATABASE, made, news)
    auto = news | {"readReplication": {"mode": "auto"}}
    diff = answered(plugin.diff(DATABASE, made["id"], outputs, news, auto))
    assert (diff["changes"], diff.get("replaces", [])) == ("DIFF_SOME", [])
    updated = answered(plugin.update(DATABASE, made["id"], outputs, news, auto))["properties"]
    assert api.result("GET", "~/d1/database/plugged")["read_replication"] == {"mode": "auto"}
    renamed = answered(plugin.diff(DATABASE, made["id"], updated, auto, auto | {"name": "other"}))
    assert renamed["replaces"] == ["name"]
    imported = answered(plugin.read(DATABASE, f"{account_id}/{made['id']}", {}, {}))
    assert (imported["id"], imported["inputs"]["name"]) == (made["id"], "plugged")
    assert answered(plugin.delete(DATABASE, made["id"], updated)) == {}
    assert answered(plugin.read(DATABASE, made["id"], updated, auto)).get("id") is None


def test_a_database_without_replication_setting_differs_after_a_refresh(
    api: Client, plugin: Plugin, account_id: str
) -> None:
    """So it does with the official plugin: a refresh reads a value that the API always returns."""
    news = checked(plugin, DATABASE, {"accountId": account_id, "name": "bare"})
    made = answered(plugin.create(DATABASE, news))
    assert answered(plugin.diff(DATABASE, made["id"], made["properties"], news, news))["changes"] == "DIFF_NONE"
    read = answered(plugin.read(DATABASE, made["id"], made["properties"], news))
    diff = answered(plugin.diff(DATABASE, made["id"], read["properties"], read["inputs"], news))
    assert "readReplication" in diff["diffs"]
    answered(plugin.delete(DATABASE, made["id"], read["properties"]))


def test_a_queue_and_its_consumer_are_managed(api: Client, plugin: Plugin, account_id: str) -> None:
    api.put("plugged-consumer", "export default { queue() {} };")
    news = checked(plugin, QUEUE, {"accountId": account_id, "queueName": "plugged"})
    queue = answered(plugin.create(QUEUE, news))
    assert (queue["id"], queue["properties"]["settings"]["deliveryDelay"]) == (queue["properties"]["queueId"], 0)
    quiet_after_refresh(plugin, QUEUE, queue, news)

    base = {"accountId": account_id, "queueId": queue["id"], "type": "worker", "scriptName": "plugged-consumer"}
    wanted = checked(plugin, CONSUMER, base | {"settings": {"batchSize": 5}})
    made = answered(plugin.create(CONSUMER, wanted))
    assert made["properties"]["settings"]["batchSize"] == 5
    assert made["properties"]["settings"]["maxRetries"] == 3
    outputs = quiet_after_refresh(plugin, CONSUMER, made, wanted)
    assert made["id"] == account_id
    quiet_after_refresh(plugin, QUEUE, queue, news)  # whose counts are others now

    more = wanted | {"settings": {"batchSize": 6}}
    updated = answered(plugin.update(CONSUMER, made["id"], outputs, wanted, more))["properties"]
    assert api.result("GET", f"~/queues/{queue['id']}/consumers")[0]["settings"]["batch_size"] == 6
    other = answered(plugin.diff(CONSUMER, made["id"], updated, more, more | {"queueId": "another"}))
    assert other["replaces"] == ["queueId"]

    slower = news | {"settings": {"deliveryDelay": 4}}
    changed = answered(plugin.update(QUEUE, queue["id"], queue["properties"], news, slower))["properties"]
    assert api.result("GET", f"~/queues/{queue['id']}")["settings"]["delivery_delay"] == 4
    imported = answered(plugin.read(QUEUE, f"{account_id}/{queue['id']}", {}, {}))
    assert imported["inputs"]["queueName"] == "plugged"
    assert answered(plugin.delete(CONSUMER, made["id"], updated)) == {}
    assert answered(plugin.read(CONSUMER, made["id"], updated, more)).get("id") is None
    assert answered(plugin.delete(QUEUE, queue["id"], changed)) == {}
    assert answered(plugin.read(QUEUE, queue["id"], changed, slower)).get("id") is None


def test_migrations_are_sent_with_every_upload(api: Client, plugin: Plugin, account_id: str) -> None:
    """The second upload with the same migrations is refused; without them, or with only the tag, it is accepted."""
    code = "export class Counter {}; export default { fetch() {} }; // "
    base = {
        "accountId": account_id,
        "scriptName": "plugged-objects",
        "mainModule": "worker.js",
        "compatibilityDate": "2025-06-01",
        "bindings": [{"name": "COUNTER", "type": "durable_object_namespace", "className": "Counter"}],
        "observability": {"enabled": True, "headSamplingRate": 1},
    }
    first = {"migrations": {"newTag": "v1", "newSqliteClasses": ["Counter"]}}
    news = checked(plugin, SCRIPT, base | {"content": code + "1"} | first)
    made = answered(plugin.create(SCRIPT, news))
    assert made["properties"]["migrationTag"] == "v1"
    assert made["properties"]["migrations"] == first["migrations"]
    outputs = quiet_after_refresh(plugin, SCRIPT, made, news)

    again = news | {"content": code + "2"}
    refused = plugin.update(SCRIPT, made["id"], outputs, news, again)["error"]["details"]
    assert "412" in refused
    assert "got tag '' when expected tag is 'v1'" in refused
    for migrations in ({"migrations": {"oldTag": "v1", "newTag": "v1"}}, {}):
        without = {key: value for key, value in again.items() if key != "migrations"}
        wanted = checked(plugin, SCRIPT, without | migrations)
        diff = answered(plugin.diff(SCRIPT, made["id"], outputs, news, wanted))
        assert (diff["changes"], diff.get("replaces", [])) == ("DIFF_SOME", [])
        updated = answered(plugin.update(SCRIPT, made["id"], outputs, news, wanted))["properties"]
        assert updated["migrationTag"] == "v1"
    answered(plugin.delete(SCRIPT, made["id"], updated))
