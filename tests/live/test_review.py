"""Review environments beside staging in one account: created, renewed and removed. Each test can run alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clients.http import client
from tests.live import network
from tests.live.environments import Environments
from tests.live.project import Project
from tests.live.test_interruption import kill_tree
from tests.support.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.slow]

TAG = "oracle:expires"


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Staging alone, up; with a secret of its own that no other stack can open."""
    made = Environments.made(Project.copied(tmp_path_factory.mktemp("project"))).staging
    try:
        made.oracle("up", "staging").well()
        made.pulumi("config", "set", "--secret", "oracle-net:githubToken", "planted-token", "-s", "staging").well()
        yield made
    finally:
        made.stop()


def stacks(staging: Project) -> set[str]:
    return {each["name"] for each in json.loads(staging.pulumi("stack", "ls", "--json").well().output)}


def scripts(staging: Project) -> set[str]:
    account = staging.config["oracle-net:accountId"]
    headers = {"Authorization": f"Bearer {staging.tokens()['cloudflare']}"}
    with client(headers=headers) as http:
        listed = http.get(f"{staging.config['cloudflare:baseUrl']}/accounts/{account}/workers/scripts").json()
    return {each["id"] for each in listed["result"]}


def answers(outputs: dict[str, Any]) -> None:
    with client() as http:
        for name in ("backend", "api", "web", "universe"):
            path = {"backend": "/api/health", "api": "/api/version"}.get(name, "/")
            assert http.get(outputs[f"{name}Url"] + path).status_code == 200, name


def past(hours: int) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()


def ended(staging: Project, number: int) -> None:
    staging.pulumi("stack", "tag", "set", TAG, past(1), "-s", f"pr-{number}").well()


def begun(staging: Project, script: str) -> bool:
    """Whether a Worker whose name begins so is there: its upload has been answered, or is about to be."""
    return any(name.startswith(script) for name in scripts(staging))


def test_two_environments_are_created_and_removed_beside_staging(staging: Project) -> None:
    before, own = staging.outputs(), (network.apps(staging), scripts(staging))
    staging.oracle("review", "7", "--markdown", str(staging.root / "review.md")).well()
    seven = staging.on("pr-7")
    outputs = json.loads(staging.pulumi("stack", "output", "--json", "--show-secrets", "-s", "pr-7").well().output)
    answers(outputs)
    assert outputs["adminPassword"] != before["adminPassword"]
    assert outputs["webUrl"] in (staging.root / "review.md").read_text()
    assert "secure" not in seven.stack_file.read_text()
    assert not (staging.root / ".oracle/clouds/pr-7").exists()

    # A new commit, on a machine that has nothing but the state: another app, empty, and the time begins again.
    ended(staging, 7)
    seven.stack_file.unlink()
    staging.edit("services/backend/entrypoint.sh", "exec ", "echo released\nexec ")
    staging.oracle("review", "7", "--hours", "2").well()
    assert len(network.apps(staging)) == 2
    assert "pr-7: exists until" in staging.oracle("review", "--sweep").well().output

    # Another one that breaks off halfway is swept, together with the first, by such a machine.
    staging.fault(method="PUT", path="/client/v4/accounts/*/workers/scripts/pr-8-*-api-*", status=400, count=50)
    staging.oracle("review", "8").failed()
    assert [name for name in network.apps(staging) if name.startswith("pr-8-")]

    # A third one's job is killed in the middle, on a machine that nobody will ask again.
    running = staging.start_oracle("review", "9")
    until(lambda: begun(staging, "pr-9-"), "its Workers are being made", seconds=120)
    kill_tree(running.pid)
    running.communicate(timeout=30)
    (lock,) = staging.state_file.parents[2].glob("locks/organization/oracle-net/pr-9/*.json")
    lock.write_text(json.dumps({**json.loads(lock.read_text()), "hostname": "runner-1", "timestamp": past(3)}))

    # And one that never got further than its name.
    staging.pulumi("stack", "init", "pr-10").well()

    for number in (7, 8, 9, 10):
        ended(staging, number)
        staging.on(f"pr-{number}").stack_file.unlink()
    swept = staging.oracle("review", "--sweep").well().output
    assert re.findall(r"^(pr-\d+): deleted", swept, re.MULTILINE) == ["pr-7", "pr-8", "pr-9", "pr-10"]

    assert (network.apps(staging), scripts(staging)) == own
    assert stacks(staging) == {"staging"}
    assert [path.name for path in staging.root.glob("Pulumi.pr-*")] == []
    assert not list((staging.root / ".oracle/reviews").iterdir())
    assert staging.outputs() == before
    answers(before)
