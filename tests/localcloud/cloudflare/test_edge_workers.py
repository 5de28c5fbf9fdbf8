"""Workers on workerd behind the edge: bindings, assets, outgoing requests, and deployments without failed requests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.sync.client import connect

from localcloud.edge import Edge
from localcloud.edge_process import EdgeError, WorkerStartError
from localcloud.worker_spec import Assets
from tests.localcloud.cloudflare.load import Load
from tests.localcloud.cloudflare.loop import Loop
from tests.localcloud.cloudflare.test_edge_apps import wait_for
from tests.localcloud.cloudflare.upstream import App

HOST = "hello.oracle.workers.localhost"
SECRET = "planted-secret-4711"
HELLO = """export default { async fetch(request, env) {
  const url = new URL(request.url);
  if (url.pathname === "/throw") throw new Error("boom");
  if (url.pathname === "/log") { console.log("said", { n: 1 }); return new Response("ok"); }
  if (url.pathname === "/cf") {
    return Response.json({ cf: request.cf, headers: Object.fromEntries(request.headers), url: request.url });
  }
  if (url.pathname === "/env") return Response.json(env);
  if (url.pathname === "/fetch") {
    const answer = await fetch(url.searchParams.get("url"), { method: request.method, body: request.body });
    return new Response(answer.body, answer);
  }
  if (url.pathname === "/events") return new Response(new ReadableStream({ async start(c) {
    const text = new TextEncoder();
    c.enqueue(text.encode("data: one\\n\\n")); await scheduler.wait(300);
    c.enqueue(text.encode("data: two\\n\\n")); c.close();
  } }), { headers: { "content-type": "text/event-stream" } });
  if (request.headers.get("upgrade") === "websocket") {
    const [client, server] = Object.values(new WebSocketPair());
    server.accept(); server.addEventListener("message", (event) => server.send("echo " + event.data));
    return new Response(null, { status: 101, webSocket: client });
  }
  if (url.pathname === "/slow") await scheduler.wait(1500);
  return new Response(VERSION);
}, async scheduled() {} };
export class Named { hello() {} }
"""


def hello(version: str) -> str:
    return f"const VERSION = {json.dumps(version)};\n{HELLO}"


@pytest.fixture
def worker(edge: Edge, loop: Loop, spec: Any) -> Any:
    """deploy(code, name="hello", **fields); the Worker hello has HOST. All are removed at the end."""
    names = set()

    def deploy(code: str, version: str = "v1", name: str = "hello", **fields: Any) -> Any:
        names.add(name)
        info = loop.run(edge.deploy_worker(name, version, spec(code, **fields)))
        loop.run(edge.set_worker_hosts(name, [HOST if name == "hello" else f"{name}.oracle.workers.localhost"]))
        return info

    yield deploy
    for name in names:
        loop.run(edge.remove_worker(name))


def test_the_exported_handlers_are_reported(worker: Any) -> None:
    info = worker(hello("one"))
    assert info.handlers == ["fetch", "scheduled"]
    assert [entry["name"] for entry in info.named] == ["Named"]


def test_a_request_has_the_headers_and_properties_of_cloudflare(worker: Any, ask: Any, edge: Edge) -> None:
    worker(hello("one"))
    answer = ask("GET", HOST, "/cf?x=1", headers={"mf-original-url": "http://evil/", "x-edge-key": "guess"})
    seen = answer.json()
    assert seen["url"] == f"http://{HOST}:{edge.port}/cf?x=1"
    assert seen["cf"]["colo"] == "LOC"
    assert seen["headers"]["cf-connecting-ip"] == "127.0.0.1"
    assert not {"mf-original-url", "x-edge-key"} & set(seen["headers"])
    assert answer.headers["server"] == "cloudflare"
    assert answer.headers["cf-ray"] == seen["headers"]["cf-ray"]
    assert ask("GET", HOST, "/cdn-cgi/platform-proxy").status_code == 404


def test_bindings_reach_the_worker(worker: Any, ask: Any) -> None:
    worker(hello("one"), texts={"PLAIN": "text"}, secrets={"SECRET": SECRET}, json={"CONFIG": {"a": [1]}})
    assert ask("GET", HOST, "/env").json() == {"PLAIN": "text", "SECRET": SECRET, "CONFIG": {"a": [1]}}


def test_secrets_are_neither_on_disk_nor_in_arguments(worker: Any, ask: Any, edge: Edge, root: Path) -> None:
    worker(hello("one"), secrets={"SECRET": SECRET})
    assert ask("GET", HOST, "/env").json()["SECRET"] == SECRET
    found = subprocess.run(["grep", "-rl", SECRET, str(root)], capture_output=True, text=True, check=False)
    assert (found.stdout, found.returncode) == ("", 1)
    assert edge.pid
    for process in [psutil.Process(edge.pid), *psutil.Process(edge.pid).children(recursive=True)]:
        assert SECRET not in " ".join(process.cmdline() + list(process.environ().values()))


def test_the_edge_listens_only_on_loopback(worker: Any, edge: Edge) -> None:
    worker(hello("one"))
    assert edge.pid
    processes = [psutil.Process(edge.pid), *psutil.Process(edge.pid).children(recursive=True)]
    connections = [c for process in processes for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
    assert len(connections) >= 3
    assert {connection.laddr.ip for connection in connections} == {"127.0.0.1"}


def test_the_internal_ports_refuse_other_callers(worker: Any, edge: Edge) -> None:
    worker(hello("one"))
    assert edge.pid
    node = psutil.Process(edge.pid)
    ports = {c.laddr.port for c in node.net_connections() if c.status == psutil.CONN_LISTEN} - {edge.port}
    answers = [httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).status_code for port in ports]
    assert 403 in answers
    assert not any(status < 400 for status in answers)


@pytest.mark.parametrize(
    "code, fields, text",
    [
        ("nope(); export default { fetch() {} }", {}, "ReferenceError: nope is not defined"),
        ("export default { fetch() {", {}, "SyntaxError: Unexpected end of input\n  at worker.js:"),
        ('import x from "missing"; export default {}', {}, 'No such module "missing"'),
        ("export default { fetch() {} }", {"compatibility_flags": ["no_such"]}, "No such compatibility flag: no_such"),
        (
            "export default { fetch() {} }",
            {"compatibility_date": "2099-01-01"},
            "newest date supported by this runtime",
        ),
    ],
)
def test_code_that_does_not_load_is_refused(
    worker: Any, ask: Any, code: str, fields: Any, text: str, root: Path
) -> None:
    worker(hello("one"))
    with pytest.raises(WorkerStartError) as failure:
        worker(code, "v2", **fields)
    assert text in str(failure.value)
    assert str(root) not in str(failure.value)
    assert ask("GET", HOST).text == "one"


def test_an_exception_is_answered_with_error_1101(worker: Any, ask: Any, spec: Any, tmp_path: Path) -> None:
    worker(hello("one"))
    answer = ask("GET", HOST, "/throw")
    assert (answer.status_code, answer.text) == (500, "error code: 1101\n")
    lines = read_log(tmp_path / "log.jsonl", 1)
    assert (lines[0]["level"], lines[0]["version"]) == ("error", "v1")
    assert "boom" in lines[0]["message"]


def test_console_lines_are_logged(worker: Any, ask: Any, tmp_path: Path) -> None:
    worker(hello("one"))
    ask("GET", HOST, "/log")
    assert read_log(tmp_path / "log.jsonl", 1)[0]["message"] == "said { n: 1 }"


def read_log(file: Path, lines: int) -> list[dict[str, Any]]:
    wait_for(lambda: file.exists() and len(file.read_text().splitlines()) >= lines)
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_streams_and_websockets_work(worker: Any, ask: Any, edge: Edge) -> None:
    worker(hello("one"))
    with ask.client.stream("GET", f"http://127.0.0.1:{edge.port}/events", headers={"host": HOST}) as answer:
        started = time.monotonic()
        parts = list(answer.iter_raw())
        assert (parts, time.monotonic() - started > 0.2) == ([b"data: one\n\n", b"data: two\n\n"], True)
    with socket.create_connection(("127.0.0.1", edge.port)) as raw, connect(f"ws://{HOST}/ws", sock=raw) as ws:
        ws.send("hi")
        assert ws.recv(10) == "echo hi"


@pytest.mark.parametrize("size", [1_000_000, 5_000_000])
def test_an_answer_before_the_end_of_the_body_does_not_hang(worker: Any, ask: Any, size: int) -> None:
    """workerd may close the connection before its answer (a 502) or during it; the client notices at once."""
    worker(hello("one"))
    with suppress(httpx.RemoteProtocolError):
        assert ask("POST", HOST, "/", content=b"x" * size).status_code in (200, 502)


def test_a_worker_can_fetch_a_local_app(worker: Any, ask: Any, edge: Edge, loop: Loop, app: App) -> None:
    worker(hello("one"))
    loop.run(edge.route_app("base.ondigitalocean.localhost", app.address))
    url = f"http://base.ondigitalocean.localhost:{edge.port}/x?y=z"
    seen = ask("POST", HOST, "/fetch", params={"url": url}, content=b"body").json()
    assert (seen["app"], seen["method"], seen["path"], seen["bytes"]) == ("one", "POST", "/x?y=z", 4)
    assert seen["headers"]["Host"] == f"base.ondigitalocean.localhost:{edge.port}"
    assert not {"x-edge-key", "X-Edge-Key"} & set(seen["headers"])
    unknown = ask("GET", HOST, "/fetch", params={"url": "http://nobody.localhost/"})
    assert (unknown.status_code, unknown.text) == (530, "error code: 1016\n")
    loop.run(edge.drop_app("base.ondigitalocean.localhost"))


def test_a_fetch_of_a_workers_dev_address_of_the_same_account_is_refused(
    worker: Any, ask: Any, edge: Edge, loop: Loop
) -> None:
    """As Cloudflare does (workers-sdk#11215), unless the flag global_fetch_strictly_public is set."""
    worker(hello("other"), name="other")
    hosts = ["other.oracle.workers.localhost", "other.example.test"]
    loop.run(edge.set_worker_hosts("other", hosts))
    dev, domain = (f"https://{host}:{edge.port}/" for host in hosts)

    def fetched(url: str) -> tuple[int, str]:
        answer = ask("GET", HOST, "/fetch", params={"url": url})
        return answer.status_code, answer.text

    worker(hello("one"))
    assert fetched(dev) == (404, "error code: 1042\n")
    assert fetched(domain) == (200, "other")
    worker(hello("one"), "v2", compatibility_flags=["global_fetch_strictly_public"])
    assert fetched(dev) == (200, "other")


def test_a_fetch_of_another_address_leaves_the_edge(worker: Any, ask: Any, app: App) -> None:
    worker(hello("one"))
    direct = f"http://127.0.0.1:{app.address[1]}/direct"
    assert ask("GET", HOST, "/fetch", params={"url": direct}).json()["path"] == "/direct"


def test_a_service_binding_uses_the_newest_version_of_the_other_worker(worker: Any, ask: Any) -> None:
    caller = 'export default { fetch(request, env) { return env.OTHER.fetch("http://any/path"); } }'
    worker(hello("first"), name="other")
    worker(caller, services={"OTHER": "other"})
    assert ask("GET", HOST).text == "first"
    worker(hello("second"), "v2", name="other")
    assert ask("GET", HOST).text == "second"


def test_an_open_websocket_stays_on_its_version(worker: Any, ask: Any, edge: Edge) -> None:
    """Its binding to itself reaches the version that serves, as does a new request."""
    module = """export default { async fetch(request, env) {
      if (request.headers.get("upgrade") !== "websocket") return new Response("VERSION");
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      server.addEventListener("message", async () => server.send(
        `VERSION asks ${await (await env.SELF.fetch("http://any/")).text()}`));
      return new Response(null, { status: 101, webSocket: client });
    } }"""
    worker(module.replace("VERSION", "old"), services={"SELF": "hello"})
    with socket.create_connection(("127.0.0.1", edge.port)) as raw, connect(f"ws://{HOST}/ws", sock=raw) as ws:
        ws.send("?")
        assert ws.recv() == "old asks old"
        worker(module.replace("VERSION", "new"), "v2", services={"SELF": "hello"})
        ws.send("?")
        assert ws.recv() == "old asks new"
        assert ask("GET", HOST).text == "new"


def test_service_worker_syntax_works(worker: Any, ask: Any, spec: Any, tmp_path: Path) -> None:
    from localcloud.worker_spec import Module

    file = tmp_path / "classic.js"
    file.write_text('addEventListener("fetch", (event) => event.respondWith(new Response("classic " + NAME)));')
    info = worker("", modules=[Module(name="script", kind="Script", file=file)], texts={"NAME": "x"})
    assert (info.handlers, ask("GET", HOST).text) == (["fetch"], "classic x")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "docs").mkdir(parents=True)
    for name, text in {
        "index.html": "<h1>home</h1>",
        "404.html": "<h1>lost</h1>",
        "app.js": "js()",
        "docs/index.html": "docs",
        "_headers": "/*\n  X-Frame-Options: DENY\n",
        "_redirects": "/old /docs/ 301\n",
    }.items():
        (folder / name).write_text(text)
    return folder


