"""Queues: the API's rules, and messages that are really delivered to their consumer."""

from __future__ import annotations

from typing import Any

from tests.localcloud.cloudflare.service import Client
from tests.support.waiting import until

PATH = "~/queues"
PRODUCER = """
export default {
  async fetch(request, env) {
    const messages = await request.json();
    for (const { body, options } of messages.single ?? []) await env.QUEUE.send(body, options);
    if (messages.batch) await env.QUEUE.sendBatch(messages.batch.map((body) => ({ body })));
    return new Response("sent");
  },
};
"""
CONSUMER = """
const seen = [];
export default {
  fetch: () => Response.json(seen),
  async queue(batch, env) {
    const told = (body) => (body instanceof ArrayBuffer ? [...new Uint8Array(body)] : body);
    seen.push({ queue: batch.queue, messages: batch.messages.map(({ body, attempts }) => [told(body), attempts]) });
    for (const message of batch.messages) {
      if (message.body === "bad") message.retry();
      if (message.body === "worse") throw new Error("on purpose");
    }
  },
};
"""
QUICK = {"batch_size": 3, "max_wait_time_ms": 50, "max_retries": 1}


def make(api: Client, name: str) -> str:
    identifier: str = api.result("POST", PATH, json={"queue_name": name})["queue_id"]
    return identifier


def consume(api: Client, queue: str, script: str, dead: str = "", **settings: Any) -> Any:
    wanted = {"type": "worker", "script_name": script, "settings": QUICK | settings}
    return api.result("POST", f"{PATH}/{queue}/consumers", json=wanted | ({"dead_letter_queue": dead} if dead else {}))


def bind(queue: str) -> dict[str, str]:
    return {"type": "queue", "name": "QUEUE", "queue_name": queue}


def test_a_queue_is_created_changed_and_deleted(api: Client) -> None:
    made = api.result("POST", PATH, json={"queue_name": "life", "settings": {"delivery_delay": 2}})
    one = f"{PATH}/{made['queue_id']}"
    assert made["settings"] == {"delivery_delay": 2, "delivery_paused": False, "message_retention_period": 345600}
    assert api.result("GET", one) == made
    assert [each["queue_id"] for each in api.result("GET", PATH, params={"name": "life"})] == [made["queue_id"]]
    changed = api.result("PATCH", one, json={"settings": {"delivery_paused": True}})
    assert (changed["settings"]["delivery_paused"], changed["settings"]["delivery_delay"]) == (True, 2)
    assert api.result("PUT", one, json={"queue_name": "afterlife"})["queue_name"] == "afterlife"
    assert api.refusal("POST", PATH, json={"queue_name": "afterlife"})[:2] == (409, 11009)
    assert api.refusal("POST", PATH, json={"queue_name": "No good"})[:2] == (400, 11003)
    api.result("DELETE", one)
    for method, path in (("GET", one), ("DELETE", one), ("GET", f"{one}/consumers")):
        assert api.refusal(method, path)[:2] == (404, 11000)


def test_a_consumer_is_created_changed_and_deleted(api: Client) -> None:
    queue = make(api, "consumed")
    api.put("no-handler", "export default { fetch() {} };")
    api.put("handler", CONSUMER)
    wanted = {"type": "worker", "script_name": "no-handler"}
    path = f"{PATH}/{queue}/consumers"
    assert api.refusal("POST", path, json=wanted)[:2] == (400, 11001)
    assert api.refusal("POST", path, json=wanted | {"script_name": "nobody"})[:2] == (404, 10007)
    made = consume(api, queue, "handler")
    assert (made["script"], made["settings"]["batch_size"], made["settings"]["retry_delay"]) == ("handler", 3, 0)
    assert api.refusal("POST", path, json=wanted | {"script_name": "handler"})[:2] == (400, 11004)
    one = f"{path}/{made['consumer_id']}"
    assert api.result("GET", one) == made
    changed = api.result("PUT", one, json=wanted | {"script_name": "handler", "settings": {"max_retries": 9}})
    assert (changed["settings"]["max_retries"], changed["settings"]["batch_size"]) == (9, 3)
    assert api.result("GET", f"{PATH}/{queue}")["consumers"] == [changed]
    api.result("DELETE", one)
    assert api.result("GET", path) == []
    assert api.refusal("GET", one)[0] == 404


