"""The workflows: their permissions, the commands they call, and the findings of two linters."""

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

import yaml_text
from cli.main import app
from cli.preview_env.lifecycle import STALE
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
NO_PULL_REQUEST = ("github.event_name != 'pull_request'", "github.event_name == 'push'")
CALLED = "workflow_call"
READS_SOURCES = f"${{{{ {NOT_A_FORK} && secrets.CHECKOUTS_TOKEN || github.token }}}}"
"""The one secret that a job may have without an environment: it reads repositories, and forks do not get it."""
# What people outside can choose. It would be part of the script, where anything may be written in it.
FREE = re.compile(r"\$\{\{[^}]*(github\.event\.|github\.head_ref|inputs\.|steps\.|needs\.)")
GIVEN = {
    "NUMBER": "7",
    "RECEIPT": "{}",
    "GITHUB_BASE_REF": "main",
    "GITHUB_STEP_SUMMARY": "summary.md",
    "SERVICE": "api",
    "STACK": "staging",
}


@functools.cache
def loaded(path: Path) -> dict[Any, Any]:
    return dict(yaml_text.load(path.read_text()))


SERVICE = loaded(GITHUB / "workflows" / "service.yml")
HOW_TO = PROJECT / "docs" / "how-to" / "service-ci.md"


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
    whole = re.fullmatch(r"\$(\w+)", word)
    if whole and whole[1] not in GIVEN:
        return re.findall(r"'(--[\w-]+)'", variables[whole[1]])
    return [re.sub(r"\$(\w+)", lambda found: GIVEN[found[1]], word)]


def command(words: list[str]) -> None:
    """Has the command's own parser read its words. Raises click's errors."""
    program: Any = typer.main.get_command(app)
    found = program.get_command(None, words[0])
    assert found is not None, f"there is no command {words[0]}"
    found.make_context(words[0], words[1:])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_have_read_permission_by_default(path: Path) -> None:
    workflow = loaded(path)
    assert workflow["permissions"] == READS
    assert "pull_request_target" not in triggers(workflow)
    assert "workflow_run" not in triggers(workflow)
    each = workflow["jobs"].values() if CALLED in triggers(workflow) else [workflow]
    assert all(limited["concurrency"]["group"] for limited in each)


@pytest.mark.parametrize("path, name", jobs())
def test_each_job_has_only_the_permissions_it_needs(path: Path, name: str) -> None:
    workflow = loaded(path)
    job = workflow["jobs"][name]
    assert job["timeout-minutes"] <= 60
    assert job["runs-on"] == "ubuntu-24.04"
    granted = job.get("permissions", READS)
    assert {scope for scope, may in granted.items() if may == "write"} <= WRITES
    secret = "secrets." in yaml.safe_dump(job, width=1000).replace(READS_SOURCES, "")
    if secret:
        assert job["environment"], "a job with secrets has an environment, where somebody decides who may use them"
        assert granted.get("contents") == "read", "what deploys cannot write to the repository"
        if {"pull_request", CALLED} & triggers(workflow):
            guard = " ".join(job["if"].split())
            assert guard.startswith((NOT_A_FORK, *NO_PULL_REQUEST)), guard
            assert not re.search(r"\|\|(?![^(]*\))", guard), "an alternative outside brackets goes past the guard"
    if granted.get("contents") == "write":
        assert not secret


def test_scheduled_jobs_use_environments_without_approval() -> None:
    """They have their own environment, which only main may use, apart from that of pull requests."""
    by_event: dict[str, set[str]] = {"schedule": set(), "pull_request": set()}
    for path in WORKFLOWS:
        for job in loaded(path)["jobs"].values():
            if "environment" in job:
                other = job.get("if", "").startswith(NO_PULL_REQUEST)
                for event in triggers(loaded(path)) & set(by_event):
                    if (event == "schedule") is other or len(triggers(loaded(path)) & set(by_event)) == 1:
                        by_event[event].add(job["environment"])
    assert by_event == {"schedule": {"backup", "drift", "sweep"}, "pull_request": {"preview", "review"}}


def test_a_deploying_workflow_is_never_cancelled() -> None:
    for name in ("deploy", "promote", "review"):
        assert loaded(GITHUB / "workflows" / f"{name}.yml")["concurrency"]["cancel-in-progress"] is False
    assert SERVICE["jobs"]["deploy"]["concurrency"]["cancel-in-progress"] is False


def test_no_job_lasts_as_long_as_a_stale_lock() -> None:
    jobs = loaded(GITHUB / "workflows" / "review.yml")["jobs"]
    assert jobs
    for job in jobs.values():
        assert timedelta(minutes=job["timeout-minutes"]) < STALE


