"""The help screen, the table of commands, shell completion, and the pages and skills that describe commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from cli import completion
from cli.engine.workspace import PROJECT, Stack
from cli.help import Entry
from cli.main import COMMANDS, app
from cli.stack_argument import Invocation
from storage.backups import Folder
from tests.support.owners import owner
from tests.support.stacks import LOCAL
from tests.unit.commands import PAGE, page

SKILLS = PROJECT / ".claude" / "skills"
# Another program's options, which a skill speaks of.
FOREIGN = frozenset({"--no-verify"})
BY_NAME = ("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
"""The shell is named, since tests may have none above them."""


def command(name: str) -> Any:
    program: Any = typer.main.get_command(app)
    return program.get_command(None, name)


def completed(words: str, shell: str = "bash") -> list[str]:
    """What Tab offers for the last word."""
    said = {"COMP_WORDS": words, "COMP_CWORD": str(len(f"{words}x".split()) - 1)}
    said |= {"_TYPER_COMPLETE_ARGS": words, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = CliRunner().invoke(app, [], prog_name="oracle", env={**said, "_ORACLE_COMPLETE": f"complete_{shell}"})
    return done.output.split() if shell == "bash" else done.output.splitlines()


def test_the_generated_page_of_commands_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "write it again: python -m tests.unit.commands"


@pytest.mark.parametrize("arguments", [["--help"], []])
@pytest.mark.parametrize("columns", ["60", "200"])
def test_the_help_lists_each_command_in_its_panel(arguments: list[str], columns: str) -> None:
    done = CliRunner().invoke(app, arguments, prog_name="oracle", env={"COLUMNS": columns})
    panels = re.split(r"╭─ (.+?) ─+╮\n", done.output)
    texts = {
        title: " ".join(text.replace("│", " ").split()) for title, text in zip(panels[1::2], panels[2::2], strict=True)
    }
    assert [title for title in texts if title != "Options"] == list(dict.fromkeys(entry.panel for entry in COMMANDS))
    assert all(f"{entry.name} {entry.summary}" in texts[entry.panel] for entry in COMMANDS)


def test_every_command_is_in_the_table_once() -> None:
    there = {path.stem for path in (PROJECT / "cli" / "commands").glob("*.py")} - {"__init__", "options"}
    assert sorted(entry.name.replace("-", "_") for entry in COMMANDS) == sorted(there)


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_each_entry_of_the_table_matches_its_command(entry: Entry) -> None:
    found = command(entry.name)
    assert found.name == entry.name
    assert found.help
    assert found.rich_help_panel == entry.panel
    assert re.fullmatch(r"[A-Z][a-z]+,? .+\.", entry.summary)
    assert len(entry.name) <= 10


def test_an_unknown_command_gets_the_nearest_one_suggested() -> None:
    done = CliRunner().invoke(app, ["wip"])
    assert done.exit_code == 2
    assert "'wipe'" in done.output


def test_help_and_completion_do_not_import_heavy_modules() -> None:
    """The user waits for Tab and for --help."""
    said = "import sys; from cli.main import app\ntry: app()\nfinally: print(sorted(sys.modules), file=sys.stderr)"
    for words in ({}, {"_ORACLE_COMPLETE": "complete_bash", "COMP_WORDS": "oracle w", "COMP_CWORD": "1"}):
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.argv = ['oracle', '--help']\n{said}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            cwd=PROJECT,
            env={**os.environ, **words},
        )
        assert "wipe" in done.stdout
        names = ("httpx", "storage", "boto3", "jinja2", "cli.commands.wipe")
        assert not [name for name in names if f"'{name}'" in done.stderr]


@pytest.mark.parametrize(
    "words, offered",
    [
        ("oracle re", ["rehearse", "repo-map", "restore", "recover", "receipt", "review"]),
        ("oracle wipe --un", ["--undo"]),
        ("oracle wipe st", ["staging"]),
        ("oracle doctor --stack ", ["local", "prod", "staging"]),
        ("oracle build a", ["api"]),
        ("oracle build api un", ["universe"]),
        ("oracle cloud st", ["start", "stop", "status"]),
        ("oracle commit-all --repo oracle-net", ["oracle-net-web"]),
        ("oracle up --plugins off", ["official", "offline"]),
    ],
)
def test_completion_offers_matching_words(words: str, offered: list[str]) -> None:
    assert completed(words) == offered


def test_completion_works_in_other_shells() -> None:
    assert "api" in "".join(completed("oracle build a", "zsh"))
    assert completed("oracle build a", "fish") == ["api\toracle-universe-api"]


def test_runs_and_backups_are_offered_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Pulumi.local.yaml").write_text(LOCAL.read_text())
    for run in ("20261122-1-deploy", "20261123-1-wipe"):
        (tmp_path / ".oracle" / "runs" / str(owner()) / run).mkdir(parents=True)
        (tmp_path / ".oracle" / "runs" / str(owner()) / run / "run.json").touch()
    kept = Folder(tmp_path / ".oracle" / "backups")
    for name in ("g1-20261122", "g2-20261123"):
        kept.write_text(f"{owner()}/{name}.json", "{}")
        kept.write_text(f"{owner()}/{name}.zip", "")
        kept.write_text(f"{owner('local-2')}/{name}-of-another.json", "{}")
    monkeypatch.setattr(completion, "PROJECT", tmp_path)
    monkeypatch.setattr(completion, "Stack", lambda name: Stack(name, tmp_path))
    assert completion.runs("") == ["20261123-1-wipe", "20261122-1-deploy"]
    assert completion.runs("20261122") == ["20261122-1-deploy"]
    assert completion.runs("*/../") == []
    assert completed("oracle restore ") == ["g2-20261123", "g1-20261122"]
    assert completed("oracle restore g1") == ["g1-20261122"]
    (tmp_path / "Pulumi.local.yaml").write_text("config: {}\n")
    assert completed("oracle restore ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_can_be_shown_and_installed(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(*BY_NAME)
    shown = CliRunner().invoke(app, ["--show-completion", shell], prog_name="oracle")
    assert f"_ORACLE_COMPLETE=complete_{shell}" in shown.output
    done = CliRunner().invoke(app, ["--install-completion", shell], prog_name="oracle")
    assert done.exit_code == 0
    (script,) = (path for path in tmp_path.rglob("*oracle*") if path.is_file())
    assert f"_ORACLE_COMPLETE=complete_{shell}" in script.read_text()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_completion_works_in_a_real_bash(monkeypatch: pytest.MonkeyPatch) -> None:
    """The installed script runs in bash itself, with the words as bash passes them."""
    monkeypatch.setenv(*BY_NAME)
    script = CliRunner().invoke(app, ["--show-completion", "bash"], prog_name="oracle").output
    press = "COMP_WORDS=(oracle wipe --un); COMP_CWORD=2; _oracle_completion oracle; echo ${COMPREPLY[@]}"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", f"{script}\n{press}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PATH": path},
    )
    assert done.stdout.split() == ["--undo"]


@pytest.mark.parametrize("skill", sorted(path.parent.name for path in SKILLS.glob("*/SKILL.md")))
def test_a_skill_is_short_and_names_existing_commands(skill: str) -> None:
    text = (SKILLS / skill / "SKILL.md").read_text()
    head = re.match(r"---\nname: (.+)\ndescription: (.+)\n---\n", text)
    assert head
    assert head[1] == skill
    assert len(text.splitlines()) <= 35
    assert "Stop and ask" in text
    main = re.search(r"Run `oracle ([a-z-]+)", text)
    assert main
    known = {entry.name for entry in COMMANDS}
    named = set(re.findall(r"`oracle ([a-z-]+)", text))
    assert named <= known
    theirs = {option for name in named for parameter in command(name).params for option in parameter.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= theirs | FOREIGN


def test_the_skills_cover_the_daily_procedures() -> None:
    assert {path.parent.name for path in SKILLS.glob("*/SKILL.md")} >= {
        "deploy",
        "wipe-backend",
        "commit-all",
        "status",
        "promote",
        "drift",
    }


def test_doctor_prints_valid_json() -> None:
    done = CliRunner().invoke(app, ["doctor", "--json", "--stack", "nowhere"])
    document = json.loads(done.output)
    assert (done.exit_code, document["level"]) == (1, "fail")


@pytest.mark.parametrize(
    "words", ["status prod", "status --stack prod", "status -s prod", "wipe prod", "wipe --stack=prod"]
)
def test_the_stack_is_given_as_argument_or_option(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, *rest = words.split()
    asked: list[str] = []
    found = command(name)
    monkeypatch.setattr(found, "callback", lambda **options: asked.append(options["stack"]))
    with found.make_context(name, rest) as ctx:
        found.invoke(ctx)
    assert asked == ["prod"]


@pytest.mark.parametrize(
    "words", ["status prod staging", "status local --stack prod", "wipe local --stack prod", "wipe -s"]
)
def test_two_stacks_are_refused(words: str) -> None:
    result = CliRunner().invoke(app, words.split())
    assert result.exit_code == 2
    assert "unexpected extra argument" in result.output or "No such option" in result.output


@pytest.mark.parametrize(
    "words, typed",
    [
        ("status prod", "oracle status prod"),
        ("status", "oracle status --stack local"),
        ("console backend -- ls -l", "oracle console backend --stack local -- ls -l"),
    ],
)
def test_the_typed_command_names_the_stack(words: str, typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, *rest = words.split()
    monkeypatch.setattr("sys.argv", ["oracle", name, *rest])
    invocation = Invocation()
    with command(name).make_context(name, rest) as context:
        invocation.read(context)
    assert invocation.command == typed
