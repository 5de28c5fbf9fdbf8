"""The audit log stores every entry, also when two processes write at the same time."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from storage.backups import AuditLog, Entry, Folder, Store, who
from tests.storage.backups.conftest import PROD, STAGING

ENTRY = Entry(
    at="2026-01-31T10:00:00.000Z",
    kind="wipe",
    who="ada@oracle.test",
    from_generation=3,
    from_release="r7",
    to_generation=4,
    to_release="r7",
    records={"humans": 2},
    migrated=None,
    backup="prod-g3-20260131T095959Z-abcd",
    notes=["drained for 5 s"],
)


def test_entries_are_listed_newest_first(store: Store) -> None:
    audit_log = AuditLog(store, PROD)
    assert audit_log.entries() == []
    first = replace(ENTRY, kind="first", at="2026-01-30T10:00:00Z", backup=None, from_generation=None)
    last = replace(ENTRY, at="2026-01-31T10:00:00.001Z", migrated={"humans": 2}, notes=[])
    for entry in (ENTRY, last, first):
        audit_log.add(entry)
    assert [replace(entry, owner="") for entry in audit_log.entries()] == [last, ENTRY, first]
    assert {entry.owner for entry in audit_log.entries()} == {"organization/oracle-net/prod"}
    assert AuditLog(store, STAGING).entries() == []
    assert all(name.startswith("organization/oracle-net/prod/audit-log/2026013") for name in store.names(""))


def test_two_concurrent_writers_lose_no_entry(tmp_path: Path) -> None:
    """Each has its own store, and all have the same time."""
    logs = [AuditLog(Folder(tmp_path / "kept"), PROD) for _ in range(2)]
    people = [f"writer {number}" for number in range(40)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: logs[len(name) % 2].add(replace(ENTRY, who=name)), people))
    assert sorted(entry.who for entry in logs[0].entries()) == sorted(people)


def test_a_damaged_entry_hides_no_other_entry(folder: Folder) -> None:
    audit_log = AuditLog(folder, PROD)
    audit_log.add(ENTRY)
    folder.write_text(f"{PROD}/audit-log/20270101T000000000000Z-0000.json", '{"kind": "wipe"}')
    found, complaints = audit_log.survey()
    assert found == [replace(ENTRY, owner=str(PROD))]
    assert len(complaints) == 1
    assert f"{PROD}/audit-log/20270101T000000000000Z-0000.json is damaged" in str(complaints[0])


def test_an_entry_of_a_later_program_version_is_read(folder: Folder) -> None:
    AuditLog(folder, PROD).add(ENTRY)
    (name,) = folder.names("")
    folder.write_text(name, json.dumps({**json.loads(folder.read_text(name) or ""), "weather": "fine"}))
    assert AuditLog(folder, PROD).entries() == [replace(ENTRY, owner=str(PROD))]


def test_the_author_is_the_ci_user_the_git_user_or_the_system_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.delenv("GITHUB_ACTOR", raising=False)
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.setattr("socket.gethostname", lambda: "laptop")
    assert who() == "ada@laptop"
    subprocess.run(["git", "config", "--global", "user.email", "ada@oracle.test"], check=True, timeout=10)
    assert who() == "ada@oracle.test"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert who() == "ada@laptop"
    monkeypatch.setenv("GITHUB_ACTOR", "ada-at-github")
    assert who() == "ada-at-github"


def test_an_entry_of_another_stack_is_ignored_and_reported(folder: Folder) -> None:
    audit_log, other = AuditLog(folder, PROD), AuditLog(folder, STAGING)
    other.add(replace(ENTRY, at="2026-03-01T10:00:00Z"))
    (copied,) = (path.name for path in (folder.root / str(STAGING) / "audit-log").iterdir())
    folder.write_text(f"{PROD}/audit-log/{copied}", folder.read_text(f"{STAGING}/audit-log/{copied}") or "")
    audit_log.add(ENTRY)
    found, complaints = audit_log.survey(newest=1)
    assert found == [replace(ENTRY, owner=str(PROD))]
    assert len(complaints) == 1
    assert complaints[0].problem == (
        f"{PROD}/audit-log/{copied} belongs to {STAGING}, but is stored under {PROD}, so it is ignored."
    )
    assert audit_log.newest({"wipe"}) == found[0]
    assert audit_log.newest({"restart"}) is None
