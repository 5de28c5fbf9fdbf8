"""The parts of a rehearsal: revisions, an environment without credentials, a report."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cli.engine.revisions import Revisions, git, revisions
from cli.engine.stacks import TEMPLATE
from cli.engine.workspace import Stack
from cli.rehearse.markdown import markdown, sentence
from cli.rehearse.rehearsal import Part, Rehearsal, Report, bare, expected
from cli.rehearse.service_checkouts import find
from cli.ui.errors import CommandError
from tests.support.errors import refused
from tests.support.stacks import LOCAL

WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """main has commits one and two; side parted at one and has three."""
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path)], check=True)
    for branch, message in (("main", "one"), ("main", "two"), ("side", "three")):
        if branch == "side":
            git(tmp_path, "checkout", "-q", "-b", "side", "main~1")
        git(tmp_path, *WHO, "commit", "-q", "--allow-empty", "-m", message)
    return tmp_path


def named(repository: Path, asked: str) -> tuple[str, str]:
    found = revisions(repository, asked)
    return tuple(git(repository, "log", "-1", "--format=%s", each) for each in (found.base, found.head))  # type: ignore[return-value]


@pytest.mark.parametrize(
    "asked, found",
    [
        ("main~1..main", ("one", "two")),
        ("main..", ("two", "three")),
        ("main", ("two", "three")),
        ("main...side", ("one", "three")),
    ],
)
def test_a_range_of_revisions_is_read_as_in_git(repository: Path, asked: str, found: tuple[str, str]) -> None:
    assert named(repository, asked) == found


@pytest.mark.parametrize("asked", ["nowhere..main", "main..nowhere", "..main", "--all..main"])
def test_an_unknown_revision_is_refused(repository: Path, asked: str) -> None:
    with refused(r"^There is no revision .*\. Fix: run `git log --oneline` to see the revisions\.$"):
        revisions(repository, asked)


def test_the_environment_contains_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = ("DIGITALOCEAN_TOKEN", "CLOUDFLARE_API_TOKEN", "AWS_SECRET_ACCESS_KEY", "PULUMI_ACCESS_TOKEN", "GH_TOKEN")
    for name in (*secret, "PULUMI_CONFIG_PASSPHRASE", "ORACLE_ENV_BEFORE", "VIRTUAL_ENV", "PYTHONPATH", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "planted")
    monkeypatch.setenv("HOME", "/kept")
    assert "planted" not in bare().values()
    assert bare()["HOME"] == "/kept"


def test_an_unexpected_number_is_a_failure() -> None:
    assert expected("after the wipe", 0, 0) == 0
    with pytest.raises(CommandError, match=r"^The rehearsal found 2 after the wipe, but expected 0\."):
        expected("after the wipe", 2, 0)


def test_a_failed_command_is_reported_with_the_cause_that_it_printed(tmp_path: Path) -> None:
    rehearsal = Rehearsal(tmp_path, tmp_path, Revisions("", "", ""), find(tmp_path, "staging", {}), lambda _: None)
    oracle = rehearsal._clone / ".venv/bin/oracle"
    oracle.parent.mkdir(parents=True)
    oracle.write_text("#!/bin/sh\necho 'oracle: api does not answer'\necho 'a line more'\nexit 1\n")
    oracle.chmod(0o755)
    with refused(r"^`oracle up` failed in the rehearsal: api does not answer"):
        rehearsal._oracle("up")
    assert rehearsal.log.read_text() == f"\n$ {oracle} up\noracle: api does not answer\na line more\n"


def report(error: str = "") -> Report:
    made = Report(Revisions("a..b", "a" * 40, "b" * 40), ["web: ../web at <1>"], error=error)
    made.parts += [Part("base up", 12.34, "answers", "* web  update  ###"), Part("wipe", 3.0, "0 records")]
    made.reads, made.failed = 70, {"503": 2}
    return made


def test_the_report_lists_steps_reads_and_the_timeline() -> None:
    assert sentence(report()) == "Rehearsed in 15 s: 70 reads, 2 failed."
    assert markdown(report()) == (
        "### Rehearsal of `aaaaaaaaaa..bbbbbbbbbb`\n\n- web: ../web at &lt;1>\n\n"
        "| step | seconds | |\n|---|---:|---|\n| base up | 12.3 | answers |\n| wipe | 3.0 | 0 records |\n\n"
        "Reads during the rehearsal: 70, failed: 2 (2 x 503).\n\n"
        "<details><summary>Timeline: base up</summary>\n\n```text\n* web  update  ###\n```\n\n</details>\n"
    )


def test_markup_in_a_failure_is_escaped() -> None:
    assert "**It failed.** a &lt;img> 'x' next" in markdown(report("a <img> `x`\nnext"))


def test_each_revision_gets_a_local_stack_on_the_rehearsals_ports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older revision has Pulumi.local.yaml in git; the newer one has only the template; and the reverse."""
    project = tmp_path / "project"
    (project / TEMPLATE).parent.mkdir(parents=True)
    (project / "Pulumi.local.yaml").write_text(LOCAL.read_text())
    git(project, "init", "-q", "-b", "main")
    for step in ("tracked", "template"):
        git(project, "add", "-A")
        git(project, *WHO, "commit", "-q", "-m", step)
        git(project, "tag", step)
        if step == "tracked":
            (project / "Pulumi.local.yaml").rename(project / TEMPLATE)
            (project / ".gitignore").write_text("Pulumi.*.yaml\n.oracle\n")
    services = find(project, "staging", {})
    revisions = Revisions("", "tracked", "template")
    rehearsal = Rehearsal(project, tmp_path / "rehearsal", revisions, services, lambda _: None)
    monkeypatch.setattr(rehearsal, "_run", lambda *_: None)
    rehearsal._make_clones()
    stack = Stack("local", rehearsal._clone)
    for revision in ("tracked", "template", "tracked", "template"):
        rehearsal._checkout(revision)
        stack.file.write_text(stack.file.read_text() + "encryptionsalt: written-by-the-engine\n")
        assert (stack.cloud_port, stack.edge_port) == rehearsal._ports
        assert stack.settings().backend.app_name == "jellyfish-app"
