"""What a rehearsal is made of: revisions, an environment without credentials, a report."""

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
def test_revisions_are_named_as_git_names_them(repository: Path, asked: str, found: tuple[str, str]) -> None:
    assert named(repository, asked) == found


@pytest.mark.parametrize("asked", ["nowhere..main", "main..nowhere", "..main", "--all..main"])
def test_a_revision_that_is_none(repository: Path, asked: str) -> None:
    with refused(r"^There is no revision .*\. Fix: run `git log --oneline` to see the revisions\.$"):
        revisions(repository, asked)


def test_no_credential_and_no_tool_of_ours_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = ("DIGITALOCEAN_TOKEN", "CLOUDFLARE_API_TOKEN", "AWS_SECRET_ACCESS_KEY", "PULUMI_ACCESS_TOKEN", "GH_TOKEN")
    for name in (*secret, "PULUMI_CONFIG_PASSPHRASE", "ORACLE_ENV_BEFORE", "VIRTUAL_ENV", "PYTHONPATH", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "planted")
    monkeypatch.setenv("HOME", "/kept")
    assert "planted" not in bare().values()
    assert bare()["HOME"] == "/kept"


def test_another_number_than_expected_is_a_failure() -> None:
    assert expected("after the wipe", 0, 0) == 0
    with pytest.raises(CommandError, match=r"^The rehearsal found 2 after the wipe, but expected 0\."):
        expected("after the wipe", 2, 0)


def report(error: str = "") -> Report:
    made = Report(Revisions("a..b", "a" * 40, "b" * 40), ["web: ../web at <1>"], error=error)
    made.parts += [Part("base up", 12.34, "answers", "* web  update  ###"), Part("wipe", 3.0, "0 records")]
    made.reads, made.failed = 70, {"503": 2}
    return made


def test_the_report_of_a_rehearsal() -> None:
    assert sentence(report()) == "Rehearsed in 15 s: 70 reads, 2 failed."
    assert markdown(report()) == (
        "### Rehearsal of `aaaaaaaaaa..bbbbbbbbbb`\n\n- web: ../web at &lt;1>\n\n"
        "| step | seconds | |\n|---|---:|---|\n| base up | 12.3 | answers |\n| wipe | 3.0 | 0 records |\n\n"
        "Reads during the rehearsal: 70, failed: 2 (2 x 503).\n\n"
        "<details><summary>Timeline: base up</summary>\n\n```text\n* web  update  ###\n```\n\n</details>\n"
    )


def test_what_a_failure_says_is_no_markup() -> None:
    assert "**It failed.** a &lt;img> 'x' next" in markdown(report("a <img> `x`\nnext"))


def test_each_revision_has_a_local_stack_on_the_rehearsals_ports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older one has its file in git, as all had once; the newer one the template alone; and back."""
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
