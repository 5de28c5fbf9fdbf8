"""Failures of a promotion between two stacks; the same command continues. One story: the tests run in order.

At the end one promotion has lost its bytes, its token and its processes, and lost its token twice more.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.live import network
from tests.live.environments import Environments
from tests.live.project import Done, Project, assert_quiet
from tests.support.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.slow]
PROD = "jellyfish-app"
EVERY: tuple[tuple[str, ...], ...] = (
    ("promote", "staging", "prod", "--yes"),
    ("rollback", "prod", "--yes"),
    ("adopt", "prod", "--yes"),
    ("rotate", "admin", "prod"),
    ("plan", "prod"),
)
"""What looks at prod's state, and would change it or tell what an update would change."""


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environments]:
    project = Project.copied(tmp_path_factory.mktemp("project"))
    made = Environments.made(project)
    try:
        made.up()
        yield made
    finally:
        made.stop()


def assert_fails_with(done: Done, pattern: str) -> None:
    """The command failed with this sentence on its last line."""
    line = done.failed().output.rstrip().splitlines()[-1]
    assert re.fullmatch(rf"oracle: {pattern}", line), done.output


def promote(environments: Environments) -> Done:
    return environments.prod.oracle("promote", "staging", "prod", "--yes")


def release(environments: Environments, word: str, *names: str) -> None:
    """Staging gets another release of these services."""
    comments = {"backend": ("backend/entrypoint.sh", "#"), "api": ("api/src/worker.js", "//")}
    for name in names:
        path, comment = comments.get(name, (f"{name}/public/robots.txt", "#"))
        with (environments.staging.root / "services" / path).open("a") as file:
            file.write(f"{comment} {word}\n")
    environments.staging.oracle("up", "staging").well()


@contextmanager
def untouched(*projects: Project) -> Iterator[None]:
    """The stacks' files and their states are what they were, byte for byte."""
    files = [path for project in projects for path in (project.stack_file, project.state_file)]
    before = [path.read_bytes() for path in files]
    yield
    assert [path.read_bytes() for path in files] == before


@contextmanager
def state_edited(project: Project, **changed: Any) -> Iterator[None]:
    """The state's file as another engine would have written it."""
    before = project.state_file.read_bytes()
    project.state_file.write_text(json.dumps({**json.loads(before), **changed}))
    try:
        yield
    finally:
        project.state_file.write_bytes(before)


@contextmanager
def holder(project: Project, folder: Path) -> Iterator[int]:
    """Somebody's update that holds the stack's lock; their process."""
    engine = folder / "pulumi"
    engine.symlink_to("/bin/sleep")
    lock = project.state_file.parents[3] / f".pulumi/locks/organization/oracle-net/{project.stack}/held.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen([engine, "300"]) as process:
        known = {"pid": process.pid, "hostname": socket.gethostname(), "username": "ada", "timestamp": "2026-01-01"}
        lock.write_text(json.dumps(known))
        try:
            yield process.pid
        finally:
            lock.unlink()
            process.kill()


def proven(environments: Environments) -> None:
    """Prod runs what staging runs, and there is one app."""
    assert environments.prod.outputs()["release"] == environments.staging.outputs()["release"]
    assert len(network.apps(environments.prod)) == 1


@pytest.mark.parametrize(
    "written", [{"version": 5}, {"features": ["hooks", "of-a-later-engine"]}], ids=["version", "feature"]
)
def test_a_state_of_a_newer_engine_is_refused(environments: Environments, written: dict[str, Any]) -> None:
    prod = environments.prod
    newer = (
        r"A newer engine than this one has written the state of {}\. Fix: run `git pull && make tools` to get the "
        r"engine "
        r"that the others use\."
    )
    with state_edited(prod, **written), untouched(*environments):
        for command in EVERY if "version" in written else EVERY[1:2]:
            assert_fails_with(prod.oracle(*command), newer.format("prod"))
        for command in (("drift", "prod"), ("drift", "prod", "--repair")):
            seen = prod.oracle(*command)
            assert seen.status == 2
            assert "A newer engine than this one has written the state of prod" in seen.output
            assert "no drift" not in seen.output
    with state_edited(environments.staging, **written), untouched(*environments):
        assert_fails_with(
            promote(environments),
            r"staging is degraded, .*: "
            + newer.format("staging").replace(r"\. Fix: run `git", r".*`git").partition(" to get")[0]
            + ".*",
        )


