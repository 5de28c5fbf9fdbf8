"""The services' own builds: output, failures, leftover processes, and when a build is skipped."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from cli.builds import build_commands
from cli.builds.builds import Build, run_builds
from cli.builds.freshness import Product
from cli.ui.errors import CommandError
from programs import git
from tests.support.errors import refused


def made(tmp_path: Path, command: str) -> Build:
    return Build("api", tmp_path, command, tmp_path / "logs" / "build.log")


def test_the_output_of_a_build_is_logged_and_passed_to_the_listener(tmp_path: Path) -> None:
    heard: list[str] = []

    wanted = made(tmp_path, r"echo one; printf 'caf\351\n' >&2")
    assert [each.is_new for each in run_builds([wanted], lambda _: nullcontext(heard.append))] == [True]
    assert heard == ["one", "caf\N{REPLACEMENT CHARACTER}"]
    assert wanted.log.read_bytes() == b"one\ncaf\xe9\n"


def test_the_error_of_a_failed_build_ends_with_the_log(tmp_path: Path) -> None:
    with refused(
        r"^From the log of api's build:\nthe reason\nThe build of api failed \(status 3\)\. Fix: correct the error "
        r"\(log: \S+build.log\), then run `oracle build api --stack prod`\.$"
    ):
        list(run_builds([made(tmp_path, "echo the reason; exit 3")]))


def test_a_process_left_behind_by_a_build_is_not_waited_for(tmp_path: Path) -> None:
    """Some build tools start a daemon that holds the output open for ten minutes."""
    wanted = made(tmp_path, "sleep 600 & echo $! > pid; echo built")
    try:
        assert [each.is_new for each in run_builds([wanted])] == [True]
        os.kill(int((tmp_path / "pid").read_text()), 0)
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert wanted.log.read_text() == "built\n"


def test_a_build_that_does_not_end_is_stopped_after_the_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_commands, "BUILD_SECONDS", 0.5)
    with refused(
        r"did not end within 0 minutes and was stopped\. "
        r"Fix: read its log \S+, then run `oracle build api --stack prod`\.$"
    ):
        list(run_builds([made(tmp_path, "exec sleep 600")]))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of a site whose build writes a number into its page that is another one each time."""
    folder = tmp_path / "checkout"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "page.txt").write_text("hello")
    (folder / ".gitignore").write_text("dist\n")
    for words in (["init", "-q"], ["add", "-A"]):
        assert git.git(folder, *words).status == 0
    return folder


DATED = "echo x >> ../count; mkdir -p dist && cat src/page.txt ../count > dist/index.html && cp src/page.txt dist/"


def dated(checkout: Path, command: str = DATED) -> Build:
    record = checkout.parent / "records" / "web.json"
    product = Product(checkout, command, checkout / "dist", record)
    return Build("web", checkout, command, checkout.parent / "build.log", product)


def built(build: Build, again: bool = False) -> list[str]:
    [done] = run_builds([build], again=again)
    return list(done.report("prod"))


SAME = ["Not built again: web, whose source has not changed"]


def test_an_unchanged_source_is_not_built_again(checkout: Path) -> None:
    assert built(dated(checkout)) == ["Built: web"]
    before = (checkout / "dist/index.html").read_text()
    assert built(dated(checkout)) == SAME
    assert (checkout / "dist/index.html").read_text() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda checkout: (checkout / "src/page.txt").write_text("changed"),
        lambda checkout: (checkout / "src/page.txt").chmod(0o755),
        lambda checkout: (checkout / "src/new.txt").write_text("not added yet"),
        lambda checkout: (checkout / "src/page.txt").rename(checkout / "src/other.txt"),
        lambda checkout: (checkout / "dist/index.html").write_text("edited"),
        lambda checkout: (checkout / "dist/index.html").unlink(),
        lambda checkout: (checkout / "dist/more.html").touch(),
        lambda checkout: (checkout.parent / "records/web.json").write_text("{"),
        lambda checkout: (checkout / ".gitmodules").touch(),
    ],
    ids=["content", "mode", "new", "renamed", "made edited", "made gone", "made more", "record damaged", "submodules"],
)
def test_any_change_of_the_source_causes_a_build(checkout: Path, change: Callable[[Path], object]) -> None:
    command = DATED.replace("src/page.txt", "src/*.txt")
    assert built(dated(checkout, command)) == ["Built: web"]
    assert built(dated(checkout, command)) == SAME
    change(checkout)
    assert built(dated(checkout, command))[0] == "Built: web"


def test_a_changed_command_causes_a_build(checkout: Path) -> None:
    built(dated(checkout))
    assert built(dated(checkout, f"{DATED}; true")) == ["Built: web"]


def test_two_builds_of_one_source_that_differ_cause_one_warning(checkout: Path) -> None:
    built(dated(checkout))
    first, second = built(dated(checkout), again=True)
    assert first == "Built: web"
    assert second.startswith("Two builds of the same source of web differ, in index.html: the build writes something")
    assert second.endswith("or with `oracle build web --stack prod --again`.")
    assert built(dated(checkout), again=True) == ["Built: web"]
    assert built(dated(checkout)) == SAME


def test_a_source_outside_of_git_is_always_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "checkout"
    (folder / "src").mkdir(parents=True)
    (folder / "src/page.txt").write_text("hello")
    for _ in range(2):
        assert built(dated(folder)) == ["Built: web"]


def test_a_failed_build_is_tried_again(checkout: Path) -> None:
    built(dated(checkout))
    (checkout / "src/page.txt").write_text("changed")
    command = f"{DATED}; exit ${{FAILS:-0}}"
    with pytest.raises(CommandError):
        built(dated(checkout, command.replace("FAILS:-0", "FAILS:-1")))
    assert built(dated(checkout)) == ["Built: web"]
