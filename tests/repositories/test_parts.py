"""Messages, the configuration's errors, and the sentences for what git says."""

from __future__ import annotations

from pathlib import Path

import pytest

from repositories.configuration import ConfigurationError, load
from repositories.failures import KNOWN, git_sentence
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
def test_messages(change: list[Change], message: str) -> None:
    assert made_from(change) == message


def test_long_messages_have_a_short_first_line() -> None:
    many = made_from(changes("Update", *(f"src/{'x' * 40}/{number}.ts" for number in range(50))))
    first, empty, *listed = many.split("\n")
    assert (len(first) <= 72, empty) == (True, "")
    assert listed[-1] == "- and 30 more"
    one = made_from(changes("Add", f"{'d' * 80}/{'f' * 80}")).split("\n")
    assert len(one[0]) <= 72
    assert one[2] == f"Add {'d' * 80}/{'f' * 80}"


def test_the_projects_own_list() -> None:
    config = load(ROOT)
    assert [each.service for each in config.repositories] == ["backend", "api", "web", "universe", None]


ENTRY = "{name: a, path: ../a, what: x, service: null}"
WRONG = {
    "map: x": "repositories.yaml: repositories is missing. Edit it.",
    f"map: /x\nrepositories: [{ENTRY}]": "map should be a path relative to the project",
    f"map: x\nrepositories: [{ENTRY}, {ENTRY}]": "has the name a twice",
    "map: x\nrepositories: [{name: a, path: ../a, service: null}]": "repositories[0].what is missing",
    "map: x\nrepositories: [{name: a, path: b, what: x, service: Db}]": "repositories[0].service should match",
    "map: x\nrepositories: [{name: -a, path: b, what: x, service: null}]": "repositories[0].name should match",
    "map: x\nrepositories: []": "repositories should have at least 1 item",
    f"map: x\nurl: y\nrepositories: [{ENTRY}]": "url is not a key it knows",
    "map: [": "is not YAML",
    "": "should be",
}


@pytest.mark.parametrize("text", sorted(WRONG))
def test_a_wrong_list_is_a_sentence_for_each_problem(tmp_path: Path, text: str) -> None:
    (tmp_path / "repositories.yaml").write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        load(tmp_path)
    assert WRONG[text] in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_no_list_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"repositories\.yaml does not exist"):
        load(tmp_path)


SAID = {
    "ssh: Could not resolve hostname x: Temporary failure\nfatal: Could not read from remote repository.": "reached",
    "git@github.com: Permission denied (publickey).\nfatal: Could not read from remote repository.": "let you in",
    "remote: Repository not found.\nfatal: repository 'https://github.com/a/b/' not found": "not there",
    "fatal: unable to access 'http://x/': The requested URL returned error: 403": "let you in",
    "fatal: unable to access 'http://x/': Failed to connect to x port 80": "reached",
    "fatal: detected dubious ownership in repository at '/x'": "another user",
    "fatal: something new with https://ada:pw@host/x": "Looking failed: fatal: something new with https://***@host/x",
}


@pytest.mark.parametrize("said", sorted(SAID))
def test_sentences(said: str) -> None:
    sentence = git_sentence(said, "../a", "Looking")
    assert SAID[said] in sentence
    assert "\n" not in sentence
    assert "pw" not in sentence


@pytest.mark.parametrize("sentence", [sentence for _, sentence in KNOWN])
def test_every_sentence_ends_in_a_command(sentence: str) -> None:
    assert any(word in sentence.rpartition(":")[2] + sentence for word in ("git ", "ls ", "oracle "))
