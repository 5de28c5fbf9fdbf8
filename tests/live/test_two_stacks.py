"""Two stacks with the same names and one backup store do not affect each other. One story: the tests run in order.

Whatever is done to staging, what is kept for prod stays as it is, byte for byte, and no command on prod finds
anything of staging's.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live import network
from tests.live.environments import Environments
from tests.live.project import Project

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environments]:
    made = Environments.made(Project.copied(tmp_path_factory.mktemp("project")), suffix="")
    try:
        made.up()
        for each in made:
            network.say(each, f"of {each.stack}")
        yield made
    finally:
        made.stop()


def folder(project: Project) -> Path:
    """Where all that is kept for the stack lies."""
    return project.root / ".oracle/backups/organization/oracle-net" / project.stack


def kept(project: Project) -> dict[str, str]:
    """SHA-256 of each object that is kept for the stack, by name."""
    found = [path for path in folder(project).rglob("*") if path.is_file()]
    return {
        path.relative_to(folder(project)).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found
    }


def backups(project: Project) -> list[str]:
    return [each["id"] for each in json.loads(project.oracle("backups", project.stack, "--json").well().output)]


@contextmanager
def left_alone(project: Project) -> Iterator[None]:
    """What is kept for the stack, what its backend holds, and its file stay as they are."""
    before, file = kept(project), project.stack_file.read_bytes()
    assert any(name.startswith("audit-log/") for name in before)
    assert any(name.startswith("releases/receipts/") for name in before)
    yield
    assert kept(project) == before
    assert project.stack_file.read_bytes() == file
    assert network.titles(project) == {f"of {project.stack}"}


def test_read_only_commands_create_nothing(tmp_path: Path) -> None:
    """Neither a stack nor a folder, where nothing was ever deployed."""
    staging, _ = Environments.made(Project.copied(tmp_path), suffix="")
    before = private_files(tmp_path)
    assert staging.oracle("backups", "staging", "--json").well().output.strip() == "[]"
    assert "The data of staging has not been changed yet." in staging.oracle("history", "staging").well().output
    staging.oracle("rollback", "staging", "--list").well()
    assert private_files(tmp_path) == before


def private_files(root: Path) -> list[Path]:
    """All below the folder of runs, states and backups."""
    return sorted((root / ".oracle").rglob("*"))


def test_a_wipe_and_its_undo_do_not_affect_the_other_stack(environments: Environments) -> None:
    staging, prod = environments
    with left_alone(prod):
        staging.oracle("wipe", "staging", "--yes").well()
        assert network.titles(staging) == set()
        assert backups(prod) == []
        (taken,) = backups(staging)
        assert taken.startswith("staging-g1-")
        refused = prod.oracle("wipe", "prod", "--undo", "--yes").failed().output
        assert "There is no wipe or restore to undo. Fix: run `oracle history prod`" in refused
        refused = prod.oracle("restore", taken, "prod", "--yes").failed().output
        assert f"There is no backup '{taken}' of prod" in refused
        staging.oracle("wipe", "staging", "--undo", "--yes").well()
        assert network.titles(staging) == {"of staging"}


def test_a_backup_copied_from_another_stack_is_refused(environments: Environments) -> None:
    staging, prod = environments
    taken = backups(staging)[0]
    with left_alone(prod):
        for ending in (".json", ".zip"):
            shutil.copy(folder(staging) / f"{taken}{ending}", folder(prod) / f"{taken}{ending}")
        try:
            said = rf"The backup {taken} belongs to organization/oracle-net/staging, but is stored under .*prod"
            assert re.search(said, prod.oracle("restore", taken, "prod", "--yes").failed().output)
            listed = prod.oracle("backups", "prod").well().output
            assert re.search(said, listed)
            assert "There are no backups of prod yet" in listed
            file = prod.stack_file.read_bytes()
            for key, value in (("restoreFrom", taken), ("generation", "2")):
                prod.pulumi("config", "set", f"oracle-net:{key}", value, "--stack", "prod").well()
            assert re.search(said, prod.pulumi("preview", "--stack", "prod").failed().output)
            prod.stack_file.write_bytes(file)
        finally:
            for ending in (".json", ".zip"):
                (folder(prod) / f"{taken}{ending}").unlink()


def test_a_release_is_undone_by_a_rollback_with_the_current_data(environments: Environments) -> None:
    staging, prod = environments
    before = staging.outputs()["release"]["backend"]
    with left_alone(prod):
        staging.edit("services/backend/entrypoint.sh", "exec ", "echo another\nexec ")
        staging.oracle("deploy", "backend", "--stack", "staging", "--yes").well()
        network.say(staging, "after the release")
        refused = prod.oracle("rollback", "prod", "--yes").failed().output
        assert "No other release of prod is stored." in refused
        (newest, *_) = json.loads(staging.oracle("history", "staging", "--json").well().output)
        assert newest["kind"] == "release"
        assert re.fullmatch(r"oracle rollback staging --to \d{8}-\d{6}", newest["undo"])
        staging.oracle(*newest["undo"].split()[1:], "--yes").well()
        assert staging.outputs()["release"]["backend"] == before
        assert network.titles(staging) == {"of staging", "after the release"}


def test_retention_deletes_only_the_stacks_own_backups(environments: Environments) -> None:
    staging, prod = environments
    prod.oracle("backup", "prod").well()
    with left_alone(prod):
        few = "  oracle-net:backup:\n    keepCount: 1\n"
        staging.edit("Pulumi.staging.yaml", "  oracle-net:backend:\n", f"{few}  oracle-net:backend:\n")
        before = backups(staging)
        assert re.search(r"; old backups deleted: \d+", staging.oracle("backup", "staging").well().output)
        assert set(before) - set(backups(staging))
        history = json.loads(staging.oracle("history", "staging", "--json").well().output)
        restores = [each["undo"].split()[2] for each in history if (each["undo"] or "").startswith("oracle restore")]
        assert len(restores) == 2, "the wipe, and its undo"
        assert set(restores) <= set(backups(staging))


def test_a_destroy_does_not_affect_the_other_stack(environments: Environments) -> None:
    staging, prod = environments
    with left_alone(prod):
        staging.pulumi("destroy", "--yes", "--skip-preview", "--run-program", "--stack", "staging").well()
        (newest, *_) = json.loads(staging.oracle("history", "staging", "--json").well().output)
        assert (newest["kind"], newest["undo"]) == ("backed-up", f"oracle restore {backups(staging)[0]} staging")
        assert network.apps(prod) == ["jellyfish-app"]
    assert [name for name in kept(staging) if name.startswith("releases/receipts/")]