def test_actions_are_pinned_by_commit() -> None:
    uses = [
        (path.name, line)
        for path in [*WORKFLOWS, *ACTIONS]
        for line in path.read_text().splitlines()
        if "uses:" in line
    ]
    assert uses
    for name, line in uses:
        ours = OURS.search(line)
        assert ours or PINNED.search(line), f"{name}: {line}"
        if ours:
            assert (PROJECT / ours[1] / "action.yml").is_file()


def test_two_services_of_one_repository_do_not_cancel_each_other() -> None:
    assert SERVICE["jobs"]
    for job in SERVICE["jobs"].values():
        assert "inputs.service" in job["concurrency"]["group"]


def test_a_service_is_deployed_from_its_own_commit_with_the_newest_program() -> None:
    """The checkout of the calling repository is that of `actions/checkout` without `repository` and `ref`."""
    assert SERVICE["jobs"]
    for name, job in SERVICE["jobs"].items():
        ours, own, *siblings = [step["with"] for step in job["steps"] if "uses" in step]
        assert (ours["repository"], ours["path"]) == ("${{ job.workflow_repository }}", "network"), name
        assert own["path"] == "${{ inputs.path || github.event.repository.name }}"
        assert not {"ref", "repository", "token"} & set(own)
        assert bool(siblings) is (name == "rehearsal"), "a deploy and a preview keep what runs of the others"
        assert job["defaults"]["run"]["working-directory"] == "network"


def test_a_rehearsal_has_the_checkouts_of_the_other_workers() -> None:
    """It needs no checkout of the backend, since a rehearsal runs no containers."""
    siblings = [step for step in SERVICE["jobs"]["rehearsal"]["steps"] if "!=" in step.get("if", "")]
    assert {step["with"]["path"] for step in siblings} == named_checkouts() - {"oracle-universe-backend"}
    for step in siblings:
        path = step["with"]["path"]
        assert step["if"] == f"(inputs.path || github.event.repository.name) != '{path}'"
        assert step["with"]["repository"] == "${{ github.repository_owner }}/" + path


def test_the_documented_lines_of_a_services_repository_are_complete() -> None:
    """They pass every secret by name, and grant exactly the permissions that the jobs ask for."""
    (example,) = re.findall(r"```yaml\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    caller: dict[Any, Any] = yaml_text.load(example)
    (job,) = caller["jobs"].values()
    assert job["uses"].endswith("/.github/workflows/service.yml@main")
    assert job["secrets"] == {name: f"${{{{ secrets.{name} }}}}" for name in SERVICE[True][CALLED]["secrets"]}
    assert set(job["with"]) <= set(SERVICE[True][CALLED]["inputs"])
    assert triggers(caller) == {"push", "pull_request"}
    asked: dict[str, str] = {}
    for each in SERVICE["jobs"].values():
        asked |= each.get("permissions", READS)
    assert (caller["permissions"], job["permissions"]) == ({}, asked)


def test_no_checkout_leaves_its_token_behind() -> None:
    found = [(where, step) for where, step, _ in steps() if "actions/checkout@" in step.get("uses", "")]
    assert len(found) >= 19
    for where, step in found:
        assert step["with"]["persist-credentials"] is False, where


def test_no_script_contains_untrusted_input() -> None:
    found = list(steps())
    assert found
    for where, step, _ in found:
        assert not FREE.search(step.get("run", "")), where


@pytest.mark.parametrize("words", calls())
def test_each_step_calls_an_existing_command(words: list[str]) -> None:
    command(words)


def test_a_call_of_an_unknown_option_is_detected() -> None:
    (words,) = shell('review "$NUMBER" --forever', {})
    with pytest.raises(Exception, match="No such option: --forever"):
        command(words)
    assert [*shell('promote a b "$HOW"', {"HOW": "${{ inputs.x && '--yes' || '--json' }}"})] == [
        ["promote", "a", "b", "--yes"],
        ["promote", "a", "b", "--json"],
    ]


def test_the_workflows_check_out_every_folder_that_a_stack_names() -> None:
    """These are the folders beside this repository in the stack files."""
    checked_out = {step["with"]["path"] for step in loaded(ACTIONS[0])["runs"]["steps"] if "with" in step}
    assert checked_out == {*named_checkouts(), "network"}


def named_checkouts() -> set[str]:
    named = set()
    for stack in ("staging", "prod"):
        config = loaded(stack_file(stack))["config"]
        for section in (config["oracle-net:backend"], *config["oracle-net:workers"].values()):
            named.add(section["path"].removeprefix("../"))
    return named


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
