"""Durable Objects: migrations, single instances, and storage that survives new versions and restarts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.localcloud.cloudflare.loop import Loop
from tests.localcloud.cloudflare.service import Client, Running
from tests.support.waiting import until

CODE = """
import { DurableObject } from "cloudflare:workers";
export class Counter extends DurableObject {
  async add() {
    const n = ((await this.ctx.storage.get("n")) ?? 0) + 1;
    await this.ctx.storage.put("n", n);
    return n;
  }
  async ring() { await this.ctx.storage.setAlarm(Date.now() + 10); }
  async alarm() { await this.ctx.storage.put("n", 100); }
  async fetch() { return new Response(String((await this.ctx.storage.get("n")) ?? 0)); }
}
export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const counter = env.COUNTER.getByName(searchParams.get("name") ?? "one");
    if (pathname === "/ring") await counter.ring();
    return pathname === "/add" ? new Response("VERSION " + (await counter.add())) : counter.fetch(request);
  },
};
"""
BOUND = [{"type": "durable_object_namespace", "name": "COUNTER", "class_name": "Counter"}]
FIRST = {"new_tag": "v1", "new_sqlite_classes": ["Counter"]}


def put(api: Client, name: str, version: str = "first", code: str = CODE, **more: Any) -> Any:
    return api.put(name, code.replace("VERSION", version), **({"bindings": BOUND} | more))


def test_an_object_stores_its_data(api: Client) -> None:
    made = put(api, "counting", migrations=FIRST)
    assert made["migration_tag"] == "v1"
    host = api.enable("counting")
    assert [api.get(host, "/add").text for _ in range(3)] == ["first 1", "first 2", "first 3"]
    assert api.get(host, "/?name=two").text == "0"
    put(api, "counting", "second")
    assert api.get(host, "/add").text == "second 4"
    api.get(host, "/ring")
    assert until(lambda: api.get(host).text == "100", "the alarm")
    shown = api.result("GET", "~/workers/scripts/counting/settings")["bindings"][0]
    assert (shown["class_name"], len(shown["namespace_id"])) == ("Counter", 32)


def test_migrations_are_applied_once(api: Client) -> None:
    put(api, "migrating", migrations=FIRST)
    status, code, message = put(api, "migrating", migrations=FIRST, refused=True)
    assert (status, code) == (412, 10079)
    assert "got tag '' when expected tag is 'v1'" in message
    again = {"old_tag": "v1", "new_tag": "v2", "new_sqlite_classes": ["Counter"]}
    assert put(api, "migrating", migrations=again, refused=True)[:2] == (400, 10074)
    same = put(api, "migrating", "same", migrations={"old_tag": "v1", "new_tag": "v1"})
    assert same["migration_tag"] == "v1"

    host = api.enable("migrating")
    assert api.get(host, "/add").text == "same 1"
    renamed = {"old_tag": "v1", "new_tag": "v2", "renamed_classes": [{"from": "Counter", "to": "Meter"}]}
    bound = [BOUND[0] | {"class_name": "Meter"}]
    put(api, "migrating", "renamed", CODE.replace("Counter", "Meter"), migrations=renamed, bindings=bound)
    assert api.get(host, "/add").text == "renamed 2"


def test_invalid_uploads_are_refused(api: Client) -> None:
    assert put(api, "refused", refused=True)[:2] == (400, 10061)
    nothing = "export default { fetch() {} };"
    assert put(api, "refused", code=nothing, migrations=FIRST, refused=True)[:2] == (400, 10064)
    put(api, "refused", migrations=FIRST)
    assert put(api, "refused", code=nothing, bindings=[], refused=True)[:2] == (400, 10064)


def test_storage_survives_a_restart(loop: Loop, tmp_path: Path, programs: Any) -> None:
    first = Running(tmp_path, programs)
    loop.run(first.start())
    client = Client(first, loop)
    put(client, "kept", migrations=FIRST)
    host = client.enable("kept")
    assert client.get(host, "/add").text == "first 1"
    client.http.close()
    loop.run(first.stop())

    second = Running(tmp_path, programs)
    loop.run(second.start())
    client = Client(second, loop)
    try:
        assert client.get(host, "/add").text == "first 2"
    finally:
        client.http.close()
        loop.run(second.stop())
