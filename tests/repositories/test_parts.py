"""Commit messages, errors of the configuration, and sentences for the errors of git."""

from __future__ import annotations

from pathlib import Path

import pytest

import advice
from errors import First, Fix, Remedy, UserError
from repositories.configuration import load
from repositories.failures import KNOWN, KnownFailure, git_failure
from repositories.messages import made_from
from repositories.staging import Change

ROOT = Path(__file__).parents[2]


def changes(kind: str, *paths: str) -> list[Change]:
    return [Change(kind, path) for path in paths]


MESSAGES = [
    (changes("Update", "src/a.ts"), "Update src/a.ts"),
    ([Change("Rename", "b.ts", "a.ts")], "Rename a.ts to b.ts"),
    (changes("Delete", "new\nline"), "Delete new\\nline"),
    (changes("Update", "src/a.ts", "src/b.ts", "src/c.ts"), "Update 3 files in src: a.ts, b.ts, c.ts"),
    (changes("Add", "src/x/a", "src/y/b", "src/c", "src/d"), "Add 4 files in src: x/a, y/b, c and 1 more"),
    (changes("Update", "src/a", "b"), "Update 2 files: src/a, b"),
    (
        changes("Update", "a") + changes("Add", "b") + changes("Delete", "c"),
        "Change 3 files (1 new, 1 deleted): a, b, c",
    ),
]


@pytest.mark.parametrize("change, message", MESSAGES)
def test_a_message_is_made_from_the_changes(change: list[Change], message: str) -> None:
    assert made_from(change) == message


def test_a_long_message_has_a_short_first_line() -> None:
    many = made_from(changes("Update", *(f"src/{'x' * 40}/{number}.ts" for number in range(50))))
    first, empty, *listed = many.split("\n")
    assert (len(first) <= 72, empty) == (True, "")
    assert listed[-1] == "- and 30 more"
    one = made_from(changes("Add", f"{'d' * 80}/{'f' * 80}")).split("\n")
    assert len(one[0]) <= 72
    assert one[2] == f"Add {'d' * 80}/{'f' * 80}"


def test_the_projects_own_list_is_valid() -> None:
    config = load(ROOT)
    assert [each.service for each in config.repositories] == ["backend", "api", "web", "universe", None]


ENTRY = "{name: a, path: ../a, what: x, service: null}"
WRONG = {
    "map: x": "repositories.yaml: repositories is missing.",
    f"map: /x\nrepositories: [{ENTRY}]": "map should be a path relative to the project",
    f"map: x\nrepositories: [{ENTRY}, {ENTRY}]": "has the name a twice",
    "map: x\nrepositories: [{name: a, path: ../a, service: null}]": "repositories[0].what is missing",
    "map: x\nrepositories: [{name: a, path: b, what: x, service: Db}]": "repositories[0].service should match",
    "map: x\nrepositories: [{name: -a, path: b, what: x, service: null}]": "repositories[0].name should match",
    "map: x\nrepositories: []": "repositories should have at least 1 item",
    f"map: x\nurl: y\nrepositories: [{ENTRY}]": "url is not a known key",
    "map: [": "is not YAML",
    "": "should be",
}


@pytest.mark.parametrize("text", sorted(WRONG))
def test_an_invalid_list_is_reported_in_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "repositories.yaml").write_text(text)
    with pytest.raises(UserError) as raised:
        load(tmp_path)
    assert WRONG[text] in str(raised.value)
    lines = advice.text(raised.value, "", "oracle commit-all").splitlines()
    assert [line.rpartition(" Fix: ")[2] for line in lines] == ["edit repositories.yaml, then run `oracle commit-all`."]


def test_a_missing_list_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^repositories\.yaml does not exist\.$") as raised:
        load(tmp_path)
    assert raised.value.helps == (Fix("git checkout repositories.yaml", "to restore it"),)


def test_an_unknown_name_names_those_there_are() -> None:
    with pytest.raises(UserError, match=r"^There is no repository nothing\.$") as raised:
        load(ROOT).named(["nothing"])
    (help,) = raised.value.helps
    assert isinstance(help, First)
    assert help.action.startswith("choose one of oracle-net-web, oracle-universe-api, ")


SAID = {
    "ssh: Could not resolve hostname x: Temporary failure\nfatal: Could not read from remote.": "cannot be reached",
    "git@github.com: Permission denied (publickey).\nfatal: Could not read from remote repository.": "refused access",
    "remote: Repository not found.\nfatal: repository 'https://github.com/a/b/' not found": "does not exist",
    "fatal: unable to access 'http://x/': The requested URL returned error: 403": "refused access",
    "fatal: unable to access 'http://x/': Failed to connect to x port 80": "cannot be reached",
    "fatal: detected dubious ownership in repository at '/x'": "another user",
    "fatal: something new with https://ada:pw@host/x": "Looking failed: fatal: something new with https://***@host/x",
}


@pytest.mark.parametrize("said", sorted(SAID))
def test_each_error_of_git_becomes_one_sentence(said: str) -> None:
    text = advice.text(git_failure(said, "../a", "Looking"), "", "oracle commit-all")
    assert SAID[said] in text
    assert "\n" not in text
    assert "pw" not in text
    assert "<" not in text


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: str(known.problem))
def test_every_known_failure_has_a_command(known: KnownFailure) -> None:
    command = known.help.command if isinstance(known.help, Fix) else ""
    assert command.startswith(("git ", "ls ")) or known.help == First("wait until it can be reached", Remedy.RETRY)
    assert known.problem.endswith(".")
