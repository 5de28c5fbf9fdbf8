"""The state in a bucket: commands, the lock and its holder, a move of the state. One story: the tests run in order."""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from cli.engine.locks import bucket_at, held_in
from tests.live.project import Project, assert_quiet
from tests.support.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.slow]

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "secret-of-somebody"}
HELD = 20.0
"""Seconds for which a deployment is kept waiting, so that there is time to look at the lock; the test does not wait."""


@dataclass
class Team:
    project: Project
    url: str

    def objects(self) -> list[str]:
        bucket = bucket_at(self.url)
        assert bucket is not None
        return bucket.names("")

    def holders(self) -> list[int]:
        bucket = bucket_at(self.url)
        assert bucket is not None
        return [lock.pid for lock in held_in(bucket, "local")]


@pytest.fixture(scope="module")
def team(s3: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A network on the local cloud whose state is in a bucket."""
    options = "use_path_style=true&region=us-east-1&response_checksum_validation=when_required"
    import boto3

    url = f"s3://states/team?endpoint={s3}&{options}"
    project = Project.copied(tmp_path_factory.mktemp("team"))
    project.environment |= {"ORACLE_LOCAL_STATE": url, **CREDENTIALS}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in project.environment.items():
            patch.setenv(name, value)
        client = boto3.client("s3", endpoint_url=s3, region_name="us-east-1")
        client.create_bucket(Bucket="states")
        try:
            project.oracle("up").well()
            yield Team(project, url)
        finally:
            project.stop()


def test_the_state_is_only_in_the_bucket(team: Team) -> None:
    assert ".pulumi/stacks/oracle-net/local.json" in team.objects()
    assert not team.project.state_file.exists()
    assert_quiet(team.project.pulumi("preview", "--stack", "local"))
    assert team.holders() == []


def test_doctor_and_status_read_the_state(team: Team) -> None:
    found = json.loads(team.project.oracle("doctor", "--json").output)
    told = {each["check"]: (each["level"], each["what"]) for each in found["findings"]}
    assert told["state"][0] == "ok"
    assert told["lock"] == ("ok", "free")
    assert "jellyfish-app" in team.project.oracle("status").well().output


def test_the_second_of_two_updates_names_the_holder_of_the_lock(team: Team) -> None:
    project = team.project
    project.edit("services/backend/entrypoint.sh", "exec ", "echo released\nexec ")
    project.fault(app="jellyfish-app-g1-r2", step="deploy", delay=HELD, count=1)
    first = project.start_oracle("deploy", "backend", "--yes")
    until(team.holders, "the first update holds the lock", seconds=120)
    until(lambda: not first.poll() and team.holders(), "it is still at work")
    (holder,) = team.holders()
    second = project.pulumi("up", "--yes", "--skip-preview", "--stack", "local").failed()
    who = f"{getpass.getuser()}@{socket.gethostname()} (pid {holder})"
    assert who in second.output
    told = project.oracle("recover", "local").failed().output
    assert f"Another update of local is running: process {holder} of {getpass.getuser()}" in told
    found = json.loads(project.oracle("doctor", "--json").output)["findings"]
    (lock,) = [each for each in found if each["check"] == "lock"]
    assert lock["what"].startswith(f"held by process {holder} of ")
    for process in [psutil.Process(holder), *psutil.Process(holder).children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            process.kill()  # its plugins too, which would wait for it for ever
    first.communicate(timeout=60)
    assert team.holders() == [holder]


def test_the_lock_of_a_killed_update_is_removed(team: Team) -> None:
    assert len(team.holders()) == 1
    done = team.project.oracle("recover", "local").well()
    assert "which is dead" in done.output
    assert team.holders() == []
    team.project.oracle("up").well()
    assert_quiet(team.project.pulumi("preview", "--stack", "local"))


def test_the_state_can_be_moved_to_another_backend(team: Team, tmp_path: Path) -> None:
    """As docs/how-to/state.md says: the same passphrase decrypts it there, and the stack file does not change."""
    project, file = team.project, tmp_path / "local.json"
    configuration = project.stack_file.read_bytes()
    project.pulumi("stack", "export", "--stack", "local", "--file", str(file)).well()
    (tmp_path / "elsewhere").mkdir()
    elsewhere = {"PULUMI_BACKEND_URL": f"file://{tmp_path / 'elsewhere'}"}
    project.pulumi("stack", "init", "local", **elsewhere).well()
    project.pulumi("stack", "import", "--stack", "local", "--file", str(file), **elsewhere).well()
    assert_quiet(project.pulumi("preview", "--stack", "local", **elsewhere))
    assert project.stack_file.read_bytes() == configuration
    secret = str(project.outputs()["adminPassword"])
    assert secret not in file.read_text(), "what is exported is encrypted"
    project.pulumi("stack", "rm", "local", "--yes", "--force", "--preserve-config").well()
    assert ".pulumi/stacks/oracle-net/local.json" not in team.objects()
    assert_quiet(project.pulumi("preview", "--stack", "local", **elsewhere))
