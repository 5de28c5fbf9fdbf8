"""The hold on a real Worker of the local cloud: it is proved, it ends, and nobody's request is lost meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from components.front import with_front
from tests.localcloud.cloudflare.load import Load
from tests.support.cloud import RunningCloud
from tests.support.waiting import free_port
from tests.workersapi.conftest import SERVICE, Site
from tests.workersapi.test_client import fault
from workersapi import Workers, WorkersApiError, WriteHold

Hold = Callable[..., WriteHold]


@pytest.fixture
def hold(workers: Workers) -> Hold:
    """hold(site, seconds=60): not entered yet."""

    def make(site: Site, seconds: float = 60.0, **options: float) -> WriteHold:
        return WriteHold(workers, site.name, seconds, url=site.url, **{"settle": 0.0, **options})

    return make


def held(site: Site) -> bool:
    answer = site.ask("POST", "/", content=b"x")
    assert answer.status_code in (200, 503)
    return answer.status_code == 503 and answer.headers["x-oracle-hold"] == "1"


def test_writes_are_held_until_the_next_upload(workers: Workers, fronted: Site, hold: Hold) -> None:
    before = time.time()
    with hold(fronted) as holding:
        assert holding.held
        assert holding.began is not None
        assert before - 2 <= holding.began <= time.time() + 2  # the API tells its time in whole seconds
        assert 0 < holding.left() <= 60
        assert held(fronted)
        assert fronted.ask("GET").text == "GET bound kept "  # the other bindings are still there
    assert held(fronted)
    fronted.put(with_front(SERVICE), KEY="kept")
    assert not held(fronted)
    assert set(workers.bindings(fronted.name) or {}) == {"WORD", "KEY"}


def test_a_long_body_is_refused_as_politely(fronted: Site, hold: Hold) -> None:
    """It is read before it is refused, because whoever still sends does not listen yet."""
    with hold(fronted) as holding:
        for _ in range(5):
            answer = fronted.ask("POST", "/", content=b"x" * 5_000_000)
            assert (answer.status_code, answer.headers["x-oracle-hold"]) == (503, "1")
        holding.release()


def test_it_can_be_released(fronted: Site, hold: Hold) -> None:
    with hold(fronted) as holding:
        assert held(fronted)
        holding.release()
        assert (holding.held, holding.left()) == (False, 0.0)
        holding.release()
    assert not held(fronted)


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_an_exception_releases_it(fronted: Site, hold: Hold, kind: type[BaseException]) -> None:
    def carry() -> None:
        with hold(fronted):
            assert held(fronted)
            raise kind("in between")

    with pytest.raises(kind, match="in between"):
        carry()
    assert not held(fronted)


def test_the_first_error_wins(
    cloud: RunningCloud, workers: Workers, fronted: Site, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workersapi.client.RETRY_SECONDS", 0.5)

    def carry() -> None:
        with hold(fronted):
            fault(cloud, method="DELETE", path="*/secrets*", count=100, status=500)
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        carry()
    assert held(fronted)  # until its moment has come, at the latest
    workers.put_secret(fronted.name, "HOLD_UNTIL", "0")
    assert not held(fronted)


def test_it_ends_by_itself(fronted: Site, hold: Hold) -> None:
    with hold(fronted, 6.0) as holding:
        assert held(fronted)
        while holding.left():
            time.sleep(0.1)
    assert not held(fronted)


def test_without_such_a_script_nothing_is_held(cloud: RunningCloud, hold: Hold) -> None:
    with hold(Site(cloud, "nobody")) as holding:
        assert (holding.held, holding.began, holding.left()) == (False, None, 0.0)
        holding.release()


def test_a_worker_without_the_front_is_refused(workers: Workers, bare: Site, hold: Hold) -> None:
    with pytest.raises(WorkersApiError, match=r"with status 200.*so no data was moved.*pulumi up$"):
        hold(bare, wait=1.0).__enter__()
    assert set(workers.bindings(bare.name) or {}) == {"WORD", "KEY"}  # nothing is left of the try


def test_a_worker_out_of_reach_is_refused(workers: Workers, fronted: Site) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(WorkersApiError, match="it answers nothing"):
        WriteHold(workers, fronted.name, 60, url=nowhere, wait=1.0).__enter__()
    assert not held(fronted)


def test_an_outage_of_the_api_is_bridged(cloud: RunningCloud, fronted: Site, hold: Hold) -> None:
    for method in ("GET", "PUT", "DELETE"):
        fault(cloud, method=method, path="*/workers/scripts/*", count=2, status=503)
    with hold(fronted) as holding:
        assert held(fronted)
        holding.release()
    assert not held(fronted)


def test_no_request_is_lost_while_secrets_change(workers: Workers, bare: Site) -> None:
    host = bare.url.removeprefix("http://")
    with Load(bare.cloud.edge_url, host) as load:
        for turn in range(4):
            before = len(load.answers)
            workers.put_secret(bare.name, "TURN", str(turn))
            workers.delete_secret(bare.name, "TURN")
            assert len(load.answers) > before  # it went on meanwhile
    assert load.failures == []


def test_a_hold_loses_no_reads_and_refuses_writes_as_holds_only(fronted: Site, hold: Hold) -> None:
    host = fronted.url.removeprefix("http://")
    with Load(fronted.cloud.edge_url, host) as load, hold(fronted) as holding:
        holding.release()
    assert [failure for failure in load.failures if not failure.startswith('POST 503 {"error":"hold"')] == []
    assert load.failures  # writes came while it held