def test_messages_of_all_content_types_reach_the_consumer(api: Client) -> None:
    queue = make(api, "kinds")
    api.put("kinds-in", PRODUCER, bindings=[bind("kinds")])
    api.put("kinds-out", CONSUMER)
    producer, consumer = api.enable("kinds-in"), api.enable("kinds-out")
    assert api.result("GET", f"{PATH}/{queue}")["producers"] == [{"type": "worker", "script": "kinds-in"}]
    first = [{"body": "text", "options": {"contentType": "text"}}, {"body": {"a": [1]}}]
    second = {"body": "v8", "options": {"contentType": "v8"}}
    assert api.get(producer, method="POST", json={"single": [*first, second]}).text == "sent"  # nobody consumes yet
    consume(api, queue, "kinds-out")
    seen = until(lambda: api.get(consumer).json(), "a batch")
    assert seen == [{"queue": "kinds", "messages": [["text", 1], [{"a": [1]}, 1], ["v8", 1]]}]
    api.get(producer, method="POST", json={"batch": [1, 2]})
    api.result("POST", f"{PATH}/{queue}/messages", json={"body": {"from": "api"}})
    bodies = until(lambda: found if len(found := flat(api, consumer)) == 6 else None, "the other messages")
    assert bodies[3:] == [1, 2, {"from": "api"}]


def flat(api: Client, host: str) -> list[Any]:
    return [body for batch in api.get(host).json() for body, _ in batch["messages"]]


def test_a_failing_message_is_retried_before_the_dead_letter_queue_gets_it(api: Client) -> None:
    queue, dead = make(api, "failing"), make(api, "dead")
    api.put("failing-out", CONSUMER)
    api.put("dead-out", CONSUMER)
    host, grave = api.enable("failing-out"), api.enable("dead-out")
    consume(api, queue, "failing-out", dead="dead")
    consume(api, dead, "dead-out")
    batch = [{"body": "good"}, {"body": "bad"}]
    api.result("POST", f"{PATH}/{queue}/messages/batch", json={"messages": batch})
    buried = until(lambda: api.get(grave).json(), "the dead letter")
    assert buried[0] == {"queue": "dead", "messages": [["bad", 1]]}
    assert [batch["messages"] for batch in api.get(host).json()] == [[["good", 1], ["bad", 1]], [["bad", 2]]]
    api.result("POST", f"{PATH}/{queue}/messages", json={"body": "worse"})  # an exception retries the whole batch
    until(lambda: "worse" in flat(api, grave), "the second dead letter")
    assert [batch["messages"] for batch in api.get(host).json()][2:] == [[["worse", 1]], [["worse", 2]]]


def test_a_worker_with_a_site_can_be_a_consumer(api: Client) -> None:
    queue = make(api, "site-queue")
    jwt = api.upload_assets("site-out", {"/index.html": b"x"})
    api.put("site-out", CONSUMER, assets={"jwt": jwt, "config": {"run_worker_first": True}})
    consume(api, queue, "site-out")
    api.result("POST", f"{PATH}/{queue}/messages", json={"body": "to a site"})
    host = api.enable("site-out")
    assert until(lambda: flat(api, host), "the message") == ["to a site"]


def test_a_paused_queue_keeps_its_messages(api: Client) -> None:
    queue = make(api, "paused")
    api.put("paused-out", CONSUMER)
    host = api.enable("paused-out")
    api.result("PATCH", f"{PATH}/{queue}", json={"settings": {"delivery_paused": True}})
    consume(api, queue, "paused-out", max_wait_time_ms=0)
    api.result("POST", f"{PATH}/{queue}/messages", json={"body": "later"})
    assert api.get(host).json() == []
    api.result("PATCH", f"{PATH}/{queue}", json={"settings": {"delivery_paused": False}})
    assert until(lambda: flat(api, host), "the message") == ["later"]


def test_an_upload_with_an_unknown_queue_is_refused(api: Client) -> None:
    assert api.put("queue-none", PRODUCER, refused=True, bindings=[bind("nowhere")])[:2] == (400, 11000)


def test_the_official_sdk_works_with_queues(api: Client) -> None:
    account = api.running.cloud.tokens.account_id
    from cloudflare import Cloudflare

    with Cloudflare(api_token=api.token, base_url=api.base, max_retries=0) as sdk:
        made = sdk.queues.create(account_id=account, queue_name="sdk-queue")
        assert made is not None
        assert made.queue_id
        found = sdk.queues.get(made.queue_id, account_id=account)
        assert found is not None
        assert found.queue_name == "sdk-queue"
        sdk.queues.delete(made.queue_id, account_id=account)
