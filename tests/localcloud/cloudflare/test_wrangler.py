"""The real wrangler against the API: deploy, secrets, versions, rollback, domains, tail, deletion.

The one that the toolchain pins, or another that ORACLE_WRANGLER names (the path of its bin/wrangler.js): the newest is
got by `npm install wrangler@latest` in a folder of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from localcloud.cloudflare.startup import api_of
from tests.localcloud.cloudflare.loop import Loop
from tests.localcloud.cloudflare.service import Client
from tests.support.waiting import until

HOST = "wr.oracle.workers.localhost"
CODE = 'export default { fetch: (request, env) => new Response("WORD " + env.VAR + " " + (env.KEY ?? "-")) };'
CONFIG = {
    "name": "wr",
    "main": "src/index.js",
    "compatibility_date": "2025-06-01",
    "workers_dev": True,
    "preview_urls": False,
    "vars": {"VAR": "one"},
    "observability": {"enabled": True},
    "assets": {
        "directory": "public",
        "binding": "ASSETS",
        "not_found_handling": "single-page-application",
        "run_worker_first": ["/api/*"],
    },
    "send_metrics": False,
}


@dataclass
class WranglerProgram:
    command: list[str]
    folder: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str, stdin: str = "", fails: bool = False) -> subprocess.CompletedProcess[str]:
        """Runs it in the project; a failure it should not have had shows what it printed."""
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=self.folder, env=self.environment, input=stdin, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done

    @contextmanager
    def tail(self, *arguments: str) -> Iterator[Callable[[], str]]:
        """`wrangler tail`; each call gives what it printed next."""
        lines: queue.Queue[str] = queue.Queue()
        command = [*self.command, "tail", *arguments]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            reading = threading.Thread(target=_pass_on, args=(process.stdout or (), lines))
            reading.start()
            try:
                yield lambda: lines.get(timeout=60)
                os.killpg(process.pid, signal.SIGINT)
                process.wait(60)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                reading.join()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "public").mkdir()
    write(folder, "first")
    folder.joinpath("public/index.html").write_text("<h1>hi</h1>")
    folder.joinpath("public/_headers").write_text("/*\n  X-A: b\n")
    return folder


def write(folder: Path, word: str, **more: Any) -> None:
    folder.joinpath("src/index.js").write_text(CODE.replace("WORD", word))
    folder.joinpath("wrangler.jsonc").write_text(json.dumps(CONFIG | more))


@pytest.fixture
def wrangler(api: Client, project: Path, programs: Any) -> WranglerProgram:
    environment = {
        "HOME": str(project.parent),
        "PATH": f"{programs.node.parent}{os.pathsep}{os.environ['PATH']}",
        "CLOUDFLARE_API_BASE_URL": api.base,
        "CLOUDFLARE_API_TOKEN": api.token,
        "CLOUDFLARE_ACCOUNT_ID": api.running.cloud.tokens.account_id,
        "WRANGLER_SEND_METRICS": "false",
        "WRANGLER_LOG_SANITIZE": "false",
        "NPM_CONFIG_REGISTRY": "http://127.0.0.1:9",  # the look for updates must not leave this machine
        "CI": "true",
        "NO_COLOR": "1",
    }
    program = Path(os.environ.get("ORACLE_WRANGLER") or programs.node_modules / "wrangler" / "bin" / "wrangler.js")

    return WranglerProgram([str(programs.node), str(program)], project, environment)


@pytest.mark.slow
def test_wrangler_deploys_changes_and_deletes_a_worker(api: Client, project: Path, wrangler: WranglerProgram) -> None:
    assert "Deployed wr triggers" in wrangler("deploy").stdout
    assert api.get(HOST, "/api/x").text == "first one -"
    home = api.get(HOST, "/deep/link")
    assert (home.text, home.headers["x-a"]) == ("<h1>hi</h1>", "b")

    assert "Success! Uploaded secret KEY" in wrangler("secret", "put", "KEY", stdin="value").stdout
    assert api.get(HOST, "/api/x").text == "first one value"
    clash = wrangler("secret", "put", "VAR", stdin="value", fails=True)
    assert "[code: 10053]" in clash.stdout + clash.stderr

    write(project, "second", routes=[{"pattern": "wr.oraclenet.localhost", "custom_domain": True}])
    assert "No updated asset files to upload" in wrangler("deploy").stdout
    assert api.get("wr.oraclenet.localhost", "/api/x").text == "second one value"

    write(project, "third")
    wrangler("versions", "upload", "--message", "try")
    wrangler("versions", "secret", "put", "KEY", stdin="later")
    assert api.get(HOST, "/api/x").text == "second one value"
    newest = json.loads(wrangler("versions", "list", "--json").stdout)[-1]["id"]
    wrangler("versions", "deploy", f"{newest}@100%", "-y")
    assert api.get(HOST, "/api/x").text == "third one later"

    wrangler("rollback", "-y", "--message", "undo")
    assert api.get(HOST, "/api/x").text == "second one value"

    wrangler("delete", "--force")
    assert api.get(HOST).status_code == 404
    assert api.get("wr.oraclenet.localhost").status_code == 404


STORING = """
export default {
  fetch: async (request, env) => new Response(await env.CACHE.get("key")),
  scheduled: (controller, env) => env.CACHE.put("key", controller.cron),
};
"""


@pytest.mark.slow
def test_wrangler_manages_a_namespace_and_cron_triggers(
    api: Client, project: Path, wrangler: WranglerProgram, loop: Loop
) -> None:
    assert "Success!" in wrangler("kv", "namespace", "create", "wr-cache").stdout
    namespaces = json.loads(wrangler("kv", "namespace", "list").stdout)
    namespace = next(each["id"] for each in namespaces if each["title"] == "wr-cache")
    wrangler("kv", "key", "put", "key", "from wrangler", "--namespace-id", namespace, "--remote")

    bound = {"kv_namespaces": [{"binding": "CACHE", "id": namespace}], "triggers": {"crons": ["*/5 * * * *"]}}
    write(project, "x", **bound)
    project.joinpath("src/index.js").write_text(STORING)
    assert "schedule: */5 * * * *" in wrangler("deploy").stdout
    assert api.get(HOST, "/api/x").text == "from wrangler"
    assert loop.run(api_of(api.running.cloud).schedules.run("wr", "*/5 * * * *", datetime.now(UTC))) == "ok"
    read = wrangler("kv", "key", "get", "key", "--namespace-id", namespace, "--remote", "--text")
    assert read.stdout.strip() == "*/5 * * * *"

    write(project, "x", kv_namespaces=[{"binding": "CACHE", "id": "0" * 32}])
    refused = wrangler("deploy", fails=True)
    assert "[code: 10041]" in refused.stdout + refused.stderr
    wrangler("kv", "namespace", "delete", "--namespace-id", namespace, "-y")
    wrangler("delete", "--force")


KEEPING = """
export default {
  fetch: async (request, env) => {
    await env.FILES.put("key", "object");
    const { n } = await env.DB.prepare("SELECT n FROM t").first();
    return new Response((await (await env.FILES.get("key")).text()) + n);
  },
};
"""


@pytest.mark.slow
def test_wrangler_manages_a_bucket_and_a_database(api: Client, project: Path, wrangler: WranglerProgram) -> None:
    wrangler("r2", "bucket", "create", "wr-files")
    assert "wr-files" in wrangler("r2", "bucket", "list").stdout
    wrangler("d1", "create", "wr-db")
    database = next(each for each in json.loads(wrangler("d1", "list", "--json").stdout) if each["name"] == "wr-db")
    sql = "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (7);"
    wrangler("d1", "execute", "wr-db", "--remote", "-y", "--command", sql)

    databases = [{"binding": "DB", "database_name": "wr-db", "database_id": database["uuid"]}]
    write(project, "x", r2_buckets=[{"binding": "FILES", "bucket_name": "wr-files"}], d1_databases=databases)
    project.joinpath("src/index.js").write_text(KEEPING)
    wrangler("deploy")
    assert api.get(HOST, "/api/x").text == "object7"
    wrangler("delete", "--force")
    wrangler("d1", "delete", "wr-db", "-y")


@pytest.mark.slow
def test_wrangler_shows_why_code_does_not_load(project: Path, wrangler: WranglerProgram) -> None:
    project.joinpath("src/index.js").write_text("nope();\nexport default { fetch() {} };\n")
    done = wrangler("deploy", fails=True)
    assert "ReferenceError: nope is not defined" in done.stdout + done.stderr
    assert "[code: 10021]" in done.stdout + done.stderr


NOISY = """export default { fetch(request) {
  const path = new URL(request.url).pathname;
  console.log("saw", path);
  if (path === "/throw") throw new Error("no luck");
  if (path === "/loop") for (;;);
  return new Response("fine");
} }"""


@pytest.mark.slow
def test_wrangler_tail_shows_events_with_masked_secrets(api: Client, project: Path, wrangler: WranglerProgram) -> None:
    config = {key: value for key, value in CONFIG.items() if key != "assets"}
    project.joinpath("wrangler.jsonc").write_text(json.dumps({**config, "name": "noisy", "limits": {"cpu_ms": 500}}))
    project.joinpath("src/index.js").write_text(NOISY)
    wrangler("deploy")
    host = "noisy.oracle.workers.localhost"
    secret = {"authorization": "Bearer s3cret", "cookie": "login=s3cret"}
    with wrangler.tail("--format", "pretty") as printed:
        until_printed(printed, "Connected to noisy, waiting for logs...")
        api.get(host, "/fine", headers=secret)
        assert "/fine - Ok @" in until_printed(printed, "GET http")
        assert until_printed(printed, "(log)").split() == ["(log)", "saw", "/fine"]
        api.get(host, "/throw")
        assert "/throw - Exception Thrown @" in until_printed(printed, "GET http")
        until_printed(printed, "Error: no luck")
        assert api.get(host, "/loop").text == "error code: 1102\n"
        assert "/loop - Exceeded CPU Limit @" in until_printed(printed, "GET http")
    with wrangler.tail("--format", "json", "--status", "error") as printed:
        until(lambda: api.result("GET", "~/workers/scripts/noisy/tails"), "the tail is open")
        api.get(host, "/fine")
        api.get(host, "/throw", headers=secret)
        shown = (
            until_printed(printed, '"url"')
            + until_printed(printed, '"authorization"')
            + until_printed(printed, '"cookie"')
        )
        assert ("/throw" in shown, shown.count("REDACTED"), "s3cret" in shown) == (True, 2, False)
    until(lambda: not api.result("GET", "~/workers/scripts/noisy/tails"), "the tails are deleted")


def _pass_on(printed: Iterable[str], lines: queue.Queue[str]) -> None:
    for line in printed:
        lines.put(line)


def until_printed(printed: Callable[[], str], part: str) -> str:
    """The next line with this part."""
    while part not in (line := printed()):
        pass
    return line
