"""A release on staging, promoted to prod byte for byte, and rolled back. One story: the tests run in order.

What runs is fetched back from both clouds: the api's code from Cloudflare's API, the sites' files as a browser gets
them, the backend's from the disk of its running container.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from clients.http import client
from tests.live.environments import Environments
from tests.live.network import say, titles
from tests.live.project import Done, Project, assert_quiet
from tests.live.test_deploy import Screen, terminal
from tests.support.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.slow]
RULES = ("_headers", "_redirects")
STORE = "  oracle-net:backup:\n    store: s3://releases/prod\n    endpoint: {s3}\n"
FETCHED: dict[str, dict[str, str]] = {}
"""What prod ran at each point, for the tests that come after."""


def bucket(project: Project, s3: str) -> None:
    """An empty bucket, and the credentials for it in the project's environment."""
    project.environment.update(AWS_ACCESS_KEY_ID="somebody", AWS_SECRET_ACCESS_KEY="secret-of-somebody")
    with client() as http:
        assert http.put(f"{s3}/releases").status_code == 200


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory, s3: str) -> Iterator[Environments]:
    """Both are up, staging with a change more; it keeps its releases in a folder, prod in a bucket."""
    project = Project.copied(tmp_path_factory.mktemp("project"))
    made = Environments.made(project)
    bucket(project, s3)
    made.prod.edit("Pulumi.prod.yaml", "  oracle-net:backend:\n", f"{STORE.format(s3=s3)}  oracle-net:backend:\n")
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "as it is"]):
        git(project, *arguments)
    try:
        project.edit("services/web/public/index.html", "</body>", "<!-- promoted --></body>")
        project.edit("services/api/src/worker.js", "/**", "// promoted\r\n/**")
        project.edit("services/backend/entrypoint.sh", "exec ", "echo promoted\nexec ")
        made.staging.oracle("up", "staging").well()
        git(project, "checkout", "--quiet", "services")
        made.prod.oracle("up", "prod").well()
        FETCHED["first"] = fetched(made.prod)
        yield made
    finally:
        made.stop()


def git(project: Project, *arguments: str) -> None:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "-C", str(project.root), *identity, *arguments], check=True)


def fetched(project: Project) -> dict[str, str]:
    """SHA-256 of everything that the stack runs, fetched from where it runs."""
    found = {"api's code": code(project, "api"), "web's code": code(project, "web")}
    outputs = project.outputs()
    with client(timeout=30) as http:
        for site in ("web", "universe"):
            for path in sorted((project.root / "services" / site / "public").rglob("*")):
                if path.is_file() and path.name not in RULES:
                    name = path.relative_to(project.root / "services" / site / "public").as_posix()
                    answer = http.get(f"{outputs[f'{site}Url']}/{name}", follow_redirects=True)
                    assert answer.status_code == 200, (name, answer.status_code)
                    found[f"{site}/{name}"] = sha256(answer.content)
        found["release"] = str(http.get(f"{outputs['backendUrl']}/api/version").json()["version"])
    disk = running_disk(project)
    for path in sorted(disk.rglob("*")):
        if path.is_file() and "pb_data" not in path.parts:
            found[f"backend/{path.relative_to(disk).as_posix()}"] = sha256(path.read_bytes())
    return found


def code(project: Project, service: str) -> str:
    config = project.config
    script = config["oracle-net:workers"][service]["script"]
    path = f"accounts/{config['oracle-net:accountId']}/workers/scripts/{script}/content/v2"
    return sha256(cloudflare(project, "GET", path))


def cloudflare(project: Project, method: str, path: str, **options: Any) -> bytes:
    headers = {"Authorization": f"Bearer {project.tokens()['cloudflare']}"}
    with client(timeout=30, headers=headers) as http:
        answer = http.request(method, f"{project.config['cloudflare:baseUrl']}/{path}", **options)
    assert answer.status_code < 300, answer.text
    return bytes(answer.content)


def running_disk(project: Project) -> Path:
    app = project.outputs()["backendAppId"]
    active = project.api("GET", f"/v2/apps/{app}")["app"]["active_deployment"]["id"]
    return project.cloud_state / "apps" / str(app) / str(active) / "disk"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def assert_fails_with(done: Done, pattern: str) -> None:
    """The command failed with this sentence on its last line."""
    line = done.failed().output.rstrip().splitlines()[-1]
    assert re.fullmatch(rf"oracle: {pattern}", line), done.output


def held(project: Project) -> dict[str, str]:
    resources = json.loads(project.state_file.read_text())["checkpoint"]["latest"]["resources"]
    return {resource["urn"]: resource.get("id", "") for resource in resources}


@contextmanager
def nothing_done(project: Project) -> Iterator[None]:
    """Neither the stack's file nor what runs changes."""
    file, state = project.stack_file.read_bytes(), held(project)
    yield
    assert project.stack_file.read_bytes() == file
    assert held(project) == state


