"""Deployments and their effect on a running app."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from tests.localcloud.account import Account, Json
from tests.support.waiting import until


def steps(progress: Json) -> dict[str, str]:
    """Status by path of every step that has none inside."""
    found: dict[str, str] = {}

    def walk(path: str, listed: list[Json]) -> None:
        for step in listed:
            here = f"{path}/{step['name']}"
            if step.get("steps"):
                walk(here, step["steps"])
            else:
                found[here] = step["status"]

    walk("", progress["steps"])
    return found


ALL_STEPS = [
    "/build/initialize",
    "/build/components/web",
    "/deploy/initialize",
    "/deploy/components/web/deploy",
    "/deploy/components/web/wait",
    "/deploy/finalize",
]


def test_a_first_deployment_is_pending_and_then_runs_all_steps(account: Account) -> None:
    app = account.create(account.spec("first"))
    pending = app["pending_deployment"]
    assert pending["phase"] == "PENDING_BUILD"
    assert pending["progress"]["pending_steps"] == pending["progress"]["total_steps"] == len(ALL_STEPS)
    assert pending["cause"] == "initial deployment"
    assert "live_url" not in app
    assert "active_deployment" not in app
    done = account.wait(app["id"], pending["id"], "ACTIVE")
    assert steps(done["progress"]) == dict.fromkeys(ALL_STEPS, "SUCCESS")
    assert done["progress"]["success_steps"] == len(ALL_STEPS)
    assert "error_steps" not in done["progress"]
    app = account.app(app["id"])
    assert app["active_deployment"]["id"] == done["id"]
    assert "pending_deployment" not in app
    assert "in_progress_deployment" not in app
    assert app["default_ingress"] == app["live_url"] == f"http://{app['live_domain']}:{account.cloud.edge_port}"
    assert account.get(app).json()["greeting"] == ""


def test_an_update_moves_traffic_without_a_failed_request(account: Account) -> None:
    app = account.up("rolling", envs=[{"key": "GREETING", "value": "one"}])
    answers: Counter[str] = Counter()
    done = threading.Event()

    def ask() -> None:
        with Account(account.cloud) as other:
            while not done.is_set():
                answer = other.get(app)
                answers[answer.json()["greeting"] if answer.status_code == 200 else str(answer.status_code)] += 1

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    until(lambda: answers["one"] > 20, "requests flow")
    old = app["active_deployment"]["id"]
    account.update(app["id"], account.spec("rolling", envs=[{"key": "GREETING", "value": "two"}]))
    until(lambda: answers["two"] > 20, "the new one answers")
    done.set()
    for thread in asking:
        thread.join()
    assert set(answers) == {"one", "two"}
    assert account.deployment(app["id"], old)["phase"] == "SUPERSEDED"
    assert account.app(app["id"])["live_url"] == app["live_url"]


def test_a_request_in_progress_ends_on_the_old_container(account: Account) -> None:
    app = account.up("draining", envs=[{"key": "GREETING", "value": "one"}])
    seen: list[Json] = []

    def ask() -> None:
        with Account(account.cloud) as other:
            seen.append(other.get(app, "/slow?1.5"))

    asking = threading.Thread(target=ask)
    asking.start()
    account.update(app["id"], account.spec("draining", envs=[{"key": "GREETING", "value": "two"}]))
    assert account.get(app).json()["greeting"] == "two"
    asking.join()
    assert seen[0].status_code == 200
    assert seen[0].json()["greeting"] == "one"


@pytest.mark.parametrize(
    "broken, code",
    [("health", "DeployContainerHealthChecksFailed"), ("start", "DeployContainerExitNonZero")],
)
def test_an_unhealthy_deployment_leaves_the_old_one_serving(account: Account, broken: str, code: str) -> None:
    name = f"bad-{broken}"
    app = account.up(name, envs=[{"key": "GREETING", "value": "one"}])
    limits = {"http_path": "/health", "period_seconds": 1, "failure_threshold": 1}
    envs = [{"key": "GREETING", "value": "two"}, {"key": "BROKEN", "value": broken}]
    failed = account.update(app["id"], account.spec(name, envs=envs, health_check=limits), "ERROR")
    assert failed["progress"]["error_steps"] == 1
    assert steps(failed["progress"])["/deploy/components/web/wait"] == "ERROR"
    wait = failed["progress"]["steps"][1]["steps"][1]["steps"][0]["steps"][1]
    assert wait["reason"]["code"] == code
    log = account.log(app["id"], failed["id"], "DEPLOY")
    assert "starting two" in log
    assert "the container is not healthy" in log
    after = account.app(app["id"])
    assert after["active_deployment"]["id"] == app["active_deployment"]["id"]
    assert account.get(app).json()["greeting"] == "one"
    healed = account.update(app["id"], account.spec(name, envs=[{"key": "GREETING", "value": "three"}]))
    assert healed["phase"] == "ACTIVE"
    assert account.get(app).json()["greeting"] == "three"


def test_a_failed_first_deployment_leaves_an_app_without_an_active_one(account: Account) -> None:
    spec = account.spec("unborn", digest="sha256:" + "0" * 64)
    app = account.create(spec)
    failed = account.wait(app["id"], app["pending_deployment"]["id"], "ERROR")
    assert steps(failed["progress"])["/build/components/web"] == "ERROR"
    assert "is not in the image store" in account.log(app["id"], failed["id"], "BUILD")
    app = account.app(app["id"])
    assert "active_deployment" not in app
    assert "live_url" not in app
    account.update(app["id"], account.spec("unborn"))
    assert account.get(account.app(app["id"])).status_code == 200


def test_an_image_of_another_repository_is_not_found(account: Account) -> None:
    spec = account.spec("elsewhere")
    spec["services"][0]["image"]["repository"] = "other"
    app = account.create(spec)
    account.wait(app["id"], app["pending_deployment"]["id"], "ERROR")


def test_a_restart_starts_a_new_container_with_an_empty_disk(account: Account) -> None:
    app = account.up("restarted")
    assert account.get(app, "/note?kept").json() == {"note": "kept"}
    answer = account.http.post(f"/v2/apps/{app['id']}/restart", json={"components": ["web"]})
    deployment = answer.json()["deployment"]
    assert deployment["cause_details"]["digitalocean_user_action"]["name"] == "RESTART"
    account.wait(app["id"], deployment["id"], "ACTIVE")
    assert account.get(app, "/note").json() == {"note": ""}
    assert account.get(app).json()["pid"] > 0


def test_a_restart_of_an_unknown_component_is_refused(account: Account) -> None:
    app = account.up("restart-wrong")
    assert account.http.post(f"/v2/apps/{app['id']}/restart", json={"components": ["x"]}).status_code == 400


def test_a_crashed_container_is_replaced_by_one_with_an_empty_disk(account: Account) -> None:
    app = account.up("crashing")
    before = account.get(app, "/note?lost").json()
    assert before == {"note": "lost"}
    account.get(app, "/crash")
    again = until(lambda: answer if (answer := account.get(app, "/note")).status_code == 200 else None, "it is back")
    assert again.json() == {"note": ""}
    deployment = app["active_deployment"]["id"]
    assert "crashing as asked" in account.log(app["id"], deployment, "RUN_RESTARTED")
    assert "ended with status 9" in account.log(app["id"], deployment, "RUN_RESTARTED")
    assert account.app(app["id"])["active_deployment"]["id"] == deployment


def test_a_crashed_app_answers_503_until_it_is_restarted(account: Account) -> None:
    app = account.up("absent")
    account.get(app, "/crash")
    seen = until(lambda: answer if (answer := account.get(app)).status_code == 503 else None, "503")
    assert "text/html" in seen.headers["content-type"] or seen.text


def test_only_the_newest_waiting_deployment_runs(account: Account) -> None:
    app = account.up("queue")
    account.fault(app="queue", step="build", delay=1)
    path = f"/v2/apps/{app['id']}/deployments"
    first, second, third = (account.http.post(path, json={}).json()["deployment"]["id"] for _ in range(3))
    account.wait(app["id"], third, "ACTIVE")
    ran, skipped = (account.deployment(app["id"], each) for each in (first, second))
    assert [ran["phase"], skipped["phase"]] == ["SUPERSEDED", "SUPERSEDED"]
    assert ran["progress"]["success_steps"] == len(ALL_STEPS)
    assert skipped["progress"]["pending_steps"] == len(ALL_STEPS)
    listed = account.http.get(path).json()["deployments"]
    assert [each["id"] for each in listed[:3]] == [third, second, first]


def test_a_deployment_in_progress_is_shown_and_can_be_canceled(account: Account) -> None:
    app = account.up("canceled")
    account.fault(app="canceled", step="build", delay=30)
    deployment = account.http.post(f"/v2/apps/{app['id']}/deployments", json={"force_build": True}).json()["deployment"]
    account.wait_phase(app["id"], deployment["id"], "BUILDING")
    assert account.app(app["id"])["in_progress_deployment"]["id"] == deployment["id"]
    path = f"/v2/apps/{app['id']}/deployments/{deployment['id']}/cancel"
    answer = account.http.post(path)
    assert answer.json()["deployment"]["phase"] == "CANCELED"
    assert account.http.post(path).status_code == 409
    assert account.get(app).status_code == 200


def test_a_waiting_deployment_can_be_canceled(account: Account) -> None:
    app = account.up("canceled-early")
    account.fault(app="canceled-early", step="build", delay=1)
    path = f"/v2/apps/{app['id']}/deployments"
    running = account.http.post(path, json={}).json()["deployment"]["id"]
    account.wait_phase(app["id"], running, "BUILDING")
    waiting = account.http.post(path, json={}).json()["deployment"]["id"]
    assert account.app(app["id"])["pending_deployment"]["id"] == waiting
    answer = account.http.post(f"{path}/{waiting}/cancel").json()["deployment"]
    assert answer["phase"] == "CANCELED"
    account.wait(app["id"], running, "ACTIVE")


@pytest.mark.parametrize("step, failed", [("build", "web"), ("deploy", "deploy"), ("health", "wait")])
def test_a_fault_fails_the_configured_step(account: Account, step: str, failed: str) -> None:
    name = f"fault-{step}"
    app = account.up(name)
    account.fault(app=name, step=step, message="out of luck")
    ended = account.update(app["id"], account.spec(name), "ERROR")
    path = next(path for path, status in steps(ended["progress"]).items() if status == "ERROR")
    assert path.endswith(f"/{failed}")
    assert account.get(app).status_code == 200
    account.update(app["id"], account.spec(name), "ACTIVE")


def test_the_deletion_of_an_app_ends_its_program(account: Account) -> None:
    app = account.up("deleted")
    assert account.http.delete(f"/v2/apps/{app['id']}").json() == {"id": app["id"]}
    assert account.http.get(f"/v2/apps/{app['id']}").status_code == 404
    assert account.get(app).status_code == 404
    assert not (account.cloud.root / "apps" / app["id"]).exists()
    assert account.up("deleted")["id"] != app["id"]


def test_an_app_can_be_deleted_during_a_deployment(account: Account) -> None:
    account.fault(app="stillborn", step="health", delay=30)
    app = account.create(account.spec("stillborn"))
    account.wait_phase(app["id"], app["pending_deployment"]["id"], "DEPLOYING")
    assert account.http.delete(f"/v2/apps/{app['id']}").status_code == 200
    assert not list((account.cloud.root / "apps" / app["id"]).glob("*"))
