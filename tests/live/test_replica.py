"""An image that restores itself from a replica at its start, as with Litestream. One story: the tests run in order."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.live import leaks, network
from tests.live.project import Project, assert_quiet, changes

pytestmark = [pytest.mark.live, pytest.mark.slow]

KEY = "planted-replica-key-1"
OTHER_KEY = "planted-replica-key-2"
RESTORES = """if [ ! -e pb_data/data.db ] && [ "${{REPLICA_KEY:-}}" = {key} ] && [ -e "{place}/data.db" ]; then
  mkdir -p pb_data && cp "{place}/data.db" pb_data/data.db
fi
exec """


@pytest.fixture(scope="module")
def replicas(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for replicas; the image restores from a fixed one there, if it has the key."""
    places = tmp_path_factory.mktemp("replicas")
    network.plant(project)
    restores = RESTORES.format(key=KEY, place=places / "fixed")
    project.edit("services/backend/entrypoint.sh", "exec ", restores)
    set_key(project, KEY)
    project.up().well()
    return places


def set_key(project: Project, value: str) -> None:
    subprocess.run(
        ["pulumi", "config", "set", "--secret", "--path", "oracle-net:backendSecrets.REPLICA_KEY", "-s", "local"],
        cwd=project.root,
        env=project.engine_environment,
        input=value,
        capture_output=True,
        text=True,
        check=True,
    )


def replicate(project: Project, place: Path) -> None:
    """What Litestream would have written by now."""
    [data] = (project.cloud_state / "apps").glob("*/**/pb_data/data.db")
    place.mkdir()
    with sqlite3.connect(data) as here, sqlite3.connect(place / "data.db") as there:
        here.backup(there)


def test_a_wipe_that_the_image_would_undo_moves_no_traffic(project: Project, replicas: Path) -> None:
    before = network.titles(project)
    assert before == {"planted"}
    replicate(project, replicas / "fixed")
    done = project.oracle("wipe", "--yes").failed()
    assert "The new backend should be empty, but it started with" in done.output
    assert "docs/how-to/litestream.md" in done.output
    assert "Traceback" not in done.output
    assert network.titles(project) == before
    assert "jellyfish-app-g1-r2" in network.apps(project)


def test_with_a_replica_path_per_app_the_wipe_succeeds(project: Project, replicas: Path) -> None:
    project.edit("services/backend/entrypoint.sh", str(replicas / "fixed"), f"{replicas}/$BACKEND")
    project.up().well()
    assert network.titles(project) == set()
    [app] = network.apps(project)
    assert app.startswith("jellyfish-app-g2")
    assert_quiet(project.up())


def test_a_changed_secret_replaces_the_app_and_is_shown_nowhere(project: Project) -> None:
    network.plant(project)
    [before] = network.apps(project)
    set_key(project, OTHER_KEY)
    previewed = project.pulumi("preview", "--diff", "--stack", "local").well().output
    assert "replace" in previewed
    done = project.up().well()
    assert changes(done)["replaced"] == 1
    assert network.titles(project) == {"planted"}
    [after] = network.apps(project)
    assert after != before
    assert_quiet(project.up())
    secrets = {"key": KEY, "other key": OTHER_KEY}
    exported = project.pulumi("stack", "export", "--stack", "local").well().output
    assert leaks.leaked(f"{previewed}{done.output}{exported}".encode(), secrets) == set()
    # The image itself names the first key in its entrypoint, which the local cloud unpacks.
    assert leaks.leaked_in_files(project.root / ".oracle", {"other key": OTHER_KEY}, kept=frozenset()) == []