def test_a_single_page_application_is_served(worker: Any, ask: Any, site: Path) -> None:
    info = worker(
        "", modules=[], assets=Assets(directory=site, config={"not_found_handling": "single-page-application"})
    )
    assert info.handlers == []
    home = ask("GET", HOST)
    assert (home.text, home.headers["x-frame-options"]) == ("<h1>home</h1>", "DENY")
    assert home.headers["content-type"].startswith("text/html")
    deep = ask("GET", HOST, "/deep/link")
    assert (deep.status_code, deep.text) == (200, "<h1>home</h1>")
    moved = ask("GET", HOST, "/old")
    assert (moved.status_code, moved.headers["location"]) == (301, "/docs/")
    assert ask("GET", HOST, "/_headers").text == "<h1>home</h1>"


def test_a_404_page_is_served(worker: Any, ask: Any, site: Path) -> None:
    worker("", modules=[], assets=Assets(directory=site, config={"not_found_handling": "404-page"}))
    lost = ask("GET", HOST, "/nothing")
    assert (lost.status_code, lost.text) == (404, "<h1>lost</h1>")
    assert ask("GET", HOST, "/docs").status_code in {301, 307, 308}


SITE_WORKER = """export default { async fetch(request, env) {
  const url = new URL(request.url);
  if (url.pathname === "/api/page") return env.ASSETS.fetch(new URL("/app.js", url));
  return new Response("worker " + url.pathname);
} }"""