def promote(environments: Environments, *options: str) -> Done:
    return environments.staging.oracle("promote", "staging", "prod", *options)


def test_a_missing_stack_is_refused(environments: Environments) -> None:
    known = r"There are: local, prod, staging\. Fix: run `oracle up stagin` to create .*"
    with nothing_done(environments.prod):
        for words in (("promote", "stagin", "prod", "--yes"), ("promote", "staging", "stagin", "--yes")):
            assert_fails_with(
                environments.prod.oracle(*words), rf"There is no stack stagin: Pulumi\.stagin\.yaml does not .*{known}"
            )
        assert_fails_with(
            environments.prod.oracle("rollback", "stagin", "--yes"), rf"There is no stack stagin: .* {known}"
        )
        assert_fails_with(
            promote(environments),
            r"There is no terminal .*\. Fix: run `oracle promote staging prod --yes` to confirm it beforehand\.",
        )


def test_the_running_release_is_promoted_and_not_the_checkout(environments: Environments) -> None:
    runs, before = environments.staging.outputs()["release"], environments.prod.stack_file.read_text()
    promote(environments, "--receipt-only").well()
    receipt = environments.prod.config["oracle-net:receipt"]
    environments.prod.stack_file.write_text(before)
    assert {kind: receipt[kind] for kind in ("backend", "workers", "assets")} == {
        kind: runs[kind] for kind in ("backend", "workers", "assets")
    }


def test_a_declined_promotion_changes_nothing(environments: Environments) -> None:
    with nothing_done(environments.prod), terminal(environments.prod, "promote", "staging", "prod") as at:
        process, master = at
        screen = Screen(master)
        until(lambda: "[y/N]" in screen.text or process.poll() is not None, "the question is asked", seconds=120)
        assert process.poll() is None, screen.text
        assert "oracle-net:receipt" not in environments.prod.stack_file.read_text()  # for others, nothing has begun
        os.write(master, b"n\n")
        until(lambda: "Nothing was changed." in screen.text, "the answer is told", seconds=30)
        screen.leave()
    assert "a new app takes over from jellyfish-app, release" in " ".join(screen.text.split())
    assert not list((environments.prod.root / ".oracle/runs").rglob("*-promote"))


def test_the_option_receipt_only_changes_one_file(environments: Environments) -> None:
    before, state = environments.prod.stack_file.read_bytes(), held(environments.prod)
    document = json.loads(promote(environments, "--receipt-only", "--json").well().output)
    after = environments.prod.stack_file.read_text()
    written = yaml.safe_load(after)["config"]["oracle-net:receipt"]
    assert document["changed"] is True
    assert written["assets"] == environments.staging.outputs()["release"]["assets"]
    assert held(environments.prod) == state
    environments.prod.stack_file.write_bytes(before)
    receipt = [line for line in after.splitlines() if line not in before.decode().splitlines()]
    assert [line for line in after.splitlines() if line not in receipt] == before.decode().splitlines()


def test_a_failed_promotion_can_be_rolled_back(environments: Environments) -> None:
    prod = environments.prod
    prod.fault(app="jellyfish-app-g1-r2", step="deploy", message="planted failure")
    assert_fails_with(
        promote(environments, "--yes"),
        r"The update failed, and nothing is lost: error deploying app .*[^:]\. Fix: run `oracle rollback prod` to go "
        r"back\. To go on, run `oracle up prod`\.",
    )
    assert "oracle-net:receipt" in prod.stack_file.read_text()
    assert_fails_with(promote(environments, "--json"), r"With --json no question is asked, .* --yes` .*")
    prod.oracle("rollback", "prod", "--yes").well()
    assert fetched(prod) == FETCHED["first"]
    assert prod.config["oracle-net:receipt"]["backend"] == prod.outputs()["release"]["backend"]


def test_a_promotion_deploys_the_same_bytes(environments: Environments) -> None:
    staging, prod = environments
    shutil.rmtree(prod.root / ".oracle/releases")  # as on another laptop
    assert fetched(prod) == FETCHED["first"]
    document = json.loads(promote(environments, "--yes", "--json").well().output)
    assert (document["stack"], document["status"]) == ("prod", "ok")
    assert {row["service"]: row["change"] for row in document["services"]} == {
        "backend": "new app",
        "api": "updated",
        "web": "updated",
        "universe": "unchanged",
    }
    FETCHED["promoted"] = fetched(prod)
    assert FETCHED["promoted"] == fetched(staging)
    changed = {name for name, digest in FETCHED["promoted"].items() if FETCHED["first"].get(name) != digest}
    assert changed == {"api's code", "web/index.html", "release", "backend/entrypoint.sh"}
    assert prod.outputs()["release"] == staging.outputs()["release"]
    assert prod.stack_file.read_text().startswith("# Production. Comments")


