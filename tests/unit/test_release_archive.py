"""The release archive as a resource: every update writes it, completely, and notices when the store has lost it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.release_archive import ReleaseArchiveProvider
from errors import Fix, UserError
from stack_outputs import ADOPTED
from storage.backups import AuditLog, Entry, Folder
from storage.releases import items, named
from storage.releases.store import ReleaseStore
from tests.support.owners import owner
from tests.unit import program

OWNER = owner("unit")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "services").symlink_to(program.PROJECT / "services")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def declared(**config: str) -> dict[str, Any]:
    """The resource's properties, after a run of the program that has left the bytes on this machine."""
    run = program.run({**program.config_of("local"), **config})
    return dict(program.plain(run.one("release-archive").inputs))


def keep(project: Path) -> ReleaseStore:
    return ReleaseStore(Folder(project / ".oracle/backups"), OWNER)


def created(props: dict[str, Any]) -> dict[str, Any]:
    return dict(ReleaseArchiveProvider().create(props).outs or {})


def test_an_update_archives_everything_that_it_deploys(project: Path) -> None:
    props = declared()
    wanted = items(named(props["release"]), packed=True)
    assert {item.kind for item in wanted} == {"module", "assets", "image"}
    assert created(props)["lacking"] == []
    assert keep(project).lacks(wanted) == []
    (ran,) = keep(project).ran()
    assert (ran.release, ran.packed) == (props["release"], True)


def test_the_archive_changes_only_when_bytes_differ_or_are_lost(project: Path) -> None:
    props = declared()
    olds = created(props)
    assert not ReleaseArchiveProvider().diff("", olds, props).changes
    commits = {**props, "release": {**props["release"], "commits": {}}, "count": 20}
    assert not ReleaseArchiveProvider().diff("", olds, commits).changes
    other = {**props, "release": {**props["release"], "backend": f"sha256:{'a' * 64}"}}
    assert ReleaseArchiveProvider().diff("", olds, other).changes
    moved = {**props, "backup_config": {**props["backup_config"], "store": "folder:elsewhere"}}
    assert ReleaseArchiveProvider().diff("", olds, moved).changes
    first = items(named(props["release"]), packed=True)[0]
    (project / ".oracle/backups" / str(OWNER) / "releases" / first.name).unlink()
    assert ReleaseArchiveProvider().diff("", olds, props).changes
    ReleaseArchiveProvider().update("", olds, props)
    assert not ReleaseArchiveProvider().diff("", olds, props).changes
    assert len(keep(project).ran()) == 1


def test_an_unreachable_store_is_no_change_but_fails_the_update(project: Path) -> None:
    props = declared()
    olds = created(props)
    broken = {**props["backup_config"], "store": "s3://nobody-is-there/x", "endpoint": "http://127.0.0.1:9"}
    assert (
        not ReleaseArchiveProvider()
        .diff("", {**olds, "backup_config": broken}, {**props, "backup_config": broken})
        .changes
    )
    with pytest.raises(UserError, match=r"^Everything is deployed, but its bytes could not be archived: .*") as caught:
        ReleaseArchiveProvider().update("", olds, {**props, "backup_config": broken})
    assert caught.value.helps == (Fix("export AWS_ACCESS_KEY_ID=KEY AWS_SECRET_ACCESS_KEY=SECRET"),)


def test_bytes_of_services_that_are_not_deployed_may_be_missing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    props = declared()
    lost = {**props, "release": {**props["release"], "assets": {**props["release"]["assets"], "web": "a" * 64}}}
    outs = created(lost)
    assert outs["lacking"] == [f"assets/{'a' * 64}"]
    assert capsys.readouterr().out == (
        "Not archived, because this update does not deploy it: the files of web (aaaaaaaaaaaa). To archive it, run "
        "`oracle deploy --stack unit`.\n"
    )
    assert not ReleaseArchiveProvider().diff("", outs, lost).changes


def test_old_releases_are_deleted_except_images_of_the_audit_log(project: Path) -> None:
    props = {**declared(), "count": 2}
    first = items(named(props["release"]), packed=True)
    ReleaseArchiveProvider().create(props)
    entry: dict[str, Any] = dict.fromkeys(("migrated", "backup", "from_generation", "from_release"))
    at = "2026-01-01T00:00:00Z"
    image = props["release"]["backend"]
    AuditLog(keep(project).store, OWNER).add(
        Entry(at=at, kind="first", who="ada", records={}, to_generation=1, to_release=image, **entry)
    )
    for digit in "123":
        digest = digit * 64
        release = {
            "backend": f"sha256:{digest}",
            "workers": dict.fromkeys(("api", "web", "universe"), digest),
            "assets": dict.fromkeys(("web", "universe"), digest),
            "commits": {},
        }
        ReleaseArchiveProvider().update("", props, {**props, "release": release})
    assert len(keep(project).ran()) == 2
    assert [item.kind for item in first if item not in keep(project).lacks(first)] == ["image"]


def test_the_number_of_archived_releases_is_configurable(project: Path) -> None:
    assert declared(**{"oracle-net:keepReleases": "3"})["count"] == 3
    assert json.dumps(declared(), default=str).count("AGE-SECRET") == 0


def test_a_release_with_adopted_parts_cannot_be_rolled_back_to(project: Path) -> None:
    """There are no bytes of an adopted part; the other parts are archived."""
    props = declared()
    workers = {**props["release"]["workers"], "api": f"{ADOPTED}version-1"}
    mixed = {**props, "release": {**props["release"], "workers": workers}}
    assert created(mixed)["lacking"] == []
    assert keep(project).ran() == []
    assert keep(project).lacks(items(named(mixed["release"]), packed=True)) == []
    ReleaseArchiveProvider().update("", mixed, props)
    (ran,) = keep(project).ran()
    assert ran.release == props["release"]