@pytest.mark.parametrize(
    "first, expected",
    [
        (False, {"/": "<h1>home</h1>", "/api/x": "worker /api/x", "/app.js": "js()", "/api/page": "js()"}),
        (True, {"/": "worker /", "/api/x": "worker /api/x", "/app.js": "worker /app.js", "/api/page": "js()"}),
        (["/app.js", "/api/*"], {"/": "<h1>home</h1>", "/api/x": "worker /api/x", "/app.js": "worker /app.js"}),
        (["/*", "!/app.js"], {"/": "worker /", "/app.js": "js()"}),
    ],
)
def test_run_worker_first_decides_which_paths_reach_the_worker(
    worker: Any, ask: Any, site: Path, first: Any, expected: dict[str, str]
) -> None:
    worker(SITE_WORKER, assets=Assets(directory=site, binding="ASSETS", config={"run_worker_first": first}))
    assert {path: ask("GET", HOST, path).text for path in expected} == expected


def test_new_versions_lose_no_request(worker: Any, edge: Edge) -> None:
    worker(hello("v0"), "v0")
    with Load(f"http://127.0.0.1:{edge.port}/", HOST) as load:
        for number in range(1, 7):
            wait_for(lambda before=f"v{number - 1}": before in load.answers[-1:])
            worker(hello(f"v{number}"), f"v{number}")
        wait_for(lambda: load.answers[-1] == "v6")
    assert load.failures == []


