"""The detection of drift: its author and its repair; an unreadable part is reported as unknown."""

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


def test_a_network_that_matches_its_state_has_no_drift() -> None:
    assert list(detect(scene(sight()))) == []
    assert list(unknown(scene(sight()))) == []


def test_a_secret_changed_by_hand_is_repaired_by_restoring_the_version() -> None:
    facts = worker(
        "api",
        deployments=(deployed("v2", LATER),),
        versions=(version(2, LATER, "secret"), version(1)),
        secrets={"v2": frozenset(), "v1": frozenset()},
    )
    found = only(scene(with_worker("api", facts)))
    assert (found.about, found.owner, found.remedy, found.version) == ("api", "by hand", "version", "v1")
    assert PASSWORD not in str(found)


def test_a_refreshed_state_with_a_manual_upload_still_accepts_our_version() -> None:
    """The state has the time of the other upload; the active version has the receipt's release."""
    versions = (version(2), version(1, "2026-11-22T08:00:00.000000Z"))
    facts = worker("api", deployments=(deployed("v1", LATER), deployed("v2")), versions=versions, lost_release=None)
    assert list(detect(scene(with_worker("api", facts)))) == []
    rolled_back = replace(facts, lost_release=MODULE)  # two of ours, with the same code and other secrets
    assert "was rolled back" in only(scene(with_worker("api", rolled_back))).what


def test_drift_that_the_engine_sees_is_repaired_by_an_update() -> None:
    found = only(scene(with_worker("web", worker("web", enabled=False))))
    assert (found.about, found.remedy) == ("web", "update")


def test_split_traffic_is_repaired_by_restoring_one_version() -> None:
    facts = worker(
        "web", deployments=(deployed("", LATER, v1=60.0, v2=40.0),), versions=(version(2, LATER), version(1))
    )
    found = only(scene(with_worker("web", facts)))
    assert (found.remedy, found.version) == ("version", "v1")


@pytest.mark.parametrize("cause, owner", [(None, "by hand"), ("MANUAL", "by hand"), ("MAINTENANCE", "the platform")])
def test_a_changed_app_is_repaired_by_a_replacement(cause: str | None, owner: str) -> None:
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


def test_a_missing_app_is_not_repaired_automatically() -> None:
    found = only(scene(sight(app=AppFacts(app=None))))
    assert (found.about, found.remedy) == ("backend", "none")
    assert found.next == "oracle up local"  # which is refused, and names the backup, where the app held records


def test_a_failed_deployment_is_not_repaired_while_another_one_serves() -> None:
    failed = AppFacts(app=app(), deployments=({"id": "d-2", "phase": "ERROR", "created_at": LATER},))
    assert only(scene(sight(app=failed))).remedy == "none"


def test_an_app_of_a_former_release_is_reported_as_left_behind() -> None:
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


def test_adopted_resources_are_compared_by_their_ids() -> None:
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
def test_every_part_that_could_not_be_read_is_reported(changes: dict[str, Any]) -> None:
    made = scene(sight())
    [sentence] = unknown(replace(made, **changes))
    assert sentence


def test_the_exit_status_is_1_for_drift_and_2_for_unknown() -> None:
    drift = Drift(about="api", what="x", owner="by hand", remedy="none", next="y")
    assert Report(stack="prod", drifts=(), unknown=()).exit_status == 0
    assert Report(stack="prod", drifts=(drift,), unknown=("z",)).exit_status == 1
    assert Report(stack="prod", drifts=(), unknown=("z",)).exit_status == 2


def test_the_test_data_matches_that_of_the_status_tests() -> None:
    assert outputs()["backendApp"] in ALONE.apps


ADDRESS = Occurrence(file="index.js", line=2, column=22, hostname="jellyfish-app-xml6o.ondigitalocean.app")


def test_code_with_the_backends_address_is_reported_and_not_repaired() -> None:
    found = only(scene(sight(backend_addresses={"api": (ADDRESS,), "web": (), "universe": ()})))
    assert (found.about, found.owner, found.remedy) == ("api", "the code", "none")
    assert "jellyfish-app-xml6o.ondigitalocean.app (index.js:2:22)" in found.what
    assert found.next == "oracle deploy api --stack local"


def test_unreadable_code_is_reported_as_unknown() -> None:
    unread: dict[str, None] = dict.fromkeys(("api", "web", "universe"))
    seen = sight(backend_addresses=unread)
    seen = replace(seen, workers={**seen.workers, "web": WorkerFacts(gone=True), "universe": TROUBLE})
    said = list(unknown(scene(seen)))
    assert "The code of oracle-universe-api could not be read." in said
    assert not [each for each in said if "The code of oracle-net " in each]  # it is gone, which is told of it
    assert not [each for each in said if "The code of oracle-universe-web " in each]  # nor was anything else of it


def test_an_empty_disk_is_repaired_by_an_update_only_without_known_records() -> None:
    known = Known(records={"posts": 28}, at=MADE, backup="kept")
    lost = Loss(app="jellyfish-app", since=LATER, now={}, known=known)
    found = only(scene(sight(loss=lost)))
    assert (found.owner, found.remedy, found.next) == ("the platform", "none", "oracle restore kept local")
    found = only(scene(sight(loss=replace(lost, known=replace(known, records={}, backup=None)))))
    assert (found.remedy, found.next) == ("update", "oracle up local")


def test_an_uptime_check_changed_by_hand_is_repaired_by_an_update() -> None:
    found = list(detect(scene(sight(checks=checks(enabled=False)))))
    assert [(each.about, each.remedy) for each in found] == [
        (name, "update") for name in ("backend", "api", "universe", "web")
    ]
    assert list(unknown(scene(sight(checks=None)))) == ["The account's uptime checks were not listed."]
