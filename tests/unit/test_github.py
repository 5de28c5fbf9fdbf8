"""The workflows' requests to GitHub, against a fake of its REST API."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from cli.github.api import LIMIT, GitHub
from cli.github.comments import comment
from cli.github.pull_requests import Proposal, propose
from cli.main import app
from cli.ui.errors import CommandError
from errors import First, Remedy, UserError
from tests.support.clock import stopped
from tests.support.scripted import BROKEN, HTML, Reply, Scripted, scripted
from tests.support.stub_server import Request, StubServer

TOKEN = "planted-github-token"


@dataclass
class Hub:
    """oracle/net: the comments of pull request 7, issues, branches, pull requests; `refuse` answers 403 to writes."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    branches: dict[str, str] = field(default_factory=lambda: {"main": "c0"})
    commits: dict[str, Any] = field(default_factory=dict)
    file: bytes = b"config: {}\n"
    refuse: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, method: str, url: str, body: Any) -> tuple[int, Any]:
        self.asked.append((method, url))
        parts = urlsplit(url)
        path = parts.path.removeprefix("/repos/oracle/net/")
        query = {key: value[0] for key, value in parse_qs(parts.query).items()}
        if method != "GET" and self.refuse:
            return 403, {"message": "Resource not accessible by integration"}
        if path.startswith(("git/", "contents/")):
            return self._git(method, path, body)
        listed, inside = self._listed(path)
        if method == "GET":
            found = [each for each in listed if each.get("state", "open") == query.get("state", "open")]
            first = (int(query["page"]) - 1) * int(query["per_page"])
            return 200, found[first : first + int(query["per_page"])]
        if method == "POST":
            number = len(listed) + 1
            user = {"login": "github-actions[bot]", "type": "Bot"}
            listed.append({"id": number, "number": number, "html_url": "https://new", "user": user, **body})
            return 201, listed[-1]
        known = next(each for each in listed if str(each["id"]) == inside)
        known.update(body)
        return 200, known

    def _listed(self, path: str) -> tuple[list[dict[str, Any]], str]:
        if path.endswith("/comments") or path.startswith("issues/comments/"):
            return self.comments, path.rpartition("/")[2]
        kind, _, inside = path.partition("/")
        return {"issues": self.issues, "pulls": self.pulls}[kind], inside

    def _git(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if path.startswith("contents/"):
            return 200, {"content": base64.encodebytes(self.file).decode()}
        if path.startswith("git/ref/heads/"):
            sha = self.branches.get(path.removeprefix("git/ref/heads/"))
            return (200, {"object": {"sha": sha}}) if sha else (404, {"message": "Not Found"})
        if path in ("git/trees", "git/commits"):
            sha = f"c{len(self.commits) + 1}"
            self.commits[sha] = body
            return 201, {"sha": sha}
        if method == "POST":
            self.branches[body["ref"].removeprefix("refs/heads/")] = body["sha"]
        else:
            assert body["force"]
            self.branches[path.removeprefix("git/refs/heads/")] = body["sha"]
        return 200, {}


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()

    def reply(request: Request) -> Reply:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        status, body = hub.answer(request.method, request.target, request.json)
        return Reply(body, status)

    with StubServer(reply) as server:
        monkeypatch.setenv("GITHUB_API_URL", server.url)
        monkeypatch.setenv("GITHUB_REPOSITORY", "oracle/net")
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        monkeypatch.setenv("GITHUB_REF_NAME", "main")
        yield hub


def ours(text: str, about: str = "plan") -> str:
    return f"<!-- oracle {about} -->\n{text}"


def person(text: str, **more: Any) -> dict[str, Any]:
    return {"id": 1000, "number": 1000, "body": text, "html_url": "x", "user": {"type": "User"}, **more}


def test_a_comment_is_created_once_and_then_updated(github: Hub) -> None:
    github.comments += [person("somebody's", id=1000 + number) for number in range(150)]
    with GitHub() as hub:
        assert comment(hub, 7, "plan", "first") == "https://new"
        comment(hub, 7, "plan", "second")
    assert [each["body"] for each in github.comments if each["user"]["type"] == "Bot"] == [ours("second")]
    assert {each["body"] for each in github.comments if each["user"]["type"] == "User"} == {"somebody's"}


def test_each_topic_has_its_own_comment(github: Hub) -> None:
    with GitHub() as hub:
        comment(hub, 7, "plan", "a plan")
        comment(hub, 7, "review", "an environment")
        comment(hub, 7, "plan", "another plan")
    assert [each["body"] for each in github.comments] == [ours("another plan"), ours("an environment", "review")]


def test_a_persons_comment_that_looks_like_ours_is_not_changed(github: Hub) -> None:
    github.comments.append(person(ours("nothing changes")))
    with GitHub() as hub:
        comment(hub, 7, "plan", "all goes")
    assert [each["body"] for each in github.comments] == [ours("nothing changes"), ours("all goes")]


def test_a_too_long_comment_is_cut(github: Hub) -> None:
    with GitHub() as hub:
        comment(hub, 7, "plan", "x" * 70_000)
    (body,) = (each["body"] for each in github.comments)
    assert len(body) <= LIMIT
    assert body.endswith("(cut: it was too long for GitHub)")


def test_a_refusal_of_github_is_reported_with_the_missing_permission(github: Hub) -> None:
    github.refuse = True
    with GitHub() as hub, pytest.raises(CommandError, match=r"^GitHub refused POST .* \(status 403\)") as told:
        comment(hub, 7, "plan", "x")
    assert told.value.helps == (First("give the job the permissions `pull-requests: write`"),)
    assert TOKEN not in str(told.value)


def test_outside_of_a_workflow_the_command_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    with pytest.raises(CommandError, match=r"GITHUB_TOKEN is not set\. This command is for GitHub's workflows"):
        GitHub()


def test_an_unreachable_github_is_reported(github: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    with GitHub() as hub, pytest.raises(CommandError, match=r"^GitHub does not answer \(ConnectError\): ") as told:
        comment(hub, 7, "plan", "x")
    assert told.value.helps == (Remedy.RETRY,)


@pytest.fixture
def elsewhere(github: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """A server that answers as the tests say, and the clock of the waits for it."""
    stopped(monkeypatch, "clients.cloud_api")
    with scripted() as server:
        monkeypatch.setenv("GITHUB_API_URL", server.address)
        yield server


COMMENTS = "/repos/oracle/net/issues/7/comments"
LIMITED = {"x-ratelimit-remaining": "0"}


@pytest.mark.parametrize("trouble", [Reply("", 502), BROKEN, Reply(HTML, kind="text/html"), Reply({"message": "no"})])
def test_a_failed_read_is_retried(elsewhere: Scripted, trouble: Reply) -> None:
    elsewhere.answers[COMMENTS] = [trouble, Reply([{"id": 1}])]
    with GitHub() as hub:
        assert list(hub.all("issues/7/comments", "x")) == [{"id": 1}]


@pytest.mark.parametrize(
    "reply, said",
    [
        (Reply(HTML, kind="text/html"), r"is not from GitHub's API \(text/html, status 200\)"),
        (Reply("", 204), "is not from GitHub's API"),
        (
            Reply({"message": "API rate limit exceeded"}, 403, headers=LIMITED),
            r"limit of requests is reached: API rate limit exceeded$",
        ),
        (
            Reply({"message": "Bad credentials"}, 401),
            r"refused POST issues/7/comments \(status 401\): Bad credentials$",
        ),
        (Reply("", 302, headers={"location": "http://127.0.0.1:1/"}), "which must not get the token"),
        (Reply({}), "has no html_url"),
    ],
)
def test_a_failed_write_is_reported_and_not_retried(elsewhere: Scripted, reply: Reply, said: str) -> None:
    elsewhere.answers[COMMENTS] = [Reply([]), reply]
    with GitHub() as hub, pytest.raises(UserError, match=said) as told:
        comment(hub, 7, "plan", "x")
    assert TOKEN not in str(told.value)
    assert len(elsewhere.asked) == 2, "what may have been written is not written twice"


def run(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_the_comment_command_reports_an_unreadable_file(github: Hub, tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text("### plan")
    assert run("comment", "7", str(tmp_path / "plan.md")) == "The comment: https://new\n"
    run("comment", "7", str(tmp_path / "plan.md"), "--about", "review")
    assert [each["body"] for each in github.comments] == [ours("### plan"), ours("### plan", "review")]
    with pytest.raises(CommandError, match=r"cannot be read \(.*\)\.$"):
        run("comment", "7", str(tmp_path / "none.md"))


def test_an_issue_is_opened_once_and_closed_when_nothing_is_found(github: Hub, tmp_path: Path) -> None:
    (tmp_path / "drift.md").write_text("### `prod`: 1 difference")
    told = ("issue", "drift", str(tmp_path / "drift.md"), "--title", "Drift")
    github.issues.append(person(ours("a pull request", "drift"), pull_request={}, user={"type": "Bot"}))
    assert run("issue", "drift", "--done") == "No issue is open.\n"
    run(*told)
    (tmp_path / "drift.md").write_text("### `prod`: 2 differences")
    run(*told)
    opened = github.issues[1]
    assert (opened["title"], opened["body"]) == ("Drift", ours("### `prod`: 2 differences", "drift"))
    assert len(github.issues) == 2
    assert run("issue", "drift", "--done") == "Closed: https://new\n"
    assert (opened["state"], opened["state_reason"]) == ("closed", "completed")
    assert [each["body"] for each in github.comments] == ["Not found any more."]
    run(*told)
    assert len(github.issues) == 3, "another one, with days and an answer of its own"


def test_the_error_of_a_missing_issue_file_names_the_failed_step(github: Hub, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"cannot be read \(.*\)\. The step that writes it has failed\.$"):
        run("issue", "drift", str(tmp_path / "drift.md"))
    with pytest.raises(CommandError, match=r"^Give either a file or --done\.$"):
        run("issue", "drift")
    assert not github.asked


def wanted(new: str) -> Proposal:
    return Proposal(
        base="main", branch="receipt-prod", path="Pulumi.prod.yaml", change=lambda text: text.replace("old", new),
        title="t", text="x",
    )  # fmt: skip


def test_a_proposal_is_one_commit_and_one_pull_request(github: Hub) -> None:
    github.file = b"config: old\n"
    with GitHub() as hub:
        assert propose(hub, wanted("one")) == "https://new"
        github.branches["main"], github.file = "moved", b"config: old # merged meanwhile\n"
        propose(hub, wanted("two"))
    assert [(each["head"], each["base"]) for each in github.pulls] == [("receipt-prod", "main")]
    made = github.commits[github.branches["receipt-prod"]]
    assert made["parents"] == ["moved"]
    (file,) = github.commits[made["tree"]]["tree"]
    assert (file["path"], file["content"]) == ("Pulumi.prod.yaml", "config: two # merged meanwhile\n")


def test_a_proposal_without_a_change_is_not_made(github: Hub) -> None:
    with GitHub() as hub:
        assert propose(hub, wanted("one")) is None
    assert all(method == "GET" for method, _ in github.asked)


def test_a_proposal_for_a_missing_file_is_refused(github: Hub) -> None:
    github.branches.clear()
    with GitHub() as hub, pytest.raises(CommandError, match=r"no Pulumi\.prod\.yaml on the branch main\.$"):
        propose(hub, wanted("one"))