def test_a_stack_with_a_receipt_ignores_the_checkout(environments: Environments) -> None:
    prod = environments.prod
    prod.edit("services/web/public/index.html", "</body>", "<!-- not promoted --></body>")
    prod.edit("services/backend/entrypoint.sh", "exec ", "echo not promoted\nexec ")
    shutil.rmtree(prod.root / ".oracle/releases")  # then they come from prod's own store
    preview = prod.pulumi("preview", "--stack", "prod")
    assert_quiet(preview)
    assert "the bytes that the receipt names are deployed instead of this checkout's builds" in preview.output
    shutil.rmtree(prod.root / "services/universe/public")  # nor need it build anything
    assert_quiet(prod.up())
    git(prod, "checkout", "--quiet", "services/universe")
    assert fetched(prod) == FETCHED["promoted"]
    assert_fails_with(
        prod.oracle("deploy", "web", "--stack", "prod", "--yes"), r"prod deploys the release that its receipt names, .*"
    )


def test_an_edited_receipt_is_refused(environments: Environments) -> None:
    prod = environments.prod
    known = prod.outputs()["release"]["assets"]["web"]
    before = prod.stack_file.read_bytes()
    prod.edit("Pulumi.prod.yaml", f"web: {known}", f"web: {'b' * 64}")
    try:
        done = prod.up().failed()
        assert re.search(
            rf"names cannot be deployed: web's files: \w{{12}} in this checkout, {'b' * 12} \(commit \w{{7}}\) in the "
            r"receipt, which is not stored in s3://releases/prod\. Fix: run `oracle promote FROM prod`",
            done.output,
        )
        prod.stack_file.write_bytes(before)
        prod.edit("Pulumi.prod.yaml", f"web: {known}", "web: bbbb")
        assert_fails_with(
            prod.oracle("rollback", "prod", "--yes"),
            r"oracle-net:receipt\.assets\.web .* `oracle promote FROM prod` .*",
        )
    finally:
        prod.stack_file.write_bytes(before)
    assert fetched(prod) == FETCHED["promoted"]


def test_a_held_lock_prevents_promotion_and_rollback(environments: Environments, tmp_path: Path) -> None:
    prod = environments.prod
    engine = tmp_path / "pulumi"
    engine.symlink_to("/bin/sleep")
    with nothing_done(prod), subprocess.Popen([engine, "300"]) as holder:
        lock = prod.root / ".oracle/pulumi/prod/state/.pulumi/locks/organization/oracle-net/prod/lock.json"
        lock.parent.mkdir(parents=True, exist_ok=True)
        who = {
            "pid": holder.pid,
            "hostname": socket.gethostname(),
            "username": "ada",
            "timestamp": "2026-11-22T12:00:00Z",
        }
        lock.write_text(json.dumps(who))
        assert_fails_with(
            prod.oracle("rollback", "prod", "--yes"),
            rf"Another update of prod is running: process {holder.pid} of ada on .* `kill {holder.pid}` to end it\.",
        )
        lock.unlink()
        holder.kill()


def test_a_rollback_restores_backend_and_workers_with_todays_data(environments: Environments) -> None:
    prod = environments.prod
    for title in ("one", "two"):
        say(prod, title)
    listed = json.loads(prod.oracle("rollback", "prod", "--list", "--json").well().output)
    assert listed[0]["receipt"]["backend"] == prod.outputs()["release"]["backend"]
    document = json.loads(prod.oracle("rollback", "prod", "--yes", "--json").well().output)
    assert document["status"] == "ok"
    assert any(
        re.match(r"Attention: since this release began \(.*\) 2 humans, 2 posts more\. All data is migrated", line)
        for line in document["plan"]
    ), document["plan"]
    assert fetched(prod) == FETCHED["first"]
    assert titles(prod) == {"one", "two"}
    assert_quiet(prod.pulumi("preview", "--stack", "prod"))


def test_an_unhealthy_or_drifted_staging_is_not_promoted(environments: Environments) -> None:
    staging = environments.staging
    config = staging.config
    script = config["oracle-net:workers"]["web"]["script"]
    staging.fault(host=f"{script}.*", path="*", status=500, count=1000)
    with nothing_done(environments.prod):
        assert_fails_with(
            promote(environments, "--yes"), r"staging is down, and only a healthy stack is promoted: .*500.*"
        )
    staging.api("DELETE", "/_cloud/faults")
    path = f"accounts/{config['oracle-net:accountId']}/workers/scripts/{script}/content"
    module = 'export default { fetch() { return Response.json({"release": "by hand"}); } };'
    form = {
        "metadata": (None, json.dumps({"main_module": "worker.js"}), "application/json"),
        "worker.js": ("worker.js", module, "application/javascript+module"),
    }
    cloudflare(staging, "PUT", path, files=form)
    with nothing_done(environments.prod):
        assert_fails_with(promote(environments, "--yes"), r"staging is (down|degraded).*")
    staging.stop()
    with nothing_done(environments.prod):
        assert_fails_with(
            promote(environments, "--yes"),
            r"staging is down, .*: The local cloud at \S+ does not run\. "
            r"Fix: run `oracle cloud start --stack staging`\.",
        )
