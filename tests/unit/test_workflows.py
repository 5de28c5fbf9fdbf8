"""The workflows: what they may do, what they call, and what two checkers of such files say of them."""

from __future__ import annotations

import functools
import itertools
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from ops.main import app
from ops.review.living import STALE
from tests.support.stacks import stack_file
from toolchain import actionlint

PROJECT = Path(__file__).parents[2]
GITHUB = PROJECT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
OURS = re.compile(r"uses: \$/(\.github/actions/[\w-]+)$")
READS = {"contents": "read"}
WRITES = {"contents", "issues", "pull-requests"}
NOT_A_FORK = "github.event.pull_request.head.repo.full_name == github.repository"
NO_PULL_REQUEST = "github.event_name != 'pull_request'"
# What people outside can choose. It would be part of the script, where anything may be written in it.
FREE = re.compile(r"\$\{\{[^}]*(github\.event\.|github\.head_ref|inputs\.|steps\.|needs\.)")
GIVEN = {"NUMBER": "7", "RECEIPT": "{}", "GITHUB_BASE_REF": "main", "GITHUB_STEP_SUMMARY": "summary.md"}


@functools.cache
def loaded(path: Path) -> dict[Any, Any]:
    return dict(yaml.safe_load(path.read_text()))


def triggers(workflow: dict[Any, Any]) -> set[str]:
    """YAML reads the key `on` as true."""
    return set(workflow[True])


def jobs() -> list[Any]:
    return [pytest.param(path, name, id=f"{path.stem}-{name}") for path in WORKFLOWS for name in loaded(path)["jobs"]]


def steps() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each step, where it is, and the variables that it has."""
    for path in WORKFLOWS:
        for name, job in loaded(path)["jobs"].items():
            for step in job["steps"]:
                yield (
                    f"{path.stem}-{name}",
                    step,
                    {**loaded(path).get("env", {}), **job.get("env", {}), **step.get("env", {})},
                )
    for path in ACTIONS:
        for step in loaded(path)["runs"]["steps"]:
            yield path.parent.name, step, {}


def calls() -> list[Any]:
    """Every call of ours, as a shell would make it: one for each value that a variable may have."""
    found = []
    for where, step, variables in steps():
        for line in re.findall(r"\.venv/bin/oracle ([^\n]*)", step.get("run", "")):
            found += [pytest.param(words, id=f"{where}: {' '.join(words)}") for words in shell(line, variables)]
    return found


def shell(line: str, variables: dict[str, Any]) -> Iterator[list[str]]:
    inner = re.sub(r"\$\(.*?(--[\w-]+)\)", r"\1", line)  # an option that a condition adds
    words = shlex.split(inner.removesuffix(")"))
    yield from map(list, itertools.product(*([*values(word, variables)] for word in words)))


def values(word: str, variables: dict[str, Any]) -> list[str]:
    name = word.removeprefix("$")
    if word == name:
        return [re.sub(r"\$(\w+)", lambda found: GIVEN[found[1]], word)]
    if name in GIVEN:
        return [GIVEN[name]]
    return re.findall(r"'(--[\w-]+)'", variables[name])


def command(words: list[str]) -> None:
    """Has the command's own parser read its words. Raises click's errors."""
    program: Any = typer.main.get_command(app)
    found = program.get_command(None, words[0])
    assert found is not None, f"there is no command {words[0]}"
    found.make_context(words[0], words[1:])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_only_read_unless_a_job_says_more(path: Path) -> None:
    workflow = loaded(path)
    assert workflow["permissions"] == READS
    assert "pull_request_target" not in triggers(workflow)
    assert "workflow_run" not in triggers(workflow)
    assert workflow["concurrency"]["group"]


@pytest.mark.parametrize("path, name", jobs())
def test_a_job_has_the_least(path: Path, name: str) -> None:
    workflow = loaded(path)
    job = workflow["jobs"][name]
    assert job["timeout-minutes"] <= 60
    assert job["runs-on"] == "ubuntu-24.04"
    granted = job.get("permissions", READS)
    assert {scope for scope, may in granted.items() if may == "write"} <= WRITES
    secret = "secrets." in yaml.safe_dump(job)
    if secret:
        assert job["environment"], "a job with secrets has an environment, where somebody decides who may use them"
        assert granted.get("contents") == "read", "what deploys cannot write to the repository"
        if "pull_request" in triggers(workflow):
            guard = " ".join(job["if"].split())
            assert guard.startswith((NOT_A_FORK, NO_PULL_REQUEST)), guard
            assert not re.search(r"\|\|(?![^(]*\))", guard), "an alternative outside brackets goes past the guard"
    if granted.get("contents") == "write":
        assert not secret


def test_what_runs_by_the_clock_waits_for_no_approval() -> None:
    """It has an environment of its own, which only main may use, beside the one that a pull request's code runs in."""
    by_event: dict[str, set[str]] = {"schedule": set(), "pull_request": set()}
    for path in WORKFLOWS:
        for job in loaded(path)["jobs"].values():
            if "environment" in job:
                other = job.get("if", "").startswith(NO_PULL_REQUEST)
                for event in triggers(loaded(path)) & set(by_event):
                    if (event == "schedule") is other or len(triggers(loaded(path)) & set(by_event)) == 1:
                        by_event[event].add(job["environment"])
    assert by_event == {"schedule": {"backup", "drift", "sweep"}, "pull_request": {"preview", "review"}}


