"""D1 databases: the API's rules, and tables that Workers and the API see alike."""

from __future__ import annotations

from typing import Any

from tests.localcloud.cloudflare.service import Client

PATH = "~/d1/database"
CODE = """
export default {
  async fetch(request, env) {
    const { searchParams } = new URL(request.url);
    const word = searchParams.get("add");
    if (word) await env.DB.prepare("INSERT INTO t (word) VALUES (?)").bind(word).run();
    const { results } = await env.DB.prepare("SELECT word FROM t ORDER BY id").all();
    return Response.json(results.map(({ word }) => word));
  },
};
"""
TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT)"


def query(api: Client, database: str, sql: str, *params: Any) -> Any:
    return api.result("POST", f"{PATH}/{database}/query", json={"sql": sql, "params": list(params)})


def test_a_database_is_created_listed_and_deleted(api: Client) -> None:
    made = api.result("POST", PATH, json={"name": "life"})
    one = f"{PATH}/{made['uuid']}"
    assert (made["name"], made["num_tables"], made["read_replication"]) == ("life", 0, {"mode": "disabled"})
    query(api, made["uuid"], TABLE)
    found = api.result("GET", one)
    assert (found["num_tables"], found["file_size"] > 0) == (1, True)
    assert api.result("GET", f"{PATH}/life") == found
    assert [each["uuid"] for each in api.result("GET", PATH, params={"name": "life"})] == [made["uuid"]]
    changed = api.result("PUT", one, json={"read_replication": {"mode": "auto"}})
    assert changed["read_replication"] == {"mode": "auto"}
    assert api.refusal("POST", PATH, json={"name": "life"})[:2] == (400, 7502)
    assert api.refusal("POST", PATH, json={})[:2] == (400, 7400)
    api.result("DELETE", one)
    assert api.refusal("GET", one)[:2] == (404, 7404)
    assert api.refusal("POST", f"{one}/query", json={"sql": "SELECT 1"})[:2] == (404, 7404)


def test_queries_return_results_or_errors(api: Client) -> None:
    database = api.result("POST", PATH, json={"name": "queries"})["uuid"]
    text = f"{TABLE}; INSERT INTO t (word) VALUES ('a;b'); -- a comment; of its own\nSELECT word FROM t;"
    assert [each["results"] for each in query(api, database, text)] == [[], [], [{"word": "a;b"}]]
    assert query(api, database, "SELECT ? AS given", 5)[0]["results"] == [{"given": 5}]
    batch = [{"sql": "INSERT INTO t (word) VALUES (?)", "params": ["c"]}, {"sql": "SELECT count(*) AS n FROM t"}]
    assert api.result("POST", f"{PATH}/{database}/query", json={"batch": batch})[1]["results"] == [{"n": 2}]
    raw = api.result("POST", f"{PATH}/{database}/raw", json={"sql": "SELECT id, word FROM t"})[0]["results"]
    assert raw == {"columns": ["id", "word"], "rows": [[1, "a;b"], [2, "c"]]}
    refused = [{"sql": "DELETE FROM t"}, {"sql": "SELECT nope FROM t"}]
    status, code, message = api.refusal("POST", f"{PATH}/{database}/query", json={"batch": refused})
    assert (status, code, "no such column: nope" in message) == (400, 7500, True)
    assert query(api, database, "SELECT count(*) AS n FROM t")[0]["results"] == [{"n": 2}]  # all or nothing


def test_a_worker_and_the_api_see_the_same_tables(api: Client) -> None:
    database = api.result("POST", PATH, json={"name": "shared"})["uuid"]
    query(api, database, TABLE)
    bound = {"type": "d1", "name": "DB", "id": database}
    api.put("d1", CODE, bindings=[bound])
    host = api.enable("d1")
    assert api.get(host, "/?add=worker").json() == ["worker"]
    query(api, database, "INSERT INTO t (word) VALUES ('api')")
    assert api.get(host).json() == ["worker", "api"]
    api.put("d1", CODE, bindings=[{"type": "d1", "name": "DB", "database_id": database}])
    assert api.get(host).json() == ["worker", "api"]
    assert api.put("d1", CODE, refused=True, bindings=[bound | {"id": "0"}])[:2] == (400, 10181)
    assert api.put("d1", CODE, refused=True, bindings=[{"type": "d1", "name": "DB"}])[:2] == (400, 10021)


def test_the_official_sdk_works_with_databases(api: Client) -> None:
    account = api.running.cloud.tokens.account_id
    from cloudflare import Cloudflare

    with Cloudflare(api_token=api.token, base_url=api.base, max_retries=0) as sdk:
        made = sdk.d1.database.create(account_id=account, name="sdk")
        assert made.uuid
        page = sdk.d1.database.query(made.uuid, account_id=account, sql="SELECT 1 AS one")
        assert [each.results for each in page] == [[{"one": 1}]]
        assert sdk.d1.database.get(made.uuid, account_id=account).name == "sdk"
        sdk.d1.database.delete(made.uuid, account_id=account)
