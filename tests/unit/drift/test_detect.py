"""What counts as drift, who made it, and what puts it right; what could not be seen is never "no drift"."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from artifacts.addresses import Occurrence
from cli.adopt import LiveResources
from cli.adopt.discover import Domain
from cli.drift import Drift, Report
from cli.drift.detect import Observed, detect, unknown
from cli.status.clouds import AppFacts, CloudTrouble, WorkerFacts
from cli.status.collect import Observations
from settings import DomainSettings, Settings
from stack_outputs import ADOPTED, Release
from storage.backups.loss import Known, Loss
from tests.support.stacks import configured_worker
from tests.unit.status.scene import (
    LATER,
    LOCAL,
    MADE,
    MODULE,
    PASSWORD,
    SETTINGS,
    app,
    bindings,
    checks,
    declared,
    deployed,
    outputs,
    sight,
    spec,
    version,
    with_worker,
    worker,
)

ZONE = "1" * 32
TROUBLE = CloudTrouble(why="failing", text="it fails")
ALONE = LiveResources(app=None, apps=("jellyfish-app", "somebody-elses"), workers={}, domains=())


def scene(seen: Observations, **changes: Any) -> Observed:
    made = Observed(settings=SETTINGS, declared=declared(), observations=seen, live=ALONE, commands=LOCAL)
    return replace(made, **changes)


def only(made: Observed) -> Drift:
    [found] = detect(made)
    return found


def with_app(**changed: Any) -> Observations:
    facts = AppFacts(app=app(**changed), deployments=({"id": "d-1", "phase": "ACTIVE", "created_at": MADE},))
    return sight(app=facts)


def active(cause: str | None = None, **service: Any) -> dict[str, Any]:
    details = {"cause_details": {"type": cause}} if cause else {}
    return {"id": "d-2", "phase": "ACTIVE", "created_at": LATER, "spec": spec(**service), **details}


def test_a_network_as_declared_has_no_drift() -> None:
    assert list(detect(scene(sight()))) == []
    assert list(unknown(scene(sight()))) == []


def test_a_secret_that_was_changed_gives_the_traffic_back() -> None:
    facts = worker(
        "api",
        deployments=(deployed("v2", LATER),),
        versions=(version(2, LATER, "secret"), version(1)),
        secrets={"v2": frozenset(), "v1": frozenset()},
    )
    found = only(scene(with_worker("api", facts)))
    assert (found.about, found.owner, found.remedy, found.version) == ("api", "by hand", "version", "v1")
    assert PASSWORD not in str(found)


def test_a_version_of_ours_stays_ours_after_a_refresh_has_taken_over_an_upload_by_hand() -> None:
    """The state knows the time of the other upload; the active version calls itself what the receipt says."""
    versions = (version(2), version(1, "2026-11-22T08:00:00.000000Z"))
    facts = worker("api", deployments=(deployed("v1", LATER), deployed("v2")), versions=versions, lost_release=None)
    assert list(detect(scene(with_worker("api", facts)))) == []
    rolled_back = replace(facts, lost_release=MODULE)  # two of ours, with the same code and other secrets
    assert "was rolled back" in only(scene(with_worker("api", rolled_back))).what


def test_what_the_engine_sees_is_put_right_by_an_update() -> None:
    found = only(scene(with_worker("web", worker("web", enabled=False))))
    assert (found.about, found.remedy) == ("web", "update")


def test_shared_traffic_goes_back_to_one_version() -> None:
    facts = worker(
        "web", deployments=(deployed("", LATER, v1=60.0, v2=40.0),), versions=(version(2, LATER), version(1))
    )
    found = only(scene(with_worker("web", facts)))
    assert (found.remedy, found.version) == ("version", "v1")


@pytest.mark.parametrize("cause, owner", [(None, "by hand"), ("MANUAL", "by hand"), ("MAINTENANCE", "the platform")])
def test_an_app_that_is_another_is_replaced_with_its_data(cause: str | None, owner: str) -> None:
    found = only(scene(with_app(active_deployment=active(cause, instance_size_slug="basic-xl"))))
    assert (found.about, found.owner, found.remedy) == ("backend", owner, "replacement")
    assert found.next == "oracle drift local --repair"


def test_variables_of_the_app_are_compared_by_name() -> None:
    known = declared()
    assert known.app is not None
    known = replace(known, app=replace(known.app, variables={"RELEASE": "x", "MODE": "a", "GONE": "b"}))
    running = spec()
    running["services"][0]["envs"] += [{"key": "MODE", "value": "private-value"}, {"key": "MORE", "value": "c"}]
    seen = with_app(active_deployment={**active(), "spec": running})
    found = only(scene(seen, declared=known))
    for words in ("the variable GONE is missing", "the variable MODE has another value", "the variable MORE was added"):
        assert words in found.what
    assert "private-value" not in found.what


def test_an_app_that_is_gone_is_not_repaired_without_a_person() -> None:
    found = only(scene(sight(app=AppFacts(app=None))))
    assert (found.about, found.remedy) == ("backend", "none")
    assert found.next == "oracle up local"  # which is refused, and names the backup, where the app held records


def test_a_failed_deployment_beside_what_serves_is_left_to_a_person() -> None:
    failed = AppFacts(app=app(), deployments=({"id": "d-2", "phase": "ERROR", "created_at": LATER},))
    assert only(scene(sight(app=failed))).remedy == "none"


def test_an_app_left_behind_is_told_from_somebody_elses() -> None:
    live = replace(ALONE, apps=("jellyfish-app", "jellyfish-app-g1-r2", "jellyfish-app-shop", "other"))
    found = only(scene(sight(), live=live))
    assert (found.owner, found.remedy) == ("left behind", "none")
    assert "jellyfish-app-g1-r2" in found.what


def with_domain() -> Settings:
    domain = DomainSettings(hostname="oraclenet.org", zone_id=ZONE)
    return configured_worker(SETTINGS, "web", domain=domain)


@pytest.mark.parametrize(
    "domains, words, remedy",
    [
        ((), "oraclenet.org leads to no Worker", "update"),
        (("oraclenet.org", "other"), "oraclenet.org leads to other", "update"),
        (("more.org", "oracle-universe-web"), "more.org leads to oracle-universe-web and is not declared", "none"),
    ],
)
def test_domains_are_compared(domains: tuple[str, ...], words: str, remedy: str) -> None:
    listed = [Domain(id="d", hostname=domains[0], zone_id=ZONE, script=domains[1])] if domains else []
    settings = SETTINGS if "more.org" in domains else with_domain()
    seen = sight(domains={each.hostname: each.script for each in listed})
    found = only(scene(seen, settings=settings, live=replace(ALONE, domains=tuple(listed))))
    assert words in found.what
    assert found.remedy == remedy


def test_what_was_adopted_is_compared_by_its_ids() -> None:
    known = declared()
    runs = known.outputs.release
    by_hand = Release(
        backend=f"{ADOPTED}d-1",
        workers={**runs["workers"], "api": f"{ADOPTED}v1"},
        assets=runs["assets"],
        commits=runs["commits"],
    )
    known = replace(known, outputs=replace(known.outputs, release=by_hand))
    own = worker("api", bindings=bindings("api", RELEASE="1.4.2"), etag="other")
    assert list(detect(scene(with_worker("api", own), declared=known))) == []
    other = replace(own, deployments=(deployed("v2", LATER),), versions=(version(2, LATER), version(1)))
    found = only(scene(with_worker("api", other), declared=known))
    assert (found.remedy, found.version) == ("version", "v1")
    moved = with_app(active_deployment=active())
    found = only(scene(moved, declared=known))
    assert "not the adopted" in found.what


@pytest.mark.parametrize(
    "changes",
    [
        {"observations": sight(app=CloudTrouble(why="failing", text="status 500"))},
        {"observations": with_worker("web", CloudTrouble(why="late", text="too slow"))},
        {"live": None},
        {"declared": replace(declared(), sealed="The passphrase is wrong")},
    ],
)
def test_what_was_not_seen_is_said(changes: dict[str, Any]) -> None:
    made = scene(sight())
    [sentence] = unknown(replace(made, **changes))
    assert sentence


def test_exit_status() -> None:
    drift = Drift(about="api", what="x", owner="by hand", remedy="none", next="y")
    assert Report(stack="prod", drifts=(), unknown=()).exit_status == 0
    assert Report(stack="prod", drifts=(drift,), unknown=("z",)).exit_status == 1
    assert Report(stack="prod", drifts=(), unknown=("z",)).exit_status == 2


def test_the_scene_is_the_one_of_status() -> None:
    assert outputs()["backendApp"] in ALONE.apps


ADDRESS = Occurrence(file="index.js", line=2, column=22, hostname="jellyfish-app-xml6o.ondigitalocean.app")


def test_code_with_the_backends_address_in_it_is_told_and_not_repaired() -> None:
    found = only(scene(sight(backend_addresses={"api": (ADDRESS,), "web": (), "universe": ()})))
    assert (found.about, found.owner, found.remedy) == ("api", "the code", "none")
    assert "jellyfish-app-xml6o.ondigitalocean.app (index.js:2:22)" in found.what
    assert found.next == "oracle deploy api --stack local"


def test_code_that_could_not_be_read_is_not_no_drift() -> None:
    unread: dict[str, None] = dict.fromkeys(("api", "web", "universe"))
    seen = sight(backend_addresses=unread)
    seen = replace(seen, workers={**seen.workers, "web": WorkerFacts(gone=True), "universe": TROUBLE})
    said = list(unknown(scene(seen)))
    assert "The code of oracle-universe-api could not be read." in said
    assert not [each for each in said if "The code of oracle-net " in each]  # it is gone, which is told of it
    assert not [each for each in said if "The code of oracle-universe-web " in each]  # nor was anything else of it


def test_an_empty_disk_is_left_to_a_person_and_a_new_one_without_records_to_an_update() -> None:
    known = Known(records={"posts": 28}, at=MADE, backup="kept")
    lost = Loss(app="jellyfish-app", since=LATER, now={}, known=known)
    found = only(scene(sight(loss=lost)))
    assert (found.owner, found.remedy, found.next) == ("the platform", "none", "oracle restore kept local")
    found = only(scene(sight(loss=replace(lost, known=replace(known, records={}, backup=None)))))
    assert (found.remedy, found.next) == ("update", "oracle up local")


def test_an_uptime_check_changed_by_hand_is_put_right_by_an_update() -> None:
    found = list(detect(scene(sight(checks=checks(enabled=False)))))
    assert [(each.about, each.remedy) for each in found] == [
        (name, "update") for name in ("backend", "api", "universe", "web")
    ]
    assert list(unknown(scene(sight(checks=None)))) == ["The account's uptime checks were not listed."]