def test_a_damaged_state_is_refused(environments: Environments) -> None:
    prod = environments.prod
    before = prod.state_file.read_bytes()
    prod.state_file.write_bytes(before[: len(before) // 2])
    try:
        with untouched(*environments):
            assert_fails_with(
                prod.oracle("rollback", "prod", "--yes"),
                r"The state of prod is damaged, and nothing else works until it is repaired\. Fix: run `oracle "
                r"doctor prod`\.",
            )
    finally:
        prod.state_file.write_bytes(before)


def test_a_held_lock_is_reported_with_its_holder(environments: Environments, tmp_path: Path) -> None:
    with holder(environments.prod, tmp_path) as pid, untouched(*environments):
        for command in EVERY:
            assert_fails_with(
                environments.prod.oracle(*command),
                rf"Another update of prod is running: process {pid} of ada on \S+, since 2026-01-01\. Fix: wait for "
                rf"it; or "
                rf"run `kill {pid}` to end it\.",
            )


def test_promotion_and_rollback_without_a_release_are_refused(environments: Environments) -> None:
    staging, prod = environments
    empty = staging.root / "Pulumi.empty.yaml"
    with untouched(*environments):
        assert_fails_with(
            prod.oracle("rollback", "prod", "--yes"),
            r"No other release of prod is stored\. Fix: run `oracle rollback prod --list` to see the releases\.",
        )
        assert_fails_with(
            prod.oracle("rollback", "prod", "--to", "2020", "--yes"), r"There is no release 2020 of prod\. .*--list` .*"
        )
        state = json.loads(staging.state_file.read_text())["checkpoint"]["latest"]
        state = {**state, "resources": []}
        with state_edited(staging, checkpoint={"stack": "organization/oracle-net/staging", "latest": state}):
            assert_fails_with(promote(environments), r"staging is down, .*is not deployed.* `oracle up staging`.*")
    assert not empty.exists()


@pytest.fixture(scope="module")
def released(environments: Environments) -> Environments:
    """Staging has another release of the backend and of a site. The tests that want it on prod run in order."""
    release(environments, "released", "backend", "web")
    return environments


def test_lost_bytes_or_an_expired_token_prevent_a_promotion_before_its_first_change(released: Environments) -> None:
    """Lost bytes are not built again. The preview does not ask the clouds: the update starts with a refresh."""
    staging, prod = released
    shutil.rmtree(staging.root / ".oracle/releases")
    wanted = staging.outputs()["release"]["assets"]["web"]
    archived = staging.root / f".oracle/backups/organization/oracle-net/staging/releases/assets/{wanted}"
    content = archived.read_bytes()
    archived.write_bytes(content[: len(content) // 2])
    with untouched(prod):
        assert_fails_with(
            promote(released), r"staging no longer stores all bytes of this release \(the files of web .*--list` .*"
        )
    archived.write_bytes(content)
    prod.fault(method="GET", path="/v2/uptime/checks/*", status=401, count=1000)
    held = json.loads(prod.state_file.read_text())["checkpoint"]["latest"]["resources"]
    before = prod.stack_file.read_bytes()
    assert_fails_with(
        promote(released), r"(Nothing was changed, and Pulumi\.prod\.yaml is as it was: )?A cloud refused .*"
    )
    prod.api("DELETE", "/_cloud/faults")
    assert prod.stack_file.read_bytes() == before
    after = json.loads(prod.state_file.read_text())["checkpoint"]["latest"]["resources"]
    assert [each["urn"] for each in after] == [each["urn"] for each in held]


def test_a_promotion_killed_before_its_first_change_is_reported(released: Environments) -> None:
    """No process restores the file: the receipt stays, and `oracle status` reports it."""
    prod = released.prod
    runs, before = prod.root / ".oracle/runs", prod.stack_file.read_bytes()
    running = prod.outputs()["release"]
    command = prod.start_oracle("promote", "staging", "prod", "--yes")
    until(lambda: prod.stack_file.read_bytes() != before, "the receipt is in the file", seconds=120)
    run = max(runs.glob("*/*/prod/*-promote"))
    until(lambda: (run / "output.log").read_text().count("Updating"), "the engine has begun", seconds=60)
    runner = psutil.Process(json.loads((run / "run.json").read_text())["pid"])
    for victim in [*runner.children(recursive=True), runner, psutil.Process(command.pid)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
    command.communicate()
    assert prod.outputs()["release"] == running
    status = prod.oracle("status", "prod").output
    assert "another release than the one that is deployed. To deploy it, run `oracle up prod`." in status


def test_a_token_that_expires_in_the_repeated_promotion_is_reported(released: Environments) -> None:
    """The new backend exists when DigitalOcean refuses the token; the second time Cloudflare refuses the upload."""
    prod = released.prod
    refused = (
        r"The update failed, and nothing is lost: A cloud refused the token: it is another stack's, or it is no longer "
        r"valid\. Fix: run `oracle doctor prod` to see which one; or run `oracle rollback prod` to go back\. To go "
        r"on, run "
        r"`oracle up prod`\."
    )
    prod.fault(method="GET", path="/v2/apps/*/deployments/*", status=401, count=1000)
    first = promote(released)
    assert_fails_with(first, refused)
    assert "removed the lock of process" in first.output
    assert len(network.apps(prod)) == 2
    prod.api("DELETE", "/_cloud/faults")
    prod.fault(method="PUT", path="/client/v4/accounts/*/workers/scripts/*", status=401, count=1000)
    assert_fails_with(promote(released), refused)
    prod.api("DELETE", "/_cloud/faults")
    promote(released).well()
    proven(released)
    assert_quiet(prod.pulumi("preview", "--stack", "prod"))
