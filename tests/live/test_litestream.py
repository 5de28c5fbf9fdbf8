"""The real Litestream in an image with a fixed replica path. One story: the tests run in order.

One network through its life: two releases that carry, a wipe, and its undo, which is a restore. After each but the
first, a container in the app's place must begin with the data of before, by the replica alone.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.live import network
from tests.live.project import Done, Project, assert_quiet
from tests.live.test_healing import restart
from tests.support.waiting import until
from toolchain import litestream

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(1800)]

BUCKET = "oraclenet-pb-backup"
KEY, SECRET = "planted-replica-key", "planted-replica-secret"
CONFIG = """dbs:
  - path: {database}
    replicas:
      - type: s3
        bucket: {bucket}
        path: {place}
        endpoint: {endpoint}
        region: us-east-1
        access-key-id: ${{LITESTREAM_ACCESS_KEY_ID}}
        secret-access-key: ${{LITESTREAM_SECRET_ACCESS_KEY}}
        sync-interval: 1s
"""
ENTRYPOINT = """#!/bin/sh
set -e
if [ ! -f pb_data/data.db ]; then
  litestream restore -if-replica-exists -config litestream.yml pb_data/data.db
fi
exec litestream replicate -config litestream.yml -exec "./oracle-universe serve --http=127.0.0.1:$PORT"
"""
KEYS = {"LITESTREAM_ACCESS_KEY_ID": KEY, "LITESTREAM_SECRET_ACCESS_KEY": SECRET}


@dataclass
class Replicated:
    """A network whose backend replicates into a bucket; `folder` is for what the tests restore from there."""

    project: Project
    program: Path
    endpoint: str
    folder: Path

    def places(self) -> set[str]:
        """Where in the bucket there are replicas."""
        listed = bucket_service(self.endpoint).get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        names = [each["Key"] for page in listed for each in page.get("Contents", [])]
        return {name.partition("/generations/")[0] for name in names}

    def titles(self, app: str) -> set[str] | None:
        """The posts in the replica of an app, as Litestream restores it; None where it cannot be restored."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        config, database = self.folder / "litestream.yml", self.folder / "restored.db"
        config.write_text(CONFIG.format(database=database, bucket=BUCKET, place=f"data/{app}", endpoint=self.endpoint))
        done = subprocess.run(
            [self.program, "restore", "-config", config, database], env=KEYS, capture_output=True, check=False
        )
        if done.returncode or not database.exists():
            return None
        with closing(sqlite3.connect(database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return {title for (title,) in connection.execute("SELECT title FROM posts")}

    def assert_sound(self, titles: set[str]) -> None:
        """The network has these posts, and once another is replicated, so has a container in the app's place."""
        assert network.titles(self.project) == titles
        [app] = network.apps(self.project)
        titles.add(f"said to {app}")
        network.say(self.project, f"said to {app}")
        until(lambda: self.titles(app) == titles, "the replica has every post", seconds=60)
        restart(self.project)
        assert network.titles(self.project) == titles
        assert json.loads(self.project.oracle("status", "--json").output)["findings"] == []


@pytest.fixture(scope="module")
def replicated(brought_up: Project, s3: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicated]:
    folder = tmp_path_factory.mktemp("litestream")
    program = litestream.ensure()
    bucket_service(s3).create_bucket(Bucket=BUCKET)
    project = brought_up.copy(folder / "project")
    # Containers find programs where the local cloud does.
    project.environment = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    try:
        project.start()
        yield Replicated(project, program, s3, folder / "restored")
    finally:
        project.stop()


def bucket_service(endpoint: str) -> Any:
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )


def set_config(project: Project, key: str, value: str, *options: str) -> Done:
    return project.pulumi("config", "set", *options, "--path", f"oracle-net:{key}", value, "--stack", "local").well()


def test_a_release_with_a_replica_needs_its_configuration(replicated: Replicated) -> None:
    project = replicated.project
    network.plant(project)
    config = CONFIG.format(database="pb_data/data.db", bucket=BUCKET, place="data", endpoint=replicated.endpoint)
    (project.root / "services/backend/litestream.yml").write_text(config)
    (project.root / "services/backend/entrypoint.sh").write_text(ENTRYPOINT)
    for name, value in KEYS.items():
        set_config(project, f"backendSecrets.{name}", value, "--secret")
    before = network.apps(project)
    for refused in (project.up(), project.pulumi("preview", "--stack", "local"), project.oracle("doctor")):
        told = " ".join(refused.failed().output.split())
        assert "oracle-net:backend.replica.config /etc/litestream.yml" in told
    assert network.apps(project) == before
    assert replicated.places() == set()


def test_a_release_migrates_the_data_into_its_own_replica(replicated: Replicated) -> None:
    project = replicated.project
    set_config(project, "backend.replica.config", "litestream.yml")
    project.up().well()
    [app] = network.apps(project)
    assert replicated.places() == {f"data/{app}"}
    assert network.titles(project) == {"planted"}


def test_the_next_release_migrates_the_data_between_replicas(replicated: Replicated) -> None:
    project = replicated.project
    before, titles = network.apps(project), network.titles(project)
    project.edit("services/backend/entrypoint.sh", "exec ", "echo another release\nexec ")
    project.oracle("deploy", "backend", "--yes").well()
    assert network.apps(project) != before
    replicated.assert_sound(titles)


def test_a_wipe_by_restart_is_refused_for_an_app_with_a_replica(replicated: Replicated) -> None:
    project = replicated.project
    before = network.apps(project), network.titles(project), project.config
    refused = project.oracle("wipe", "--restart", "--yes").failed()
    assert "would restore the data from its replica" in " ".join(refused.output.split())
    assert (network.apps(project), network.titles(project), project.config) == before


def test_a_wipe_empties_the_replica_too_and_can_be_undone(replicated: Replicated) -> None:
    project = replicated.project
    before = network.titles(project)
    assert before
    project.oracle("wipe", "--yes").well()
    replicated.assert_sound(set())
    project.oracle("wipe", "--undo", "--yes").well()
    replicated.assert_sound(set(before))


def test_a_configuration_without_a_replica_path_prevents_the_release(replicated: Replicated) -> None:
    project = replicated.project
    before = network.apps(project), network.titles(project), replicated.places()
    project.edit("services/backend/litestream.yml", "        path: data\n", "")
    done = project.up().failed()
    assert "A replica in litestream.yml has no readable line path: or url:" in " ".join(done.output.split())
    assert network.titles(project) == before[1]
    assert replicated.places() == before[2]
    project.edit("services/backend/litestream.yml", "        endpoint", "        path: ${BACKEND}\n        endpoint")
    project.up().well()
    [app] = network.apps(project)
    assert replicated.places() == {*before[2], app}
    assert_quiet(project.up())
