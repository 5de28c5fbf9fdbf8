"""The local cloud stops, normally or by a kill, and starts again with all its state."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import httpx
import psutil
import pytest

from localcloud.__main__ import PORT_USED, REFUSED, RUNS_ALREADY
from tests.localcloud.account import Account, Json
from tests.support import forked
from tests.support.cloud import PROJECT, RunningCloud, children_of
from tests.support.waiting import free_port, until

FIRST_PASSWORD = "first-password-1"


def pocketbase(account: Account, name: str) -> Json:
    """An app that is a real PocketBase, with a superuser made by its entrypoint."""
    script = "#!/bin/sh\nset -e\npocketbase superuser upsert a@example.test " + FIRST_PASSWORD
    script += "\nexec pocketbase serve --http=$HOST:$PORT\n"
    digest = account.push({"entrypoint.sh": script}, ["./entrypoint.sh"])
    return account.up(name, digest=digest, health_check={"http_path": "/api/health"})


def login(account: Account, app: Json) -> str:
    """A superuser's token."""
    host = app["live_domain"]
    body = {"identity": "a@example.test", "password": FIRST_PASSWORD}
    path = "/api/collections/_superusers/auth-with-password"
    answer = account.edge.post(path, json=body, headers={"host": host})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


@pytest.mark.slow
def test_a_real_pocketbase_has_its_data_and_address_after_stop_and_kill(own_cloud: RunningCloud) -> None:
    with Account(own_cloud) as account:
        app = pocketbase(account, "jellyfish-app")
        token = login(account, app)
        collection = {"name": "kept", "type": "base", "fields": [{"name": "word", "type": "text"}]}
        headers = {"host": app["live_domain"], "authorization": token}
        assert account.edge.post("/api/collections", json=collection, headers=headers).status_code == 200
    assert own_cloud.stop() == 0
    assert children_of(own_cloud.root) == []
    for end in (own_cloud.stop, own_cloud.kill):
        own_cloud.start()
        with Account(own_cloud) as account:
            again = account.app(app["id"])
            assert again["live_url"] == app["live_url"]
            assert again["active_deployment"]["id"] == app["active_deployment"]["id"]
            headers = {"host": app["live_domain"], "authorization": login(account, again)}
            assert account.edge.get("/api/collections/kept", headers=headers).status_code == 200
        end()


def test_after_kill_9_no_program_runs_twice(own_cloud: RunningCloud) -> None:
    with Account(own_cloud) as account:
        app = account.up("survivor", envs=[{"key": "GREETING", "value": "one"}])
        assert account.get(app, "/note?kept").status_code == 200
        old = account.get(app).json()["pid"]
    own_cloud.kill()
    assert psutil.pid_exists(old)
    own_cloud.start()
    with Account(own_cloud) as account:
        answer = account.get(app).json()
        assert answer["pid"] != old
        assert answer["greeting"] == "one"
        assert account.get(app, "/note").json() == {"note": "kept"}
    programs = [each for each in children_of(own_cloud.root / "apps") if "program.py" in " ".join(each.cmdline())]
    assert len(programs) == 1
    assert programs[0].pid != old


@pytest.mark.parametrize("step", ["build", "health"])
def test_a_deployment_interrupted_by_kill_9_runs_again(own_cloud: RunningCloud, step: str) -> None:
    with Account(own_cloud) as account:
        app = account.up("interrupted", envs=[{"key": "GREETING", "value": "one"}])
        account.get(app, "/note?one")
        account.fault(app="interrupted", step=step, delay=60)
        spec = account.spec("interrupted", envs=[{"key": "GREETING", "value": "two"}])
        updated = account.http.put(f"/v2/apps/{app['id']}", json={"spec": spec}).json()["app"]
        deployment = updated["pending_deployment"]["id"]
        account.wait_phase(app["id"], deployment, {"build": "BUILDING", "health": "DEPLOYING"}[step])
        assert account.get(app).json()["greeting"] == "one"
    own_cloud.kill()
    own_cloud.start()
    with Account(own_cloud) as account:
        account.wait(app["id"], deployment, "ACTIVE")
        assert account.get(app).json()["greeting"] == "two"
        assert account.get(app, "/note").json() == {"note": ""}
        assert len(list((own_cloud.root / "apps" / app["id"]).iterdir())) <= 2


def test_a_stop_during_a_deployment_continues_it_at_the_next_start(own_cloud: RunningCloud) -> None:
    with Account(own_cloud) as account:
        account.fault(app="stopped", step="health", delay=60)
        app = account.create(account.spec("stopped"))
        account.wait_phase(app["id"], app["pending_deployment"]["id"], "DEPLOYING")
    assert own_cloud.stop() == 0
    assert children_of(own_cloud.root) == []
    own_cloud.start()
    with Account(own_cloud) as account:
        account.wait(app["id"], app["pending_deployment"]["id"], "ACTIVE")


def test_deleted_apps_stay_deleted_and_failed_ones_stay_failed(own_cloud: RunningCloud) -> None:
    with Account(own_cloud) as account:
        gone = account.up("gone")
        account.http.delete(f"/v2/apps/{gone['id']}")
        failed = account.create(account.spec("failed", digest="sha256:" + "0" * 64))
        account.wait(failed["id"], failed["pending_deployment"]["id"], "ERROR")
        check = account.http.post("/v2/uptime/checks", json={"name": "c", "target": "http://127.0.0.1:1"}).json()[
            "check"
        ]
        before = account.http.get("/v2/apps").json()
        tokens = own_cloud.tokens
    own_cloud.kill()
    for left in ("apps/unknown/x", "logs/unknown", f"apps/{failed['id']}/x", "builds/x"):
        (own_cloud.root / left).mkdir(parents=True)
    own_cloud.start()
    assert own_cloud.tokens == tokens
    with Account(own_cloud) as account:
        assert account.http.get("/v2/apps").json() == before
        assert account.http.get(f"/v2/uptime/checks/{check['id']}").json()["check"] == check
        assert account.http.get(f"/v2/apps/{gone['id']}").status_code == 404
    assert [path.name for path in (own_cloud.root / "apps").iterdir()] == [failed["id"]]
    assert [path.name for path in (own_cloud.root / "logs").iterdir()] == [failed["id"]]
    assert not list((own_cloud.root / "apps" / failed["id"]).iterdir())
    assert not (own_cloud.root / "builds").exists()


