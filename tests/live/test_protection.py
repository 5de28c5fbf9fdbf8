"""A protected stack cannot be destroyed by accident, and can after an unlock. One story: the tests run in order."""

from __future__ import annotations

from typing import Any

import pytest

from clients.http import client
from tests.live import network
from tests.live.project import Done, Project, assert_quiet, changes

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(scope="module")
def locked(project: Project) -> Project:
    project.edit("Pulumi.local.yaml", "  oracle-net:generation", "  oracle-net:protect: true\n  oracle-net:generation")
    project.up().well()
    return project


def destroy(project: Project, *options: str) -> Done:
    return project.pulumi("destroy", "--run-program", "--yes", "--skip-preview", "--stack", "local", *options)


def serving(project: Project, outputs: dict[str, Any]) -> dict[str, int]:
    with client() as http:
        return {name: http.get(outputs[f"{name}Url"]).status_code for name in ("api", "web", "universe")}


def test_destroy_is_refused_and_every_service_still_serves(locked: Project) -> None:
    outputs = locked.outputs()
    before = serving(locked, outputs)
    done = destroy(locked).failed()
    assert "because it is protected" in done.output
    assert changes(done).keys() == {"unchanged", "errored"}
    assert serving(locked, outputs) == before
    assert network.apps(locked) == ["jellyfish-app"]
    assert_quiet(locked.up())


def test_a_wipe_is_still_possible(locked: Project) -> None:
    locked.oracle("wipe", "--yes").well()
    assert network.apps(locked) == ["jellyfish-app-g2"]
    assert_quiet(locked.up())


def test_destroy_with_ignore_protect_does_not_delete_the_backend(locked: Project) -> None:
    """The engine's option works for resources that can be created again, but not for the backend."""
    done = destroy(locked, "--ignore-protect").failed()
    assert "jellyfish-app-g2 is not deleted: the stack is protected (oracle-net:protect)" in done.output
    assert network.apps(locked) == ["jellyfish-app-g2"]
    locked.up().well()
    assert set(serving(locked, locked.outputs()).values()) <= {200, 404}


def test_after_an_unlock_the_stack_can_be_destroyed_and_the_backups_stay(locked: Project) -> None:
    assert "oracle unlock local --yes" in locked.oracle("unlock", "local").failed().output
    told = locked.oracle("unlock", "local", "--yes").well().output
    assert "may be destroyed until" in told
    locked.oracle("unlock", "local", "--end").well()
    assert "because it is protected" in destroy(locked).failed().output
    locked.oracle("unlock", "local", "--yes").well()
    network.say(locked, "before we left")
    destroy(locked).well()
    assert network.apps(locked) == []
    kept = network.backups(locked)
    assert [each["reason"] for each in kept][:1] == ["delete"]
    assert all(each["verified"] for each in kept)


def test_the_newest_backup_restores_the_destroyed_stack(locked: Project) -> None:
    """As docs/how-to/leave.md says: an empty account, and the name of a backup."""
    kept = network.backups(locked)[0]["id"]
    locked.pulumi("config", "set", "oracle-net:restoreFrom", kept, "--stack", "local").well()
    locked.up().well()
    assert network.titles(locked) == {"before we left"}
