"""Resources of another stack or person are refused and never changed. Each test can run alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from clients.http import client
from tests.live import network
from tests.live.project import Done, Project, assert_quiet

pytestmark = [pytest.mark.live, pytest.mark.slow]

API, WEB, UNIVERSE = "oracle-universe-api", "oracle-net", "oracle-universe-web"
OWNER = "organization/oracle-net/local"
BY_HAND = b"export default {async fetch() { return new Response('made by hand') }}"


def cloudflare(project: Project, method: str, path: str, **options: Any) -> Any:
    """The `result` of a request below the account's Workers."""
    tokens = project.tokens()
    address = f"{project.endpoint}/client/v4/accounts/{tokens['accountId']}/workers/{path}"
    with client(timeout=30, headers={"Authorization": f"Bearer {tokens['cloudflare']}"}) as http:
        answer = http.request(method, address, **options)
    assert answer.status_code < 300, answer.text
    return answer.json()["result"]


def upload(project: Project, script: str) -> None:
    """As anybody with a token may: Cloudflare asks nobody before it overwrites."""
    metadata = {"main_module": "w.js", "compatibility_date": "2025-01-01", "bindings": []}
    form = {
        "metadata": (None, json.dumps(metadata), "application/json"),
        "w.js": ("w.js", BY_HAND, "application/javascript+module"),
    }
    cloudflare(project, "PUT", f"scripts/{script}", files=form)


def clouds(project: Project) -> dict[str, Any]:
    """What the account runs: each app with its deployment, each Worker with its version, checks, and domains."""
    apps = project.api("GET", "/v2/apps")["apps"] or []
    return {
        "apps": {each["spec"]["name"]: (each["id"], each["active_deployment"]["id"]) for each in apps},
        "workers": {
            each["id"]: cloudflare(project, "GET", f"scripts/{each['id']}/deployments")["deployments"]
            for each in cloudflare(project, "GET", "scripts")
        },
        "subdomains": {
            each["id"]: cloudflare(project, "GET", f"scripts/{each['id']}/subdomain")
            for each in cloudflare(project, "GET", "scripts")
        },
        "checks": project.api("GET", "/v2/uptime/checks")["checks"],
        "domains": cloudflare(project, "GET", "domains"),
    }


def destroy(project: Project, *options: str) -> Done:
    words = ("destroy", "--run-program", "--yes", "--skip-preview", "--stack", project.stack)
    return project.pulumi(*words, *options)


@pytest.fixture(scope="module")
def first(project: Project) -> Project:
    network.plant(project)
    return project


@pytest.fixture
def untouched(first: Project) -> Iterator[Project]:
    """The first network, which is afterwards what it was: by the clouds, by its records, by its admin's login."""
    before, held = clouds(first), network.holdings(first)
    yield first
    assert clouds(first) == before
    assert network.holdings(first) == held, "and its admin can log in"
    network.say(first, f"written after {len(held['posts'])} posts")


def test_a_copied_stack_file_is_refused_by_every_command(untouched: Project) -> None:
    shutil.copy(untouched.stack_file, untouched.root / "Pulumi.x.yaml")
    copy = untouched.on("x")
    assert "There is no stack x in the state" in copy.oracle("plan", "x").failed().output  # to look makes no stack
    keys = "oracle-net:backend.appName NAME --stack x"
    for command, next_step in ((("up", "x"), "run `oracle doctor x`"), (("doctor", "--stack", "x"), keys)):
        said = copy.oracle(*command).failed().output
        for name in ("jellyfish-app", API, WEB, UNIVERSE):
            assert name in said, said
        assert OWNER in said.replace("\n", ""), said
        assert next_step in " ".join(said.split()), said
    assert f"belongs to {OWNER}, not to organization/oracle-net/x" in copy.oracle("plan", "x").failed().output
    assert f"belongs to {OWNER}" in copy.oracle("adopt", "x", "--dry-run").failed().output
    assert (
        f"belongs to {OWNER}, not to organization/oracle-net/x"
        in copy.pulumi("preview", "--stack", "x").failed().output
    )
    destroy(copy).well()