def test_what_deploys_is_never_stopped_in_the_middle() -> None:
    for name in ("deploy", "promote", "review"):
        assert loaded(GITHUB / "workflows" / f"{name}.yml")["concurrency"]["cancel-in-progress"] is False


def test_a_lock_that_is_stale_can_be_no_jobs() -> None:
    for job in loaded(GITHUB / "workflows" / "review.yml")["jobs"].values():
        assert timedelta(minutes=job["timeout-minutes"]) < STALE


def test_what_is_used_is_pinned_by_its_commit() -> None:
    for path in [*WORKFLOWS, *ACTIONS]:
        for line in filter(lambda line: "uses:" in line, path.read_text().splitlines()):
            ours = OURS.search(line)
            assert ours or PINNED.search(line), f"{path.name}: {line}"
            if ours:
                assert (PROJECT / ours[1] / "action.yml").is_file()


def test_no_checkout_leaves_its_token_behind() -> None:
    found = [(where, step) for where, step, _ in steps() if "actions/checkout@" in step.get("uses", "")]
    assert len(found) >= 10
    for where, step in found:
        assert step["with"]["persist-credentials"] is False, where


def test_no_script_has_words_of_other_peoples_in_it() -> None:
    for where, step, _ in steps():
        assert not FREE.search(step.get("run", "")), where


@pytest.mark.parametrize("words", calls())
def test_each_step_calls_a_command_that_there_is(words: list[str]) -> None:
    command(words)


def test_a_step_that_calls_what_there_is_not_would_be_seen() -> None:
    (words,) = shell('review "$NUMBER" --forever', {})
    with pytest.raises(Exception, match="No such option: --forever"):
        command(words)
    assert [*shell('promote a b "$HOW"', {"HOW": "${{ inputs.x && '--yes' || '--json' }}"})] == [
        ["promote", "a", "b", "--yes"],
        ["promote", "a", "b", "--json"],
    ]


def test_the_stacks_checkouts_are_all_there() -> None:
    """What the stack files name beside this repository is what the action checks out beside it."""
    named = set()
    for stack in ("staging", "prod"):
        config = loaded(stack_file(stack))["config"]
        for section in (config["oracle-net:backend"], *config["oracle-net:workers"].values()):
            named.add(section["path"].removeprefix("../"))
    checked_out = {step["with"]["path"] for step in loaded(ACTIONS[0])["runs"]["steps"] if "with" in step}
    assert checked_out == {*named, "network"}


def test_zizmor_finds_nothing() -> None:
    own = Path(sys.prefix) / "bin" / "zizmor"
    program = own if own.exists() else shutil.which("zizmor")
    assert program, "zizmor is not installed: make tools"
    run = subprocess.run(
        [program, "--offline", "--no-progress", "--color=never", GITHUB], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow  # its first build takes a minute
def test_actionlint_finds_nothing() -> None:
    done = subprocess.run(
        [actionlint.ensure(), "-no-color", "-shellcheck=", "-pyflakes="],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
