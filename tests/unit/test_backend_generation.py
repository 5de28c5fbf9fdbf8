"""The generation of the backend: when a new app is needed, its name, and refusals before any change."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import advice
from components.backend_generation import GenerationProvider, fingerprint
from errors import SetKey, UserError
from lifecycle.naming import app_name
from lifecycle.ownership import Names
from settings import Settings, parse
from storage.backups import BackupCatalog, BackupOrigin, Contents, open_store
from tests.support.errors import raises_text
from tests.support.fakes import OWNER, TRAFFIC, FakeAccount, app, worker
from tests.support.owners import owner
from tests.unit import program

RELEASE = f"sha256:{'1' * 64}"


def settings(**backend: Any) -> Settings:
    prefix = "oracle-net:"
    values = {
        key.removeprefix(prefix): json.loads(value) if value[:1] in "{[" else value
        for key, value in program.config_of("local").items()
        if key.startswith(prefix)
    }
    values["backend"] = {**values["backend"], **backend}
    return parse(values)


def props(**changed: Any) -> dict[str, Any]:
    backup_config = {"owner": OWNER, "store": "folder:backups"}
    base = {
        "base": "jellyfish-app",
        "generation": 1.0,
        "trigger": "1.1.a",
        "restore_from": "",
        "backup_config": backup_config,
        "secrets": {},
    }
    base["app"] = "jellyfish-app"
    return {**base, "endpoint": "e", "traffic": asdict(TRAFFIC), "counts": {"1": 1.0}, **changed}


def provider(serves: int | None = 1, owner: str = OWNER, **others: dict[str, Any]) -> GenerationProvider:
    """A provider in an account whose api Worker serves an app of a generation, or that has none."""
    apps = {"1": app("1", "app", generation=serves or 1), "2": app("2", "jellyfish-app", owner=owner), **others}
    made = GenerationProvider()
    made.clouds = FakeAccount(apps, {"api": worker("app")} if serves else {}).clouds
    return made


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "changed",
    [
        {"size": "basic-xs"},
        {"region": "fra"},
        {"port": 8091},
        {"env": {"A": "b"}},
        {"healthPath": "/up"},
        {"service": "other"},
    ],
)
def test_a_change_of_the_deployed_settings_needs_a_new_app(changed: dict[str, Any]) -> None:
    assert fingerprint(settings(**changed), RELEASE) != fingerprint(settings(), RELEASE)


@pytest.mark.parametrize("changed", [{"console": "./other upsert"}, {"createTimeout": "9m"}, {"build": "make"}])
def test_a_change_of_other_settings_needs_no_new_app(changed: dict[str, Any]) -> None:
    assert fingerprint(settings(**changed), RELEASE) == fingerprint(settings(), RELEASE)


def test_another_release_needs_a_new_app() -> None:
    assert fingerprint(settings(), RELEASE) != fingerprint(settings(), f"sha256:{'2' * 64}")


@pytest.mark.parametrize(
    "before, after, moves",
    [
        ({}, {"KEY": "a"}, True),
        ({"KEY": "a"}, {"KEY": "b"}, True),
        ({"KEY": "a"}, {}, True),
        ({"KEY": "a"}, {"KEY": "a"}, False),
        (None, {}, False),
    ],
)
def test_a_changed_secret_variable_needs_a_new_app(
    before: dict[str, str] | None, after: dict[str, str], moves: bool
) -> None:
    """The provider does not send it to a running app."""
    olds, news = props(secrets=before, app="jellyfish-app"), props(secrets=after)
    assert provider().diff("", olds, news).changes is moves


def test_a_refresh_of_an_older_state_finds_no_change() -> None:
    """The engine passes the stored inputs, which lack keys that were added later."""
    older = {key: value for key, value in props(app="jellyfish-app").items() if key != "secrets"}
    assert not provider().diff("", older, older).changes


def test_apps_are_counted_within_their_generation() -> None:
    counting = provider()

    def updated(olds: dict[str, Any], **changed: Any) -> dict[str, Any]:
        return counting.update("", olds, props(**changed)).outs or {}

    first = counting.create(props()).outs or {}
    assert first["app"] == "jellyfish-app"
    assert not counting.diff("", first, props()).changes
    second = updated(first, trigger="1.1.b")
    assert second["app"] == "jellyfish-app-g1-r2"
    back = updated(second, trigger="1.1.a")
    assert back["app"] == "jellyfish-app-g1-r3"
    wiped = updated(back, generation=2.0, trigger="2.1.a")
    assert wiped["app"] == "jellyfish-app-g2"
    assert updated(wiped)["app"] == "jellyfish-app-g1-r4"
    renamed = updated(second, base="other-app")
    assert renamed["app"] == "other-app"


def test_the_longest_app_name_fits_the_limit() -> None:
    assert len(app_name("a" * 22, 999, 999)) == 32
    with pytest.raises(Exception, match="appName should be 2 to 22 characters"):
        settings(appName="a" * 23)


@pytest.mark.parametrize("at", [None, 2])
def test_a_lower_generation_is_refused(at: int | None) -> None:
    with pytest.raises(UserError, match="oracle-net:generation is 1, but generation 2 runs") as caught:
        provider(at).diff("", props(generation=2.0), props())
    assert [each.command for each in advice.fixes(caught.value, "prod", "")] == [
        "pulumi config set oracle-net:generation 2 --stack prod",
        "oracle wipe --undo prod",
    ]


def test_a_generation_that_never_got_traffic_can_be_abandoned() -> None:
    assert provider(1).diff("", props(generation=2.0), props()).changes


def test_a_restore_without_a_new_generation_is_refused() -> None:
    with pytest.raises(UserError, match="oracle-net:restoreFrom is kept, but generation 1 runs already") as caught:
        provider().diff("", props(), props(restore_from="kept"))
    assert advice.command(caught.value, "prod", "") == "oracle restore kept prod"


def test_a_finished_restore_is_not_refused() -> None:
    done = props(restore_from="kept")
    assert not provider().diff("", done, props(restore_from="kept")).changes
    assert not provider().diff("", done, props()).changes


def test_an_unknown_backup_is_refused_in_the_preview() -> None:
    with raises_text(UserError, "oracle backups"):
        provider().diff("", props(), props(generation=2.0, restore_from="jellyfish-app-g1-nothing"))


def test_a_store_that_cannot_be_written_is_refused_before_any_change(tmp_path: Path) -> None:
    (tmp_path / "backups").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="backups"):
        provider().update("", props(), props(trigger="1.1.b"))


def test_a_damaged_backup_is_refused_before_any_change(tmp_path: Path) -> None:
    archive = tmp_path / "pb.zip"
    archive.write_bytes(b"not looked into here" * 100)
    catalog = BackupCatalog(open_store("folder:backups", tmp_path), owner(), None, tmp_path)
    about = BackupOrigin(app="jellyfish-app", app_id="app-1", generation=1, release="", pocketbase="", reason="manual")
    kept = catalog.add(archive, about, Contents(records={}, files=0, file_bytes=0, users=0, last_write=None))
    wanted = props(generation=2.0, restore_from=kept.id)
    assert provider().diff("", props(), wanted).changes
    assert provider().update("", props(), wanted).outs
    stored = tmp_path / "backups" / str(owner()) / f"{kept.id}.zip"
    stored.chmod(0o600)
    stored.write_bytes(stored.read_bytes()[:-1] + b"!")
    with pytest.raises(UserError, match=kept.id):
        provider().update("", props(), wanted)


def test_a_new_stack_is_refused_in_the_preview_when_its_names_are_taken() -> None:
    names = {"app": "a", "scripts": {"web": "w"}, "domains": {"web": ["example.org", "w"]}}
    for there in (
        FakeAccount(workers={"w": worker(owner=None)}),
        FakeAccount(workers={"other": worker(owner="o/p/other")}, domains={"example.org": "other"}),
    ):
        new = GenerationProvider()
        new.clouds = there.clouds
        with pytest.raises(UserError, match=rf"(The Worker w|Worker other,) exists already .* to {OWNER}:"):
            new.check({}, props(names=names))
        assert new.check(props(names=names), props(names=names)).failures == [], "what the state has is no new stack"


def test_a_state_with_an_app_of_another_stack_is_refused_in_every_preview() -> None:
    with pytest.raises(UserError, match=f"The app jellyfish-app belongs to o/p/other, not to {OWNER}"):
        provider(owner="o/p/other").diff("", props(), props())


def test_a_taken_app_name_is_refused() -> None:
    taken = provider(other=app("other", "jellyfish-app-g2", owner=None))
    with pytest.raises(UserError, match="The app jellyfish-app-g2 exists already and does not belong to") as caught:
        taken.diff("", props(), props(generation=2.0))
    assert caught.value.helps == (SetKey("oracle-net:backend.appName", "NAME"),), (
        "an app with a counted name is not adopted"
    )
    assert not taken.diff("", props(), props()).changes


def test_only_resources_that_are_not_adopted_need_free_names() -> None:
    made = Names.of(settings())
    assert (made.app, sorted(made.scripts)) == ("jellyfish-app", ["api", "universe", "web"])
    adopted = settings(adopted={"app": "app-12345678", "deployment": "dep-12345678"})
    assert Names.of(adopted).app is None
    assert Names.read({"scripts": {}, "domains": {}}) == Names(app=None, scripts={}, domains={}), "as it is on the wire"
