"""The backend: each cause named once, with the command that puts it right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cli.status.clouds import AppFacts
from cli.status.collect import Observations
from cli.status.diagnose import Diagnosis, diagnose
from settings.backend import AdoptedApp
from storage.backups.loss import Known, Loss
from tests.unit.status import scene
from tests.unit.status.scene import LATER, MADE, REAL, answer, blamed, judged, sight, with_write_gate

DEAD = answer(status=503)
WAITING = answer({"status": "degraded", "backend": {"status": "away"}}, 503)


def with_app(newest: dict[str, Any] | None = None, **changed: Any) -> Observations:
    app = scene.app(**changed)
    facts = AppFacts(app=app, deployments=(newest or app["active_deployment"],), cost=5.0)
    return sight(app=facts)


def running(spec: dict[str, Any]) -> Observations:
    return with_app(active_deployment={"id": "d-2", "phase": "ACTIVE", "created_at": LATER, "spec": spec})


def test_a_backend_that_is_down_is_the_only_cause() -> None:
    seen = with_write_gate("api", WAITING, with_write_gate("backend", DEAD, sight(admin=None)))
    about, level, what, next = blamed(seen)
    assert (about, level) == ("backend", "down")
    assert what == "The backend does not serve: status 503 at https://app.example.org."
    assert next == "oracle cloud logs --stack local"
    assert blamed(seen, REAL)[3] == "doctl apps logs app-1 --type run"
    backend, api, web, _ = judged(seen).services
    assert (backend.level, api.level, web.level) == ("down", "degraded", "healthy")
    assert (api.because, web.because) == ("backend", None)


def test_a_hanging_backend_is_reported_with_the_timeout() -> None:
    assert "no answer in 5 s" in blamed(with_write_gate("backend", scene.HUNG, sight(admin=None)))[2]


def test_a_missing_app_is_the_only_cause() -> None:
    seen = with_write_gate(
        "api", WAITING, with_write_gate("backend", answer(status=404), sight(app=AppFacts(), admin=False))
    )
    about, level, what, next = blamed(seen)
    assert (about, level, next) == ("backend", "down", "oracle up local")
    assert what.startswith("The app jellyfish-app was deleted outside Pulumi, and its data with it.")
    assert "an update is refused and names the backup to restore" in what
    row = judged(seen).services[0]
    assert (row.phase, row.admin, row.version) == ("gone", None, None)


def test_a_pinned_rollback_is_the_only_cause() -> None:
    old = {"id": "d-1", "phase": "ACTIVE", "created_at": LATER, "spec": scene.spec("sha256:" + "9" * 64)}
    seen = with_app(active_deployment=old, pinned_deployment=old)
    about, level, what, next = blamed(seen)
    assert (about, level) == ("backend", "degraded")
    assert "rolled jellyfish-app back at 2026-11-22T11:00, and it is pinned" in what
    assert next == "oracle drift local --repair"
    row = judged(seen).services[0]
    assert (row.phase, row.pinned) == ("pinned", True)


def test_a_failed_deployment_degrades_a_backend_that_still_serves() -> None:
    failed = {"id": "d-2", "phase": "ERROR", "created_at": LATER}
    about, level, what, _ = blamed(with_app(newest=failed))
    assert (about, level) == ("backend", "degraded")
    assert "ended with ERROR (2026-11-22T11:00). The one before it is still active" in what


def test_an_app_without_an_active_deployment_is_reported() -> None:
    seen = with_write_gate("backend", DEAD, with_app(newest={"id": "d", "phase": "BUILDING"}, active_deployment=None))
    assert "has no active deployment" in blamed(seen)[2]


def test_a_deployment_in_progress_is_a_note() -> None:
    found = judged(with_app(in_progress_deployment={"id": "d-2", "phase": "DEPLOYING"}))
    assert found.findings == ()
    assert found.notes == ("A deployment of the backend is running (DEPLOYING).",)


@pytest.mark.parametrize(
    "spec, said",
    [
        (scene.spec("sha256:" + "9" * 64), "RELEASE is 999999999999, not 111111111111"),
        (scene.spec(envs=[]), "RELEASE is missing"),
        (scene.spec(health_check={"http_path": "/"}), "its health check asks /, not /api/health"),
        (scene.spec() | {"envs": [*scene.spec()["envs"], {"key": "TOKEN", "type": "SECRET"}]}, "TOKEN was added"),
        (scene.spec(instance_size_slug="basic-s"), "instance_size_slug is basic-s, not basic-xxs"),
        (scene.spec(instance_count=2), "instance_count is 2, not 1"),
        (scene.spec(image={"digest": "sha256:" + "9" * 64}), "its image is 999999999999"),
        (scene.spec() | {"envs": []}, "PB_ADMIN_EMAIL is missing, PB_ADMIN_PASSWORD is missing"),
        (scene.spec() | {"envs": [{"key": "PB_ADMIN_PASSWORD", "value": "x"}]}, "PB_ADMIN_PASSWORD is in plain text"),
    ],
)
def test_only_the_declared_parts_of_the_app_spec_are_compared(spec: dict[str, Any], said: str) -> None:
    about, level, what, next = blamed(running(spec))
    assert (about, level, next) == ("backend", "degraded", "oracle drift local --repair")
    assert said in what


def test_encrypted_values_are_not_drift() -> None:
    spec = scene.spec()
    for number, env in enumerate(spec["envs"]):
        env["value"] = f"EV[1:other{number}:ciphertext]"
    assert judged(running(spec)).findings == ()


def test_the_backends_own_version_text_is_shown_and_not_compared() -> None:
    seen = with_write_gate("backend", answer({"version": "0.36.0", "commit": "1f2e3d4"}))
    assert judged(seen).findings == ()
    row = judged(seen).services[0]
    assert (row.version, row.says) == (scene.IMAGE, "version 0.36.0, commit 1f2e3d4")


def test_a_refused_login_is_blamed_on_the_backend() -> None:
    seen = sight(admin=False)
    assert blamed(seen) == ("backend", "degraded", "The backend refuses its admin's login.", "oracle up local")


def test_a_required_second_factor_is_named_as_the_cause() -> None:
    seen = sight(admin=None, second_factor=True)
    about, _, what, next = blamed(seen)
    assert about == "backend"
    assert "requires a second factor (MFA)" in what
    assert "The password is right. Switch MFA off" in what
    assert next == ("oracle console backend --yes --stack local -- ./oracle-universe superuser otp admin@example.org")


def test_a_backend_that_refuses_writes_is_degraded() -> None:
    for state in ("moving", "ended"):
        about, level, what, next = blamed(sight(freeze=state, admin=False))
        assert (about, level) == ("backend", "degraded")
        assert what.startswith("The backend refuses writes: its data is being migrated, or an update")
        assert next == "oracle up local"


def test_a_backend_that_writes_to_deleted_files_is_degraded() -> None:
    """A new app saves the data that exists only in memory; a restart would lose it."""
    about, level, what, next = blamed(sight(deleted_files=("data.db-shm", "data.db-wal")))
    assert (about, level) == ("backend", "degraded")
    assert "deleted files (data.db-shm and data.db-wal)" in what
    assert next.startswith("pulumi config set oracle-net:replacement 2 --stack local && ")


def test_secrets_of_the_app_are_shown_by_name_and_age_only() -> None:
    row = judged(sight()).services[0]
    assert [(each.name, each.present, each.since) for each in row.secrets] == [
        ("PB_ADMIN_EMAIL", True, MADE),
        ("PB_ADMIN_PASSWORD", True, MADE),
    ]
    assert (row.usd_per_month, row.since, row.runs) == (5.0, MADE, "d-1")


def lost(**changed: Any) -> Loss:
    known = Known(records={"posts": 28}, at=MADE, backup="kept")
    return replace(Loss(app="jellyfish-app", since=LATER, now={}, known=known), **changed)


def test_an_empty_disk_is_down_and_its_fix_is_a_restore() -> None:
    found = judged(sight(loss=lost(), admin=False))
    assert [(each.about, each.level) for each in found.findings] == [("backend", "down")]
    assert found.findings[0].what.startswith("jellyfish-app is empty since 2026-11-22T11:00Z")
    assert "it had 28 records (28 posts)" in found.findings[0].what
    assert "oracle wipe local" in found.findings[0].what
    assert found.findings[0].next == "oracle restore kept local"
    assert found.services[0].level == "down"


def test_an_empty_disk_is_reported_before_other_changes() -> None:
    seen = running(scene.spec(instance_size_slug="basic-s"))
    assert blamed(replace(seen, loss=lost()))[1] == "down"


def test_an_empty_disk_without_a_backup_is_reported() -> None:
    gone = lost(known=Known(records={"posts": 28}, at=MADE, backup=None))
    _, level, what, next = blamed(sight(loss=gone))
    assert (level, next) == ("down", "oracle backups local")
    assert "No stored backup has these records." in what


def test_an_empty_disk_without_known_records_is_fixed_by_an_update() -> None:
    nothing = lost(known=Known(records={}, at=MADE, backup=None))
    about, level, what, next = blamed(sight(loss=nothing, admin=False))
    assert (about, level, next) == ("backend", "degraded", "oracle up local")
    assert "was replaced at 2026-11-22T11:00Z by one with an empty disk" in what


CPU = {"rule": "CPU_UTILIZATION", "operator": "GREATER_THAN", "value": 80.0, "window": "FIVE_MINUTES"}
GITHUB = {"repo": "Team/backend", "branch": "main"}


def with_alerts(*declared: dict[str, Any], **spec: Any) -> str:
    """What is said of an app whose spec has these alerts, of which others are declared."""
    made = {**scene.spec(), **spec}
    active = {"id": "d-1", "phase": "ACTIVE", "created_at": MADE, "spec": scene.spec()}
    known = scene.declared()
    assert known.app is not None
    known = replace(known, app=replace(known.app, alerts=declared))
    seen = diagnose(scene.SETTINGS, known, with_app(spec=made, active_deployment=active), scene.LOCAL, scene.NOW)
    return " ".join(each.what for each in seen.findings)


def test_alerts_are_compared_by_rule() -> None:
    failed = {"rule": "DEPLOYMENT_FAILED", "disabled": False}
    assert with_alerts() == ""
    assert with_alerts(failed, alerts=[{"rule": "DEPLOYMENT_FAILED"}]) == ""
    assert "the alert DEPLOYMENT_FAILED was added" in with_alerts(alerts=[{"rule": "DEPLOYMENT_FAILED"}])
    assert "the alert DEPLOYMENT_FAILED is missing" in with_alerts(failed)
    service = {**scene.spec()["services"][0], "alerts": [{**CPU, "value": 80}]}
    assert with_alerts(CPU, services=[service]) == ""
    assert "the alert CPU_UTILIZATION differs" in with_alerts({**CPU, "value": 90.0}, services=[service])


def test_an_app_built_from_a_repository_after_a_release_is_drift() -> None:
    made = scene.spec(github=GITHUB)
    del made["services"][0]["image"]
    about, level, what, next = blamed(running(made))
    assert (about, level, next) == ("backend", "degraded", "oracle drift local --repair")
    assert "it is built from github.com/Team/backend, branch main, and not from its image 111111111111" in what


def by_hand(**github: Any) -> Diagnosis:
    """An adopted app that App Platform builds."""
    service = {"name": "oracle-universe-backend", "github": {**GITHUB, **github}}
    spec = {"name": "jellyfish-app", "services": [service]}
    built = [{"name": "oracle-universe-backend", "source_commit_hash": "9a4df0b8e161e323bc3cdf1dc71878080fe144fa"}]
    active = {"id": "d-1", "phase": "ACTIVE", "created_at": MADE, "spec": spec, "services": built}
    adopted = AdoptedApp(app="app-12345678", deployment="dep-12345678")
    backend = scene.SETTINGS.backend.model_copy(update={"adopted": adopted})
    known = scene.declared()
    release: Any = {**known.outputs.release, "backend": "adopted:d-1"}
    known = replace(known, outputs=replace(known.outputs, release=release))
    settings = scene.SETTINGS.model_copy(update={"backend": backend})
    return diagnose(settings, known, with_app(spec=spec, active_deployment=active), scene.LOCAL, scene.NOW)


def test_an_adopted_app_built_from_a_repository_is_a_note() -> None:
    found = by_hand()
    assert found.findings == ()
    [note] = found.notes
    assert note.startswith("jellyfish-app is built from github.com/Team/backend, branch main at commit 9a4df0b, by App")
    assert note.endswith("Its first release from here runs an image.")


def test_an_adopted_app_with_deploy_on_push_is_degraded() -> None:
    [found] = by_hand(deploy_on_push=True).findings
    assert (found.about, found.level, found.next) == ("backend", "degraded", "oracle adopt local")
    assert "a push to github.com/Team/backend, branch main deploys it (deploy_on_push)" in found.what
