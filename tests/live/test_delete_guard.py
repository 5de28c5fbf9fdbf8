"""The delete guard: no backend is deleted without a verified backup. One story: the tests run in order."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.backups import new_key
from tests.live import network
from tests.live.project import Done, Project
from tests.support.waiting import free_port

pytestmark = [pytest.mark.live, pytest.mark.slow]


@contextmanager
def untouched(project: Project) -> Iterator[None]:
    """Neither the apps, nor the posts, nor the configuration changes."""
    before = network.apps(project), network.titles(project), project.stack_file.read_bytes()
    yield
    assert (network.apps(project), network.titles(project), project.stack_file.read_bytes()) == before


def set_config(project: Project, key: str, value: str, *options: str) -> None:
    project.pulumi("config", "set", *options, f"oracle-net:{key}", value, "--stack", "local").well()


def typed(project: Project, answer: str, *arguments: str) -> Done:
    """The command at a terminal, where somebody types `answer`."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(project.root)}
    with subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        cwd=project.root,
        env=environment,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        output, _ = process.communicate(timeout=200)
    os.close(ours)
    return Done(process.returncode, output)


def test_a_wipe_without_confirmation_or_with_a_wrong_name_changes_nothing(project: Project) -> None:
    network.say(project, "planted")
    with untouched(project):
        done = project.oracle("wipe").failed()
        assert "jellyfish-app holds 1 humans, 1 posts; 1 users, 0 files; last write 20" in done.output
        assert "Fix: run `oracle wipe --stack local --yes` to confirm it beforehand." in done.output
        assert "That is not the stack's name, so nothing was changed." in typed(project, "prod", "wipe").failed().output


def test_a_lower_generation_is_refused(project: Project) -> None:
    before = project.stack_file.read_bytes()
    set_config(project, "generation", "2")
    project.up().well()
    set_config(project, "generation", "1")
    with untouched(project):
        done = project.up().failed()
        assert "oracle-net:generation is 1, but generation 2 runs" in done.output
        assert "pulumi config set oracle-net:generation 2 --stack local" in done.output
    set_config(project, "generation", "2")
    assert before != project.stack_file.read_bytes()


def test_a_restore_of_a_missing_backup_is_refused(project: Project) -> None:
    set_config(project, "restoreFrom", "local-g1-no-such")
    with untouched(project):
        done = project.up().failed()
        assert "oracle-net:restoreFrom is local-g1-no-such, but generation 2 runs already with its own" in done.output
        assert "run `oracle restore local-g1-no-such local` to restore the backup in a new generation" in done.output
    set_config(project, "generation", "3")
    with untouched(project):
        done = project.pulumi("preview", "--stack", "local").failed()
        assert "local-g1-no-such" in done.output
        assert "oracle backups" in done.output
    project.pulumi("config", "rm", "oracle-net:restoreFrom", "--stack", "local").well()
    set_config(project, "generation", "2")
    with untouched(project):
        assert "oracle backups" in project.oracle("restore", "local-g1-no-such", "--yes").failed().output


def test_a_damaged_backup_is_refused_before_any_change(project: Project) -> None:
    kept = network.backups(project)[0]["id"]
    file = project.root / f".oracle/backups/organization/oracle-net/local/{kept}.zip"
    whole = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    with untouched(project):
        assert kept in project.oracle("restore", kept, "--yes").failed().output
    file.write_bytes(whole)


def test_an_encrypted_backup_opens_only_with_its_own_key(project: Project) -> None:
    set_config(project, "backupKey", new_key(), "--secret")
    mine = project.stack_file.read_bytes()
    done = project.oracle("backup").well()
    kept = network.backups(project)[0]
    assert kept["id"] in done.output
    assert kept["encrypted"]
    sealed = project.root / f".oracle/backups/organization/oracle-net/local/{kept['id']}.zip.age"
    assert sealed.read_bytes().startswith(b"age-encryption.org/v1")
    set_config(project, "backupKey", new_key(), "--secret")
    with untouched(project):
        assert "key" in project.oracle("restore", kept["id"], "--yes").failed().output
    project.stack_file.write_bytes(mine)


def test_an_unreachable_bucket_prevents_a_wipe(project: Project) -> None:
    before = project.stack_file.read_bytes()
    set_config(project, "backup.store", "s3://oracle/backups", "--path")
    set_config(project, "backup.endpoint", f"http://127.0.0.1:{free_port()}", "--path")
    project.environment |= {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}
    with untouched(project):
        done = project.oracle("wipe", "--yes").failed()
        assert "does not answer" in done.output.splitlines()[-1], done.output
        assert "backup.endpoint" in done.output.splitlines()[-1], done.output
    project.environment.clear()
    project.stack_file.write_bytes(before)


def test_backups_can_be_stored_in_a_bucket(project: Project, bucket: str) -> None:
    before = project.stack_file.read_bytes(), network.titles(project)
    set_config(project, "backup.store", "s3://oracle/backups", "--path")
    set_config(project, "backup.endpoint", bucket, "--path")
    project.environment |= {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "something"}
    network.say(project, "earlier")
    project.oracle("backup").well()
    [kept] = network.backups(project)
    network.say(project, "later")
    project.oracle("restore", kept["id"], "--yes").well()
    assert network.titles(project) == {*before[1], "earlier"}
    assert len(network.backups(project)) == 2
    assert "restore" in project.oracle("history").well().output
    generation = network.generation(project)
    project.environment.clear()
    project.stack_file.write_bytes(before[0])
    set_config(project, "generation", str(generation))


@pytest.fixture
def bucket(s3: str) -> str:
    """The address of an S3 server on loopback that has the bucket `oracle`."""
    import boto3

    store = boto3.client(
        "s3",
        endpoint_url=s3,
        region_name="us-east-1",
        aws_access_key_id="somebody",
        aws_secret_access_key="something",
    )
    store.create_bucket(Bucket="oracle")
    store.close()
    return s3


def test_an_app_that_cannot_be_deleted_is_deleted_by_the_next_up(project: Project) -> None:
    before = network.apps(project)
    project.fault(method="DELETE", path="/v2/apps/*", status=403, count=1)
    project.oracle("wipe", "--yes").failed()
    assert set(before) < set(network.apps(project))
    project.up().well()
    assert len(network.apps(project)) == 1


def test_a_wipe_without_a_backup_needs_the_typed_stack_name(project: Project) -> None:
    network.say(project, "unloved")
    before = network.backups(project)
    done = typed(project, "local", "wipe", "--no-backup").well()
    assert "The data is deleted without a backup, as you asked." in done.output
    assert network.backups(project) == before
    assert network.titles(project) == set()


def test_a_program_without_the_backend_does_not_delete_it_without_a_backup(project: Project, tmp_path: Path) -> None:
    network.say(project, "last words")
    program = project.root / "__main__.py"
    whole = program.read_text()
    program.write_text("")
    project.up().failed()
    assert len(network.apps(project)) == 1
    head, _, _ = whole.partition("generation = BackendGeneration")
    program.write_text(head + "BackupBeforeDelete(context, pulumi.Output.from_input('none'))\n")
    done = project.up().well()
    assert network.apps(project) == []
    kept = network.backups(project)[0]
    assert kept["id"] in done.output
    assert "last words" in network.backed_up_titles(project, kept["id"], tmp_path)