EVERY = """
status --stack x
drift x
drift x --repair
history x
backups x
runs --stack x
plan x
doctor --stack x
rollback x --list
rollback x --yes
backup x
wipe x --yes
wipe x --restart --yes
wipe x --undo --yes
restore {backup} x --yes
rotate admin x
adopt x --yes
deploy --stack x --yes
promote x local --yes
promote local x --yes
console backend --stack x -- true
"""
UNDEPLOYED = (
    "status --stack x",
    "drift x --repair",
    "wipe x --yes",
    "restore {backup} x --yes",
    "rotate admin x",
    "promote local x --yes",
)
"""Those that are tried before the stack is in the state, too: without it all others end at the same question."""
ONLY_LOOKS = {"history", "backups", "rollback --list", "runs"}
"""What ends well for a stack that has made nothing: there is nothing of it."""


@pytest.mark.timeout(1800)
def test_commands_on_a_copied_stack_file_never_touch_the_first_stack(untouched: Project) -> None:
    """Before a refused update of the copy, and after it, which leaves an empty stack in the state."""
    shutil.copy(untouched.stack_file, untouched.root / "Pulumi.x.yaml")
    untouched.oracle("backup", "local").well()
    backup, copy = network.backups(untouched)[0]["id"], untouched.on("x")
    before, store = clouds(untouched), stored(untouched)
    commands = [*UNDEPLOYED, "up x", *EVERY.strip().splitlines()]
    for command in [line.format(backup=backup).split() for line in commands]:
        done = copy.oracle(*command)
        print(f"| `oracle {' '.join(command)}` | {done.status} | {last_words(done)} |")
        looks = any(" ".join(command).startswith(each) for each in ONLY_LOOKS) or command[-1] == "--list"
        assert (done.status == 0) is looks, done.output
        assert "Traceback" not in done.output
        assert backup not in done.output.replace(f"restore {backup} x", "").replace(f"'{backup}'", ""), done.output
        assert clouds(untouched) == before, command
        assert stored(untouched) == store, command
    destroy(copy)
    assert clouds(untouched) == before


def stored(project: Project) -> dict[str, bytes]:
    """What is stored for the first stack, to the byte; its runs are not."""
    folder = project.root / ".oracle/backups" / OWNER
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def last_words(done: Done) -> str:
    lines = [line.strip() for line in done.output.splitlines() if line.strip()]
    return lines[-1][:150] if lines else ""


def test_a_copied_state_neither_changes_nor_deletes_resources(untouched: Project) -> None:
    state = untouched.root / "state.json"
    untouched.pulumi("stack", "export", "--stack", "local", "--file", str(state)).well()
    shutil.copy(untouched.stack_file, untouched.root / "Pulumi.y.yaml")
    copy = untouched.on("y")
    copy.pulumi("stack", "init", "y")
    state.write_text(state.read_text().replace("urn:pulumi:local::", "urn:pulumi:y::"))
    copy.pulumi("stack", "import", "--stack", "y", "--file", str(state)).well()
    for done in (copy.oracle("up", "y"), copy.pulumi("preview", "--stack", "y")):
        assert f"belongs to {OWNER}, not to organization/oracle-net/y" in done.failed().output
    assert f"belongs to {OWNER}" in destroy(copy).failed().output


def test_the_first_network_has_nothing_to_update(first: Project) -> None:
    assert_quiet(first.up())
    first.oracle("doctor").well()


def test_a_worker_of_another_owner_is_not_overwritten(tmp_path: Any) -> None:
    project = Project.copied(tmp_path / "project")
    try:
        project.oracle("cloud", "start").well()
        upload(project, WEB)
        before = clouds(project)
        for command in (("up", "local"), ("plan", "local"), ("doctor", "--stack", "local")):
            said = " ".join(project.oracle(*command).failed().output.split())
            assert f"Worker {WEB} exists" in said
            assert "oracle adopt local" in said
        assert clouds(project) == before
        cloudflare(project, "DELETE", f"scripts/{WEB}")
        project.oracle("up").well()
        upload(project, WEB)
        project.pulumi(
            "config", "set", "--path", "oracle-net:workers.web.compatibilityDate", "2025-02-02", "-s", "local"
        )
        project.oracle("up").well()
        bindings = cloudflare(project, "GET", f"scripts/{WEB}/settings")["bindings"]
        assert OWNER in [each.get("text") for each in bindings], "a mark that was dropped is drift"
    finally:
        project.stop()
