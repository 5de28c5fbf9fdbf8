"""Cron triggers: the API's rules, and handlers that are really called."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localcloud.cloudflare.schedules import Schedules
from localcloud.cloudflare.startup import api_of
from localcloud.edge_process import EdgeError
from tests.localcloud.cloudflare.loop import Loop
from tests.localcloud.cloudflare.service import Client
from tests.support.waiting import until

CODE = """
const runs = [];
export default {
  fetch: () => Response.json(runs),
  scheduled(controller) {
    if (controller.cron === "0 0 1 1 *") throw new Error("on purpose");
    runs.push({ cron: controller.cron, time: controller.scheduledTime });
  },
};
"""
MOMENT = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


def path(name: str) -> str:
    return f"~/workers/scripts/{name}/schedules"


def crons(*expressions: str) -> list[dict[str, str]]:
    return [{"cron": expression} for expression in expressions]


def test_a_put_replaces_all_triggers(api: Client) -> None:
    api.put("timed", CODE)
    assert api.result("GET", path("timed")) == {"schedules": []}
    first = api.result("PUT", path("timed"), json=crons("*/30 * * * *", "0 17 * * sun"))["schedules"]
    assert [schedule["cron"] for schedule in first] == ["*/30 * * * *", "0 17 * * sun"]
    second = api.result("PUT", path("timed"), json=crons("0 17 * * sun"))["schedules"]
    assert second[0]["created_on"] == first[1]["created_on"]
    assert second[0]["modified_on"] > first[1]["modified_on"]
    assert api.result("GET", path("timed"))["schedules"] == second
    assert api.result("PUT", path("timed"), json=[]) == {"schedules": []}


def test_invalid_triggers_are_refused(api: Client) -> None:
    api.put("refused", CODE)
    api.result("PUT", path("refused"), json=crons("1 1 * * *"))
    assert api.refusal("PUT", path("refused"), json=crons("0 22 * * 0")) == (400, 10100, "invalid cron string")
    assert api.refusal("PUT", path("refused"), json=[{"cron": {"cron": "* * * * *"}}])[:2] == (400, 10026)
    assert api.refusal("PUT", path("refused"), content=b"x")[:2] == (400, 10026)
    many = crons(*(f"{number % 60} {number // 60} * * *" for number in range(251)))
    assert api.refusal("PUT", path("refused"), json=many)[:2] == (400, 10072)
    assert api.refusal("PUT", path("nobody"), json=[])[:2] == (404, 10007)
    assert [each["cron"] for each in api.result("GET", path("refused"))["schedules"]] == ["1 1 * * *"]


def test_triggers_are_deleted_with_their_worker(api: Client) -> None:
    api.put("brief", CODE)
    api.result("PUT", path("brief"), json=crons("* * * * *"))
    api.result("DELETE", "~/workers/scripts/brief")
    api.put("brief", CODE)
    assert api.result("GET", path("brief")) == {"schedules": []}


@pytest.mark.parametrize("site", [False, True])
def test_a_handler_is_called_with_its_cron_and_time(api: Client, loop: Loop, site: bool) -> None:
    name = f"called-{site}".lower()
    more: dict[str, Any] = {}
    if site:
        jwt = api.upload_assets(name, {"/index.html": b"x"})
        more["assets"] = {"jwt": jwt, "config": {"run_worker_first": True}}
    api.put(name, CODE, **more)
    host = api.enable(name)
    run = api_of(api.running.cloud).schedules.run
    assert loop.run(run(name, "30 12 * * *", MOMENT)) == "ok"
    assert api.get(host).json() == [{"cron": "30 12 * * *", "time": MOMENT.timestamp() * 1000}]
    assert loop.run(run(name, "0 0 1 1 *", MOMENT)) == "exception"
    with pytest.raises(EdgeError, match="nobody"):
        loop.run(run("nobody", "* * * * *", MOMENT))


def test_a_request_from_outside_cannot_trigger_an_event(api: Client) -> None:
    api.put("guarded", CODE)
    host = api.enable("guarded")
    api.get(host, method="POST", headers={"x-edge-event": "x"}, json={"kind": "scheduled", "cron": "x", "time": 0})
    assert api.get(host).json() == []


def test_each_due_minute_is_run_once(api: Client, loop: Loop) -> None:
    """The clock jumps, as when the machine sleeps for an hour; the missed minutes are not run later."""
    api.put("clocked", CODE)
    host = api.enable("clocked")
    api.result("PUT", path("clocked"), json=crons("* * * * *", "*/2 * * * *"))
    cloud = api.running.cloud
    now = [datetime(2026, 5, 4, 12, 0, 30, tzinfo=UTC)]
    waits: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += timedelta(seconds=seconds)
        if len(waits) == 3:
            now[0] += timedelta(hours=1)
        if len(waits) > 5:
            enough.set()
            await asyncio.Event().wait()

    async def watch() -> None:
        clocked = Schedules(cloud.store, cloud.edge, lambda: now[0], sleep)
        clocked.start()
        await enough.wait()
        await asyncio.gather(*clocked._runs)
        await clocked.stop()

    loop.run(watch())
    minutes = [datetime.fromtimestamp(run["time"] / 1000, UTC).strftime("%H:%M") for run in api.get(host).json()]
    assert waits[:5] == [30, 60, 60, 0, 60]
    assert sorted(minutes) == ["12:01", "12:02", "12:02", "13:03", "13:04", "13:04"]
    api.result("PUT", path("clocked"), json=[])


@pytest.mark.slow
def test_a_trigger_runs_at_the_next_real_minute(api: Client) -> None:
    api.put("real", CODE)
    host = api.enable("real")
    api.result("PUT", path("real"), json=crons("* * * * *"))
    runs = until(lambda: api.get(host).json(), "the next minute's run", 70)
    assert runs[0]["cron"] == "* * * * *"
    assert runs[0]["time"] % 60_000 == 0
    api.result("PUT", path("real"), json=[])


def test_the_official_sdk_works_with_triggers(api: Client) -> None:
    api.put("sdk-timed", CODE)
    account = api.running.cloud.tokens.account_id
    from cloudflare import Cloudflare

    with Cloudflare(api_token=api.token, base_url=api.base, max_retries=0) as sdk:
        made = sdk.workers.scripts.schedules.update("sdk-timed", account_id=account, body=[{"cron": "0 1 * * *"}])
        assert made is not None
        found = sdk.workers.scripts.schedules.get("sdk-timed", account_id=account)
        assert found.to_dict() == made.to_dict()
        assert [schedule.cron for schedule in made.schedules] == ["0 1 * * *"]
