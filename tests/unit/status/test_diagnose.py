"""Causes outside the services: tokens, clouds, the network, backups, certificates."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cli.status.certificates import Certificate
from cli.status.checks import Check
from cli.status.clouds import AppFacts, CloudTrouble, Why
from cli.status.diagnose import diagnose
from cli.status.model import Backups
from errors import First, Remedy, UserError
from settings import ReceiptSettings
from tests.unit.status import scene
from tests.unit.status.scene import LOCAL, NOW, REAL, answer, blamed, judged, sight

TOKEN = CloudTrouble(why="token", text="DigitalOcean refused GET /v2/apps/x: Unable to authenticate you (status 401)")


@pytest.mark.parametrize(
    "why, said, next",
    [
        (
            "token",
            "refuses the token in DIGITALOCEAN_TOKEN: it is wrong, expired or revoked. Put another one into .envrc.",
            "direnv allow",
        ),
        ("no token", "DIGITALOCEAN_TOKEN is not set, so DigitalOcean's API was not asked", 'eval "$(oracle env prod)"'),
        ("failing", "DigitalOcean's API fails", "oracle status --stack prod"),
        ("unreachable", "does not answer", "oracle status --stack prod"),
        ("late", "does not answer", "oracle status --stack prod"),
    ],
)
def test_a_problem_of_an_api_is_explained(why: Why, said: str, next: str) -> None:
    text = "DIGITALOCEAN_TOKEN is not set" if why == "no token" else "DigitalOcean's API does not answer"
    found = blamed(sight(app=CloudTrouble(why=why, text=text)), REAL)
    assert found[:2] == ("digitalocean", "degraded")
    assert said in found[2]
    assert found[3] == next


@pytest.mark.parametrize("pending, found", [(False, ["backend"]), (True, [])])
def test_an_old_app_that_no_update_deleted_degrades_the_network(pending: bool, found: list[str]) -> None:
    """An update that still runs deletes it at its end."""
    declared = replace(scene.declared(), undeleted=("old-app",), pending=pending)
    findings = diagnose(scene.SETTINGS, declared, sight(), REAL, NOW).findings
    assert [each.about for each in findings] == found
    for each in findings:
        assert each.what == "old-app was replaced, but it is not deleted yet: the last update failed before its end."
        assert (each.level, each.next) == ("degraded", "pulumi up --stack prod")


def test_two_refused_tokens_are_two_findings_and_blame_no_service() -> None:
    found = judged(sight(app=TOKEN, workers=dict.fromkeys(scene.NAMES, replace(TOKEN, text="no"))))
    assert [each.about for each in found.findings] == ["digitalocean", "cloudflare"]
    assert {each.level for each in found.services} == {"healthy"}


def test_without_a_network_only_the_network_is_blamed() -> None:
    silent = CloudTrouble(why="unreachable", text="does not answer")
    health_answers = dict.fromkeys(
        sight().health_answers, replace(scene.REFUSED, trouble="unknown host", detail="unknown host")
    )
    seen = sight(app=silent, workers=dict.fromkeys(scene.NAMES, silent), health_answers=health_answers, admin=None)
    assert blamed(seen, REAL)[:2] == ("network", "down")
    assert "no network" in blamed(seen, REAL)[2]
    assert blamed(seen, LOCAL)[3] == "oracle cloud start --stack local"
    assert {each.because for each in judged(seen).services} == {"network"}


def test_missing_tokens_and_no_answers_mean_that_the_network_is_down() -> None:
    nothing = CloudTrouble(why="no token", text="CLOUDFLARE_API_TOKEN is not set")
    unknown = CloudTrouble(why="unknown", text="the state cannot be read")
    health_answers = dict.fromkeys(sight().health_answers, scene.HUNG)
    seen = sight(app=unknown, workers=dict.fromkeys(scene.NAMES, nothing), health_answers=health_answers, admin=None)
    assert blamed(seen, REAL)[0] == "network"


def test_an_interrupted_update_is_a_note() -> None:
    declared = replace(scene.declared(), pending=True)
    found = diagnose(scene.SETTINGS, declared, sight(), LOCAL, NOW)
    assert found.findings == ()
    assert found.notes[0].endswith("If it was killed, run `oracle recover local`.")


def test_a_receipt_that_is_not_deployed_yet_is_a_note() -> None:
    release = scene.outputs()["release"]
    for receipt, noted in ((release, False), ({**release, "commits": {"api": "c" * 40}}, False)):
        settings = scene.SETTINGS.model_copy(update={"receipt": ReceiptSettings.model_validate(receipt)})
        assert bool(diagnose(settings, scene.declared(), sight(), REAL, NOW).notes) is noted
    other = ReceiptSettings.model_validate({**release, "backend": f"sha256:{'e' * 64}"})
    settings = scene.SETTINGS.model_copy(update={"receipt": other})
    assert diagnose(settings, scene.declared(), sight(), REAL, NOW).notes == (
        "The receipt names another release than the one that is deployed. To deploy it, run `pulumi up --stack prod`.",
    )


def test_the_network_is_not_blamed_while_services_answer() -> None:
    silent = CloudTrouble(why="unreachable", text="does not answer")
    found = judged(sight(app=silent, workers=dict.fromkeys(scene.NAMES, silent)))
    assert [(each.about, each.level) for each in found.findings] == [
        ("digitalocean", "degraded"),
        ("cloudflare", "degraded"),
    ]


def test_the_network_is_not_blamed_when_only_one_cloud_is_silent() -> None:
    silent = CloudTrouble(why="unreachable", text="does not answer")
    found = judged(sight(app=silent, health_answers=dict.fromkeys(sight().health_answers, scene.HUNG), admin=None))
    assert found.findings[0].about == "digitalocean"
    assert {each.about for each in found.findings[1:]} == {"backend", "web", "universe"}


def test_the_network_is_not_blamed_while_a_cloud_answers() -> None:
    health_answers = dict.fromkeys(sight().health_answers, scene.HUNG)
    found = judged(sight(health_answers=health_answers, admin=None)).findings
    assert {each.about for each in found} == {"backend", "web", "universe"}  # the api may hang for the backend's sake


def test_old_or_missing_backups_are_reported() -> None:
    old = Backups(where="x", count=2, newest="b", at=(NOW - timedelta(days=3)).isoformat())
    assert blamed(sight(backups=old)) == (
        "backups",
        "degraded",
        "The newest backup is 3 days old.",
        "oracle backup local",
    )
    none = Backups(where="x", count=0, newest=None, at=None)
    assert judged(sight(backups=none)).findings == ()
    made = scene.app(created_at=(NOW - timedelta(days=2)).isoformat())
    facts = AppFacts(app=made, deployments=(made["active_deployment"],))
    assert blamed(sight(backups=none, app=facts))[2].startswith("There is no backup")


def test_a_problem_of_the_store_is_a_finding_with_its_first_command() -> None:
    unread = Backups(where="s3://x", count=None, newest=None, at=None)
    refused = UserError("The bucket x refuses the key.", First("set another"), Remedy.MAKE_BACKUP_KEY)
    found = blamed(sight(backups=unread, complaints=(refused,)))
    assert found[2:] == ("The bucket x refuses the key.", "oracle backups local --new-key")
    unreadable = UserError("b.json cannot be read.", cause="Permission denied")
    found = blamed(sight(backups=unread, complaints=(unreadable,)))
    assert found[2:] == ("b.json cannot be read: Permission denied.", "oracle backups local")


def test_a_certificate_that_ends_soon_is_reported() -> None:
    soon = Certificate(ends=(NOW + timedelta(days=5)).isoformat())
    late = Certificate(ends=(NOW + timedelta(days=50)).isoformat())
    found = blamed(sight(certificates={"web": soon, "api": late}))
    assert found[0] == "web"
    assert found[2] == "The certificate of https://web.example.org ends in 5 days and was not renewed."
    rows = judged(sight(certificates={"web": soon})).services
    assert [each.certificate for each in rows] == [None, None, None, soon.ends]


def test_without_a_state_the_services_that_answer_are_shown() -> None:
    seen = sight(app=CloudTrouble(why="unknown", text="unknown"))
    found = diagnose(scene.SETTINGS, None, seen, LOCAL, NOW)
    assert found.findings == ()
    assert [each.name for each in found.services] == ["api", "universe", "web"]
    broken = replace(seen, health_answers={**seen.health_answers, "web": answer(status=500)})
    assert [each.about for each in diagnose(scene.SETTINGS, None, broken, LOCAL, NOW).findings] == ["web"]


@pytest.mark.parametrize(
    "found, what",
    [
        (scene.checks()[1:], "No uptime check watches https://app.example.org/api/health"),
        (
            (replace(scene.checks()[0], enabled=False), *scene.checks()[1:]),
            "check of https://app.example.org/api/health was",
        ),
        ((replace(scene.checks()[0], regions=frozenset({"se_asia"})), *scene.checks()[1:]), "asks from se_asia, not"),
    ],
)
def test_an_uptime_check_changed_by_hand_is_reported(found: tuple[Check, ...], what: str) -> None:
    about, level, said, next = scene.blamed(scene.sight(checks=found))
    assert (about, level, next) == ("backend", "degraded", "oracle up local")
    assert what in said


def test_undeclared_or_unlisted_uptime_checks_are_no_finding() -> None:
    assert scene.judged(scene.sight(checks=None)).findings == ()
    nothing = scene.SETTINGS.model_copy(update={"monitoring": None})
    assert diagnose(nothing, scene.declared(), scene.sight(checks=()), scene.LOCAL, NOW).findings == ()