def test_open_streams_do_not_delay_a_stop(own_cloud: RunningCloud) -> None:
    with Account(own_cloud) as account:
        app = account.up("streams")
        query = {"type": "RUN", "follow": "true"}
        url = account.http.get(f"/v2/apps/{app['id']}/logs", params=query).json()["live_url"]
        with account.http.stream("GET", url) as stream:
            next(stream.iter_lines())
            assert own_cloud.stop() == 0
    assert children_of(own_cloud.root) == []


def test_a_signal_during_the_start_stops_it(own_cloud: RunningCloud) -> None:
    own_cloud.stop()
    own_cloud.launch()
    assert own_cloud.process
    until(lambda: children_of(own_cloud.root / "edge"), "the edge starts")
    assert own_cloud.stop() == 0
    assert children_of(own_cloud.root) == []
    assert "Traceback" not in own_cloud.log()


def refused(cloud: RunningCloud, status: int, *changes: str) -> str:
    """What a second start prints before it ends with this status: the problem and the fix, a line each."""
    command = cloud.command()
    for option, value in zip(changes[::2], changes[1::2], strict=True):
        command[command.index(option) + 1] = value
    done = forked.python(command[1:], PROJECT, os.environ, 60)
    assert done.status == status
    assert done.output == ""
    assert done.errors.count("\n") == (1 if status == REFUSED else 2)
    return done.errors


def test_a_second_local_cloud_on_the_same_state_is_refused(cloud: RunningCloud) -> None:
    assert cloud.process
    sentence = refused(cloud, RUNS_ALREADY, "--port", str(free_port()), "--edge-port", str(free_port()))
    assert f"process {cloud.process.pid}" in sentence
    assert sentence.endswith("\nFix: stop that process.\n")
    assert cloud.serves()


@pytest.mark.parametrize("option", ["--port", "--edge-port"])
def test_the_error_names_the_process_that_uses_the_port(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        ports = {"--port": free_port(), "--edge-port": free_port()} | {option: taken}
        idle = RunningCloud(tmp_path / "state", ports["--port"], ports["--edge-port"])
        sentence = refused(idle, PORT_USED)
    assert f"Port {taken} is in use by" in sentence
    assert f"(process {os.getpid()})" in sentence
    assert f"another {option}" in sentence
    assert not (tmp_path / "state" / "cloud.sqlite3").exists()


@pytest.mark.parametrize("option", ["--node", "--node-modules", "--pocketbase"])
def test_a_missing_program_is_named(tmp_path: Path, option: str) -> None:
    idle = RunningCloud(tmp_path / "state", free_port(), free_port())
    sentence = refused(idle, REFUSED, option, str(tmp_path / "nowhere"))
    assert f"{option} {tmp_path}/nowhere does not exist. Fix: run `make tools`." in sentence


def test_a_process_with_a_reused_id_is_not_ended(own_cloud: RunningCloud) -> None:
    """The list of leftover processes has creation times: another process with the same id is not ended."""
    own_cloud.stop()
    stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        (own_cloud.root / "processes.json").write_text(json.dumps([[stranger.pid, 12345.0]]))
        own_cloud.start()
        assert stranger.poll() is None
    finally:
        stranger.send_signal(signal.SIGKILL)
        stranger.wait()


def test_health_returns_process_and_edge(cloud: RunningCloud, account: Account) -> None:
    assert cloud.process
    answer = account.http.get("/_cloud/health")
    assert answer.json() == {"status": "ok", "version": "1.0.0", "pid": cloud.process.pid, "edge": cloud.edge_url}
    assert json.loads((cloud.root / "lock").read_text()) == {"pid": cloud.process.pid, "port": cloud.port}


@pytest.mark.chaos
@pytest.mark.slow
def test_the_declared_spec_runs_after_a_kill_at_any_moment(own_cloud: RunningCloud) -> None:
    with Account(own_cloud) as account:
        app = account.up("chaos", envs=[{"key": "GREETING", "value": "round 0"}])
    for round_, moment in enumerate((0.0, 0.02, 0.1, 0.25), start=1):
        with Account(own_cloud) as account:
            spec = account.spec("chaos", envs=[{"key": "GREETING", "value": f"round {round_}"}])
            pushing = threading.Thread(target=put_and_survive, args=(account, app["id"], spec))
            pushing.start()
            threading.Event().wait(moment)  # the moment is what is tried, not waited for
            own_cloud.kill()
            pushing.join()
        own_cloud.start()
        with Account(own_cloud) as account:
            newest = account.http.get(f"/v2/apps/{app['id']}/deployments").json()["deployments"][0]
            account.wait(app["id"], newest["id"], "ACTIVE")
            shown = account.app(app["id"])
            assert shown["spec"] == shown["active_deployment"]["spec"]
            assert account.get(app).json()["greeting"] == shown["spec"]["services"][0]["envs"][0]["value"]


def put_and_survive(account: Account, app_id: str, spec: Json) -> None:
    """An update whose answer may never come."""
    with contextlib.suppress(httpx.TransportError):
        account.http.put(f"/v2/apps/{app_id}", json={"spec": spec})
