"""`oracle deploy`, `runs`, `logs` and `timeline`, with a closed terminal. One story: the tests run in order."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import psutil
import pytest

from cli.engine.events import read_steps
from tests.live.leaks import leaked_in_files
from tests.live.project import Project
from tests.support.waiting import until

pytestmark = pytest.mark.live

# Also where the tests were told to outlive a terminal of their own.
LOGIN = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.login_tty(0)
os.execv(sys.executable, [sys.executable, "-m", "cli", *sys.argv[1:]])
"""
HELD = 12.0
"""Seconds for which the backend's deployment is kept waiting, so that there is time to close a terminal."""


def module(project: Project) -> str:
    """The code of the api Worker that runs."""
    state = json.loads(project.state_file.read_text())["checkpoint"]["latest"]["resources"]
    return str(next(each["inputs"]["content"] for each in state if each["urn"].endswith("::api-script")))


def runs(project: Project) -> list[dict[str, Any]]:
    return list(json.loads(project.oracle("runs", "--json").well().output))


def rows(document: dict[str, Any]) -> dict[str, str]:
    return {row["service"]: row["change"] for row in document["services"]}


@contextmanager
def terminal(project: Project, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command at a terminal of its own, whose other end is given, and closed in the end."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 130, 0, 0))
    words = [sys.executable, "-S", "-c", LOGIN, *arguments]
    environment = {**os.environ, **project.environment, "PYTHONPATH": str(project.root), "TERM": "xterm-256color"}
    process = subprocess.Popen(words, cwd=project.root, env=environment, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    try:
        yield process, master
    finally:
        process.kill()
        process.wait()
        with suppress(OSError):
            os.close(master)


class Screen:
    """Reads a terminal so that nobody has to wait for it."""

    def __init__(self, master: int) -> None:
        self.text = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(master,), daemon=True)
        self._thread.start()

    def _read(self, master: int) -> None:
        with suppress(OSError):
            while not self._over.is_set():
                if select.select([master], [], [], 0.1)[0]:
                    self.text += os.read(master, 65536).decode(errors="replace")

    def leave(self) -> None:
        self._over.set()
        self._thread.join()


def test_a_deploy_without_a_terminal_needs_the_option_yes(project: Project) -> None:
    told = project.oracle("deploy", "web", "--stack", "local").failed().output
    assert told == (
        "oracle: There is no terminal to ask for confirmation, so nothing was changed. Fix: run `oracle deploy web "
        "--stack local --yes` to confirm it beforehand.\n"
    )
    assert "There is no service wbe" in project.oracle("deploy", "wbe", "--yes").failed().output


def test_one_service_is_deployed_and_the_others_do_not_change(project: Project) -> None:
    before, code = project.outputs()["release"], module(project)
    project.edit("services/web/public/index.html", "</body>", "<!-- another --></body>")
    project.edit("services/api/src/worker.js", "/**", "// another\n/**")
    document = json.loads(project.oracle("deploy", "web", "--yes", "--json").well().output)
    assert rows(document) == {
        "backend": "not asked for", "api": "not asked for", "web": "updated", "universe": "not asked for"
    }  # fmt: skip
    after = project.outputs()["release"]
    versions = f"{before['assets']['web'][:12]} > {after['assets']['web'][:12]}"
    assert document["plan"] == [
        f"web: another version, release {versions} (files), at once, no restart.",
        "Not touched: backend, api, universe.",
    ]
    assert {**after, "assets": {**after["assets"], "web": before["assets"]["web"]}} == before
    assert after["assets"]["web"] != before["assets"]["web"]
    assert module(project) == code
    (newest, *_) = runs(project)
    assert (newest["id"], newest["kind"], newest["status"]) == (document["run"], "deploy", "ok")


@pytest.mark.slow
def test_a_run_continues_when_its_terminal_is_closed(project: Project, tmp_path: Path) -> None:
    before, code = project.outputs(), module(project)
    project.edit("services/backend/entrypoint.sh", "exec ", "echo released\nexec ")
    project.edit("services/api/src/worker.js", "/**", "// meanwhile\n/**")
    project.fault(app="jellyfish-app-g1-r2", step="deploy", delay=HELD, count=1)
    with terminal(project, "deploy", "backend") as (process, master):
        screen = Screen(master)
        until(lambda: "[y/N]" in screen.text, "the question is asked", seconds=120)
        os.write(master, b"y\n")
        until(lambda: "create-replacement" in screen.text, "the app is being made", seconds=120)
        screen.leave()
        os.close(master)  # that is what closing the window does: a hang-up for whoever is at the terminal
        process.wait(30)
        run = runs(project)[0]
        assert (run["kind"], run["status"]) == ("deploy", "running")
        assert "Another run of local is in progress" in project.oracle("deploy", "web", "--yes").failed().output
        followed = project.oracle("logs", run["id"], "-f").well().output
    plan = " ".join(screen.text.split())
    assert re.search(r"a new app takes over from jellyfish-app, release \w{12} > \w{12}", plan)
    assert "POCKETBASE_URL and BACKEND follow the backend" in plan
    assert "backend-app deleted original" in followed
    assert "jellyfish-app-g1-r2 | " in followed
    assert re.search(r"^backend +\w{12} +new app +[\d.]+ +http://jellyfish-app-g1-r2-", followed, re.MULTILINE)
    assert re.search(r"^api +\w{12} +follows the backend ", followed, re.MULTILINE)
    assert runs(project)[0]["status"] == "ok"
    # The changed sources of the api have not been deployed along with its new binding.
    after = project.outputs()
    assert module(project) == code
    assert after["release"]["workers"] == before["release"]["workers"]
    assert after["release"]["backend"] != before["release"]["backend"]
    assert after["backendApp"] == "jellyfish-app-g1-r2"
    assert_drawn(project, run["id"], tmp_path / "chart.svg")


def assert_drawn(project: Project, run: str, chart: Path) -> None:
    drawn = project.oracle("timeline", run, "--svg", str(chart)).well().output
    assert drawn == f"Wrote {chart}\n"
    titles = [each.text or "" for each in ElementTree.parse(chart).iter("{http://www.w3.org/2000/svg}title")]
    assert any(title.startswith("backend-app: create-replacement, ") for title in titles)
    told = project.oracle("timeline", run).well().output
    (path,) = re.findall(r"^\* critical path: (.*)$", told, re.MULTILINE)
    # The app waits for several; which of them ends last is chance.
    last = (
        r"(backend-generation|backend-image|admin-password) > backend-app > backend-data > backend-ready > api-script"
    )
    assert re.search(last, path), path


@pytest.mark.slow
def test_all_services_are_deployed_in_parallel_where_possible(project: Project) -> None:
    project.edit("services/backend/entrypoint.sh", "exec ", "echo released again\nexec ")
    project.edit("services/api/src/worker.js", "/**", "// at once\n/**")
    project.edit("services/universe/public/index.html", "</body>", "<!-- another --></body>")
    project.edit("services/web/public/index.html", "</body>", "<!-- and another --></body>")
    left = json.loads(project.oracle("deploy", "--yes", "--json", "--detach").well().output)
    assert set(left) == {"run"}
    followed = project.oracle("logs", "-f").well().output
    for service, change in (("backend", "new app"), ("api", "updated"), ("web", "updated"), ("universe", "updated")):
        assert re.search(rf"^{service} +\w{{12}} +{change} ", followed, re.MULTILINE), followed
    assert "// at once" in module(project)
    folder = project.root / f".oracle/runs/organization/oracle-net/local/{left['run']}"
    done = {(step.name, step.op): step for step in read_steps(folder / "events.jsonl")}
    backend = done["backend-app", "create-replacement"]
    for site in ("web-script", "universe-script"):
        assert done[site, "update"].began < (backend.ended or 0), "the sites do not wait for the backend"
        assert not {"backend-app", "backend-data", "backend-ready", "api-script"} & set(done[site, "update"].needs)
    assert done["api-script", "update"].began > (backend.ended or 0), "the api waits for the backend's address"


def test_ctrl_c_ends_builds_too(project: Project) -> None:
    project.edit(
        "Pulumi.local.yaml", "      path: services/web\n", "      path: services/web\n      build: sleep 601\n"
    )
    try:
        with terminal(project, "deploy", "web", "--yes") as (process, master):
            screen = Screen(master)
            until(lambda: "build web" in screen.text, "the build has begun", seconds=60)
            os.write(master, b"\x03")
            until(lambda: process.poll() is not None, "the command has ended", seconds=30)
            screen.leave()
        assert process.returncode == 1
        run = runs(project)[0]
        assert (run["status"], run["error"]) == (
            "failed",
            "It was interrupted before the engine started, so nothing was changed.",
        )
        assert not [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", "601"]]
    finally:
        project.edit("Pulumi.local.yaml", "      build: sleep 601\n", "")


def test_no_run_contains_a_secret(project: Project) -> None:
    tokens = project.tokens()
    secrets = {name: tokens[name] for name in ("digitalocean", "cloudflare")}
    secrets["password"] = str(project.outputs()["adminPassword"])
    folder = project.root / ".oracle/runs"
    assert len(list(folder.rglob("output.log"))) >= 3
    assert not leaked_in_files(folder, secrets, frozenset())
    assert not [path for path in folder.rglob("*") if path.stat().st_mode & 0o077]
