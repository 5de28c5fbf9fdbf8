"""A network made by hand is adopted, and its first release moves it. One story: the tests run in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.live import load
from tests.live.handmade import API, EMAIL, HOST, PASSWORD, HandMade, declare
from tests.live.network import titles
from tests.live.project import Project, assert_quiet

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandMade]:
    project = Project.copied(tmp_path_factory.mktemp("project"))
    try:
        made = HandMade.made(project, tmp_path_factory.mktemp("hand"))
        [domain] = made.cloudflare("/domains")
        declare(project, domain["zone_id"])
        yield made
    finally:
        project.stop()


def api_url(hand: HandMade) -> str:
    return str(hand.project.config["oracle-net:workersUrl"]).format(script="oracle-universe-api")


def test_a_dry_run_lists_the_adoption_and_changes_nothing(hand: HandMade) -> None:
    before, file = hand.running(), hand.project.stack_file.read_text()
    told = hand.project.oracle("adopt", "local", "--dry-run").well().output
    for word in (
        "jellyfish-app",
        "oracle-universe-api",
        HOST,
        "backend.size",
        "basic-xs",
        "LOG_LEVEL: warn",
        "adopted:",
    ):
        assert word in told, told
    assert PASSWORD not in told
    assert (hand.running(), hand.project.stack_file.read_text()) == (before, file)


def test_adoption_without_a_known_password_is_refused(hand: HandMade) -> None:
    before = hand.running()
    refused = hand.project.oracle("adopt", "local", "--yes").failed().output
    assert f"The password of {EMAIL} is not known" in refused
    assert hand.running() == before


def test_adoption_with_a_wrong_password_is_refused_and_writes_nothing(hand: HandMade) -> None:
    before = hand.running()
    hand.configure_password("not-" + PASSWORD)
    file = hand.project.stack_file.read_text()
    refused = hand.project.oracle("adopt", "local", "--yes").failed().output
    assert f"refuses the login of {EMAIL}" in refused
    assert PASSWORD not in refused
    assert (hand.running(), hand.project.stack_file.read_text()) == (before, file)


def test_code_with_the_backends_address_is_not_adopted(hand: HandMade) -> None:
    [app] = hand.project.api("GET", "/v2/apps")["apps"]
    host = urlsplit(app["live_url"]).hostname
    assert host
    line = f'\nconsole.log("{app["live_url"]}");\n'
    with changed(hand.folder / API / "src/index.js", line):
        hand.wrangler(API, "deploy")
        before, file = hand.running(), hand.project.stack_file.read_text()
        refused = hand.project.oracle("adopt", "local", "--yes").failed().output
        assert re.search(rf"{API} runs code with .*: {host} \(index\.js:\d+:\d+\)", " ".join(refused.split()))
        assert (hand.running(), hand.project.stack_file.read_text()) == (before, file)
    hand.wrangler(API, "deploy")
    with changed(hand.project.root / "services/api/src/worker.js", line):
        refused = hand.project.oracle("adopt", "local", "--dry-run").failed().output
        assert f"{host} (services/api/src/worker.js:" in " ".join(refused.split())
    hand.project.oracle("adopt", "local", "--dry-run").well()


@contextmanager
def changed(path: Path, line: str) -> Iterator[None]:
    """With one more line in a file."""
    before = path.read_text()
    path.write_text(before + line)
    try:
        yield
    finally:
        path.write_text(before)


def test_an_interrupted_adoption_deletes_nothing(hand: HandMade) -> None:
    before = hand.running()
    hand.configure_password(PASSWORD)
    hand.project.fault(path="/v2/uptime/checks", method="POST", status=422, body={"message": "not now"}, count=1)
    failed = hand.project.oracle("adopt", "local", "--yes").failed().output
    assert "To go on, run `oracle adopt local`." in " ".join(failed.split())
    assert hand.running() == before
    state = hand.project.state_file.read_text()
    assert '"importID"' in state
    assert '"protect":true' in state


def test_an_adoption_does_not_change_running_resources(hand: HandMade) -> None:
    project = hand.project
    hand.configure_password(PASSWORD)
    before = hand.running()
    with load.running(api_url(hand), "adoption") as under:
        done = project.oracle("adopt", "local", "--yes").well().output
    assert set(under.reads) == {"200"}, under.summary()
    assert set(under.writes) <= {"201", "register 201"}, under.summary()
    assert PASSWORD not in done
    assert hand.running() == before
    assert_quiet(project.pulumi("preview", "--stack", "local"))
    assert "local: no drift." in project.oracle("drift", "local").well().output
    assert "made by hand" in project.oracle("status").well().output


def test_the_first_releases_move_the_network_without_losing_writes(hand: HandMade) -> None:
    project, before = hand.project, hand.running()
    with load.running(api_url(hand), "release") as under:
        project.oracle("deploy", "api", "web", "universe", "--yes").well()
        assert hand.running()["jellyfish-app"] == before["jellyfish-app"]
        bindings = {each["name"]: each for each in hand.cloudflare("/scripts/oracle-universe-api/settings")["bindings"]}
        assert bindings["POCKETBASE_URL"] == {"name": "POCKETBASE_URL", "type": "secret_text"}

        project.oracle("deploy", "backend", "--yes").well()
        assert_quiet(project.pulumi("preview", "--stack", "local"))
        assert "adopted" not in project.stack_file.read_text()
    print(under.summary())
    assert set(under.reads) == {"200"}, under.summary()
    assert set(under.writes) <= {"201", "held", "register 201", "register held"}, under.summary()
    assert [name for name in hand.running() if name.startswith("jellyfish")] == ["jellyfish-app-g1-r2"]
    assert under.acknowledged
    assert set(under.acknowledged) <= titles(project)