def test_a_request_in_progress_ends_on_the_old_version(worker: Any, ask: Any, edge: Edge) -> None:
    import threading

    worker(hello("old"), "v1")
    found: list[str] = []
    url = f"http://127.0.0.1:{edge.port}/slow"
    thread = threading.Thread(target=lambda: found.append(httpx.get(url, headers={"host": HOST}, trust_env=False).text))
    thread.start()
    time.sleep(0.3)  # /slow takes 1.5 s: the request is on its way by now
    worker(hello("new"), "v2")
    assert ask("GET", HOST).text == "new"
    assert found == []
    thread.join(20)
    assert found == ["old"]


def test_old_versions_are_stopped(worker: Any, edge: Edge) -> None:
    for number in range(4):
        worker(hello("x"), f"v{number}")
    assert edge.pid
    node = psutil.Process(edge.pid)
    wait_for(lambda: len(node.children()) == 1)


def test_traffic_is_split_between_versions(worker: Any, ask: Any, edge: Edge, loop: Loop, spec: Any) -> None:
    worker(hello("a"), "va")
    specs = {"va": spec(hello("a")), "vb": spec(hello("b"))}
    loop.run(edge.share_worker("hello", specs, [("va", 50.0), ("vb", 50.0)]))
    assert {ask("GET", HOST).text for _ in range(60)} == {"a", "b"}
    loop.run(edge.share_worker("hello", specs, [("vb", 100.0)]))
    assert {ask("GET", HOST).text for _ in range(20)} == {"b"}


