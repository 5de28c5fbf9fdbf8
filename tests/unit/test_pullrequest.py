"""Our one comment on a pull request, against a server that answers as GitHub's REST API does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from ops.failures import Failure
from ops.main import app
from ops.pullrequest import LIMIT, MARK, PullRequest

TOKEN = "planted-github-token"


@dataclass
class GitHub:
    """The comments of pull request 7 of oracle/net; `refuse` answers 403 to what writes."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    refuse: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, method: str, url: str, body: Any) -> tuple[int, Any]:
        self.asked.append((method, url))
        parts = urlsplit(url)
        if method == "GET":
            query = {key: int(value[0]) for key, value in parse_qs(parts.query).items()}
            first = (query["page"] - 1) * query["per_page"]
            return 200, self.comments[first : first + query["per_page"]]
        if self.refuse:
            return 403, {"message": "Resource not accessible by integration"}
        if method == "POST" and parts.path == "/repos/oracle/net/issues/7/comments":
            self.comments.append({"id": len(self.comments) + 1, "html_url": "https://new", **body})
            return 201, self.comments[-1]
        known = next(each for each in self.comments if parts.path == f"/repos/oracle/net/issues/comments/{each['id']}")
        known.update(body)
        return 200, known


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    hub = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            assert self.headers["Authorization"] == f"Bearer {TOKEN}"
            status, told = hub.answer(self.command, self.path, json.loads(body) if body else None)
            text = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = _answer

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("GITHUB_REPOSITORY", "oracle/net")
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        yield hub
        server.shutdown()
        thread.join()


def test_the_comment_is_made_once_and_then_written_anew(github: GitHub) -> None:
    github.comments += [{"id": 1000 + number, "body": "somebody's", "html_url": "x"} for number in range(150)]
    with PullRequest(7) as pull:
        assert pull.comment("first") == "https://new"
        pull.comment("second")
    ours = [each for each in github.comments if each["body"].startswith(MARK)]
    assert [each["body"] for each in ours] == [f"{MARK}\nsecond"]
    assert len(github.comments) == 151
    assert {each["body"] for each in github.comments if each not in ours} == {"somebody's"}


def test_a_text_that_is_too_long_is_cut(github: GitHub) -> None:
    with PullRequest(7) as pull:
        pull.comment("x" * 70_000)
    (body,) = (each["body"] for each in github.comments)
    assert len(body) <= LIMIT
    assert body.endswith("(cut: it was too long for a comment)")


def test_github_refuses(github: GitHub) -> None:
    github.refuse = True
    with (
        PullRequest(7) as pull,
        pytest.raises(Failure, match=r"refused to POST .*\(403\).*pull-requests: write") as told,
    ):
        pull.comment("x")
    assert TOKEN not in str(told.value)


def test_outside_a_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    with pytest.raises(Failure, match=r"GITHUB_TOKEN is not set; this command is for GitHub's workflows"):
        PullRequest(7)


def test_nobody_answers(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    with PullRequest(7) as pull, pytest.raises(Failure, match=r"GitHub does not answer \(ConnectError\)"):
        pull.comment("x")


def test_the_command(github: GitHub, tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text("### plan")
    done = CliRunner().invoke(app, ["comment", "7", str(tmp_path / "plan.md")])
    assert (done.exit_code, done.output) == (0, "Commented: https://new\n")
    assert github.comments[0]["body"] == f"{MARK}\n### plan"
    with pytest.raises(Failure, match=r"cannot be read .*; write it: oracle plan --markdown"):
        CliRunner().invoke(app, ["comment", "7", str(tmp_path / "none.md")], catch_exceptions=False)
