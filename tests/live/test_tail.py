"""`oracle tail` follows all services across a release. Each test can run alone; the last deletes a Worker."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from cli.tail.masking import MASK, Mask, secrets_of
from clients.http import client
from tests.live.project import Project

pytestmark = [pytest.mark.live, pytest.mark.slow]

SECONDS = 60.0


@dataclass
class Following:
    """An `oracle tail` that runs, and what it has printed."""

    process: subprocess.Popen[str]
    lines: queue.Queue[str] = field(default_factory=queue.Queue)
    seen: list[str] = field(default_factory=list)

    def read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.put(line)

    def until(self, *parts: str, seconds: float = SECONDS) -> str:
        """The next line with all these parts in it."""
        while True:
            try:
                line = self.lines.get(timeout=seconds)
            except queue.Empty:
                raise AssertionError(f"no line with {parts} among {self.seen}") from None
            self.seen.append(line)
            if all(part in line for part in parts):
                return line

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def following(project: Project, *words: str) -> Iterator[Following]:
    with project.start_oracle("tail", *words) as process:
        assert process.stdout
        found = Following(process)
        reading = threading.Thread(target=found.read)
        reading.start()
        try:
            yield found
        finally:
            process.kill()
            reading.join()


def tails(project: Project) -> list[str]:
    """The ids of all tails there are."""
    account, headers = (
        project.config["oracle-net:accountId"],
        {"Authorization": f"Bearer {project.tokens()['cloudflare']}"},
    )
    base = f"{project.endpoint}/client/v4/accounts/{account}/workers/scripts"
    with client(headers=headers) as http:
        scripts = [each["id"] for each in http.get(base).json()["result"]]
        return [tail["id"] for script in scripts for tail in http.get(f"{base}/{script}/tails").json()["result"]]


def ask(url: str, **headers: str) -> int:
    with client(timeout=20) as http:
        return http.get(url, headers=headers).status_code


def asked_until_seen(found: Following, url: str, *parts: str, **headers: str) -> str:
    """Asks again until it is seen: when a tail is open is not told."""
    for _ in range(60):
        ask(url, **headers)
        try:
            return found.until(*parts, seconds=1.0)
        except AssertionError:
            continue
    raise AssertionError(f"{url} was never seen: {found.seen}")


def test_all_services_are_followed_and_no_secret_is_shown(project: Project) -> None:
    outputs: dict[str, Any] = project.outputs()
    password = outputs["adminPassword"]
    with following(project) as found:
        found.until("  backend  ", "Server started at")
        address = f"{outputs['apiUrl']}/nowhere?note={password}&token=t0ken"
        line = asked_until_seen(found, address, "  api  ", "GET", "/nowhere", authorization=f"Bearer {password}")
        # Cloudflare masks what looks like an identifier, and we what is called a token.
        assert line.rstrip().endswith("/nowhere?note=REDACTED&token=******** 404 ok")
        asked_until_seen(found, f"{outputs['webUrl']}/config.json", "  web  ", "/config.json 200 ok")
        assert tails(project)
        assert found.end() == 0
        assert password not in "".join(found.seen)
    exported = project.pulumi("stack", "export", "--show-secrets", "--stack", project.stack).well().output
    known = secrets_of(json.loads(exported)["deployment"])
    assert password in known
    assert (
        Mask(known)(f"login as {outputs['adminEmail']} with {password}")
        == f"login as {outputs['adminEmail']} with {MASK}"
    )
    assert not known & {outputs["backendApp"], *outputs["release"]["workers"].values()}, "what is public stays readable"
    assert tails(project) == []


def test_a_tail_is_deleted_when_a_signal_ends_the_command(project: Project) -> None:
    with following(project, "api", "--json", "--status", "ok", "--filter", "health") as found:
        line = asked_until_seen(found, f"{project.outputs()['apiUrl']}/api/health", '"service": "api"')
        assert '"method": "GET"' in line
        assert '"status": 200' in line
        assert found.end(signal.SIGTERM) == 0
    assert tails(project) == []


def test_a_new_app_and_a_new_version_are_followed(project: Project) -> None:
    before = project.outputs()["backendAppId"]
    with following(project) as found:
        found.until("  backend  ", "Server started at")
        project.oracle("wipe", "--yes").well()
        assert project.outputs()["backendAppId"] != before
        found.until("backend: followed again.")
        found.until("  backend  ", "Server started at")
        asked_until_seen(found, f"{project.outputs()['apiUrl']}/api/health", "  api  ", "/api/health 200 ok")
        assert found.end() == 0


def test_an_unknown_or_deleted_service_ends_the_command_with_a_sentence(project: Project) -> None:
    done = project.oracle("tail", "nothing").failed()
    assert "There is no service nothing. The services are backend, api, universe, web." in done.output
    with following(project, "universe") as found:
        url = f"{project.endpoint}/client/v4/accounts/{project.config['oracle-net:accountId']}/workers/scripts"
        script = project.config["oracle-net:workers"]["universe"]["script"]
        with client(headers={"Authorization": f"Bearer {project.tokens()['cloudflare']}"}) as http:
            for _ in range(100):
                if http.get(f"{url}/{script}/tails").json()["result"]:
                    break
                threading.Event().wait(0.2)
            assert http.delete(f"{url}/{script}?force=true").status_code == 200
        found.until(f"The Worker {script} does not exist. Fix: run ")
        assert found.process.wait(SECONDS) == 1
