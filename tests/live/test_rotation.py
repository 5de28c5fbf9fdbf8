"""`oracle rotate` during logins through the API: none fails, and the old secret is refused. Each test can run alone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from clients.http import client, httpx
from clients.pocketbase import OPERATOR
from tests.live import network
from tests.live.leaks import leaked_in_files
from tests.live.project import Done, Project, assert_quiet
from tests.support.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.slow]

PAUSE = 0.1
LEAST = 100
"""Logins that a rotation must have lived through to have been tried at all."""
CHOSEN = "chosen-Pa55word-of-the-admin-3b7"
NEXT = "another-Pa55word-of-the-admin-5d0"
TOKEN = "github_pat_planted-9c41-token"


class Logins:
    """Loops that let the API log in to the backend as its admin; one keeps its connection, two do not."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: Counter[str] = Counter()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(keep,), daemon=True) for keep in (True, False, False)]

    def __enter__(self) -> Logins:
        for thread in self._threads:
            thread.start()
        self._more()
        return self

    def __exit__(self, *_: object) -> None:
        self._more()
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def _more(self) -> None:
        enough = self.seen["admin"] + 10
        until(lambda: self.seen["admin"] >= enough, "logins come through")

    def _ask(self, keep: bool) -> None:
        with client(timeout=15) as kept:
            while not self._over.wait(PAUSE):
                self.seen[self._once(kept if keep else None)] += 1

    def _once(self, kept: httpx.Client | None) -> str:
        try:
            with self._opened(kept) as http:
                answer = http.get(f"{self.url}/api/admin/check")
        except httpx.HTTPError as error:
            return type(error).__name__
        if answer.status_code != 200:
            return str(answer.status_code)
        return "admin" if answer.json()["admin"] else "refused"

    @contextmanager
    def _opened(self, kept: httpx.Client | None) -> Iterator[httpx.Client]:
        if kept is not None:
            yield kept
            return
        with client(timeout=15) as fresh:
            yield fresh


def rotate(project: Project, *arguments: str, typed: str = "") -> Done:
    """The command, with what is typed given by standard input."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", "rotate", *arguments],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(project.root)},
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=project.seconds,
        check=False,
    )
    return Done(done.returncode, done.stdout)


def logs_in(project: Project, password: str) -> bool:
    outputs = project.outputs()
    body = {"identity": outputs["adminEmail"], "password": password}
    with client() as http:
        answer = http.post(f"{outputs['backendUrl']}/api/collections/_superusers/auth-with-password", json=body)
    return answer.status_code == 200


def superusers(project: Project, password: str = "") -> list[str]:
    """The superusers' addresses but the program's own, as the admin sees them; the state does not know a password that
    came halfway.
    """
    outputs = project.outputs()
    body = {"identity": outputs["adminEmail"], "password": password or outputs["adminPassword"]}
    collection = f"{outputs['backendUrl']}/api/collections/_superusers"
    with client() as http:
        token = http.post(f"{collection}/auth-with-password", json=body).json()["token"]
        listed = http.get(f"{collection}/records?perPage=200", headers={"Authorization": token}).json()["items"]
    found = {each["email"] for each in listed}
    assert OPERATOR in found
    return sorted(found - {OPERATOR})


def assert_none_failed(logins: Logins) -> None:
    print(dict(logins.seen))
    assert set(logins.seen) == {"admin"}, logins.seen
    assert logins.seen["admin"] >= LEAST, logins.seen


def test_a_generated_password_is_renewed_and_no_login_fails(project: Project) -> None:
    """No other change is deployed with it, such as changed sources."""
    before, release = project.outputs()["adminPassword"], project.outputs()["release"]
    for name in ("api/src/worker.js", "web/public/index.html", "backend/entrypoint.sh"):
        path = project.root / "services" / name
        path.write_text(f"{path.read_text()}\n")
    with Logins(project.outputs()["apiUrl"]) as logins:
        done = rotate(project, "admin").well()
    assert_none_failed(logins)
    assert project.outputs()["release"] == release
    assert network.running(project) == release["backend"]
    after = project.outputs()["adminPassword"]
    assert after != before
    assert logs_in(project, after)
    assert not logs_in(project, before)
    for line in ("accepts the new password", "refuses the old password"):
        assert line in done.output
    assert "The app's variable PB_ADMIN_PASSWORD has the old password" in done.output
    assert superusers(project) == ["admin@oracle.localhost"]
    assert network.apps(project) == ["jellyfish-app"]
    for name in ("api/src/worker.js", "web/public/index.html", "backend/entrypoint.sh"):
        path = project.root / "services" / name
        path.write_text(path.read_text().removesuffix("\n"))
    assert_quiet(project.pulumi("preview", "--refresh", "--stack", "local"))


def test_a_chosen_password_is_read_from_standard_input(project: Project) -> None:
    before = project.outputs()["adminPassword"]
    assert "10 characters, so nothing was changed" in rotate(project, "admin", "--choose", typed="x\n").failed().output
    assert "The input is empty, so nothing was changed." in rotate(project, "admin", "--choose").failed().output
    assert project.outputs()["adminPassword"] == before
    with Logins(project.outputs()["apiUrl"]) as logins:
        rotate(project, "admin", "--choose", typed=f"{CHOSEN}\n").well()
    assert_none_failed(logins)
    assert project.outputs()["adminPassword"] == CHOSEN
    assert not logs_in(project, before)
    assert superusers(project) == ["admin@oracle.localhost"]


def test_an_interrupted_rotation_leaves_the_api_a_working_login(project: Project) -> None:
    """The upload of the api Worker fails after the password has changed: it goes on with the temporary admin."""
    before = project.outputs()["adminPassword"]
    with Logins(project.outputs()["apiUrl"]) as logins:
        script = f"/client/v4/accounts/{project.tokens()['accountId']}/workers/scripts/oracle-universe-api"
        project.fault(method="PUT", path=script, status=400, count=1)
        rotate(project, "admin", "--choose", typed=f"{NEXT}\n").failed()
        assert not logs_in(project, before)
        begun = time.monotonic()
        until(lambda: time.monotonic() > begun + 1, "some logins more")
        assert len(superusers(project, NEXT)) == 2
        project.up().well()
    assert_none_failed(logins)
    assert superusers(project) == ["admin@oracle.localhost"]
    assert logs_in(project, NEXT)


def test_a_new_token_is_stored_only_in_the_api_worker(project: Project) -> None:
    with Logins(project.outputs()["apiUrl"]) as logins:
        done = rotate(project, "github-token", typed=f"{TOKEN}\n").well()
    assert set(logins.seen) == {"admin"}, logins.seen
    assert "Delete it at https://github.com/settings" in done.output
    with client() as http:
        assert http.get(f"{project.outputs()['apiUrl']}/api/github").json()["configured"]
    secrets = {"token": TOKEN, "password": CHOSEN, "next password": NEXT}
    assert not leaked_in_files(project.root / ".oracle/runs", secrets, frozenset())
    assert TOKEN not in (project.root / "Pulumi.local.yaml").read_text()
    assert TOKEN not in done.output