def test_loading_a_version_gives_it_no_traffic(ask: Any, edge: Edge, loop: Loop, spec: Any) -> None:
    assert loop.run(edge.load_worker("checked", "v1", spec(hello("x")))).handlers == ["fetch", "scheduled"]
    assert ask("GET", "checked.oracle.workers.localhost").status_code == 404
    loop.run(edge.unload_worker("checked", "v1"))
    with pytest.raises(EdgeError, match="is not running"):
        loop.run(edge.ask("activate", name="checked", shares=[{"version": "v1", "percentage": 100}]))


def test_a_crashed_workerd_is_restarted(worker: Any, ask: Any, edge: Edge) -> None:
    worker(hello("one"))
    assert edge.pid
    for child in psutil.Process(edge.pid).children(recursive=True):
        child.kill()
    assert ask("GET", HOST).text == "one"


def test_a_killed_edge_is_restarted_with_its_whole_configuration(
    worker: Any, ask: Any, edge: Edge, loop: Loop, app: App, root: Path
) -> None:
    worker(hello("one"), secrets={"SECRET": SECRET})
    loop.run(edge.route_app("kept.localhost", app.address))
    assert edge.pid
    children = psutil.Process(edge.pid).children(recursive=True)
    os.kill(edge.pid, 9)
    wait_for(lambda: status(ask, HOST, "/env") == 200, 40)
    assert ask("GET", HOST, "/env").json()["SECRET"] == SECRET
    assert ask("GET", "kept.localhost").json()["app"] == "one"
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    loop.run(edge.drop_app("kept.localhost"))


def status(ask: Any, host: str, path: str) -> int:
    try:
        return int(ask("GET", host, path).status_code)
    except httpx.HTTPError:
        return 0


def test_no_process_outlives_its_parent(tmp_path: Path, programs: Any, spec: Any) -> None:
    with Loop() as loop:
        made = Edge(tmp_path / "own", 0, programs)
        loop.run(made.start())
        loop.run(made.deploy_worker("w", "v1", spec(hello("x"))))
        assert made.pid
        node = psutil.Process(made.pid)
        family = [node, *node.children(recursive=True)]
        assert len(family) == 2
        loop.run(made.stop())
    assert psutil.wait_procs(family, timeout=10)[1] == []
