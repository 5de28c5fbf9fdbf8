"""Release, wipe, undo and restart while people read and write. One story: the tests run in order.

People read and write over HTTP and open sockets from the first test to the last. After each operation every write that
was acknowledged to them is looked for in what serves and in the backups.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live import leaks, network, rpc_api
from tests.live.network_load import loaded
from tests.live.project import Done, Project, assert_quiet, changed_names
from tests.live.story import RELEASE, RESTARTED, ROLLBACK, ROTATION, UNDO, WIPE, Operation, Row, Story, change_backend

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

WRITES_A_SECOND = 6.0
"""Fewer than tests/chaos/endurance.py makes, so that more of the machine is left to other tests."""
FOLLOWING = {
    "backend-app",
    "backend-data",
    "backend-generation",
    "backend-ready",
    "api-script",
    "api-declared",
    "uptime-backend-check",
    "release-archive",
}
"""What a new backend changes: itself, and what knows it."""


@pytest.fixture(scope="module")
def project(brought_up: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that is up, and whose API is used over sockets."""
    made = brought_up.copy(tmp_path_factory.mktemp("copy") / "project")
    rpc_api.install(made)
    try:
        made.oracle("up").well()
        network.plant(made)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def story(project: Project) -> Iterator[Story]:
    with loaded(project, "story", WRITES_A_SECOND) as load:
        yield Story(project, load)


def carried_out(story: Story, operation: Operation, command: Callable[[], Done] | None = None) -> tuple[Row, Done]:
    """What people met with during it, and what the command printed. No write was lost, and nothing else was wrong."""
    story.project.oracle("backup").well()  # PocketBase's backup is what makes a second process on a database harmful
    done: list[Done] = []

    def carry_out() -> Done:
        done.append(command() if command else story.project.oracle(*operation.command))
        return done[0]

    row = story.observe(operation, carry_out)
    print(row.line())
    assert not row.problems, row.problems
    assert row.acknowledged
    registered = {seen.rpartition(" ")[2] for seen in story.load.tally.statuses if ": register " in seen}
    assert registered <= {"201"}
    return row, done[0]


def test_a_release_migrates_the_data(story: Story) -> None:
    project = story.project
    before, released = network.holdings(project), network.running(project)
    change_backend(project)
    row, done = carried_out(story, RELEASE, project.up)
    assert changed_names(done) == {*FOLLOWING, "backend-image"}
    assert row.refused, "writes were on hold for a moment"
    assert network.running(project) == project.outputs()["release"]["backend"] != released
    # The old backend goes last, when the API has long left it.
    moved, deleted = (done.output.index(step) for step in ("api-script updated", "backend-app deleted original"))
    assert moved < deleted
    held = network.holdings(project)
    assert_held(before, held)
    for name in ("keepsakes", "oracles"):  # nobody writes these
        assert held[name] == before[name]
    assert network.apps(project) == ["jellyfish-app-g1-r2"]


def assert_held(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Every record of before is there, unchanged; people go on writing, so that there may be more."""
    for name, records in before.items():
        held = {each["id"]: each for each in after[name]}
        assert {each["id"]: held.get(each["id"]) for each in records} == {each["id"]: each for each in records}


@pytest.fixture(scope="module")
def planted(project: Project) -> dict[str, Any]:
    """What the backend held before it was wiped, or some of it: people go on writing."""
    return network.holdings(project)


@pytest.mark.slow
def test_the_plan_of_a_wipe_shows_the_loss_and_changes_nothing(project: Project, planted: dict[str, Any]) -> None:
    """A pull request that raises the generation and chooses a larger machine gets this plan."""
    before = project.stack_file.read_text(), project.state_file.read_bytes()
    project.edit(project.stack_file.name, 'oracle-net:generation: "1"', 'oracle-net:generation: "2"')
    project.edit(project.stack_file.name, "    createTimeout", "    size: basic-xs\n    createTimeout")
    done = project.oracle("plan", "--markdown", "plan.md", "--refuse-loss")
    project.stack_file.write_text(before[0])
    assert done.status == 3, done.output
    text = (project.root / "plan.md").read_text()
    assert "**THIS LOSES THE BACKEND'S DATA.**" in text
    assert "The generation goes from 1 to 2: a wipe." in text
    assert "it starts EMPTY" in text
    (posts,) = re.findall(r"(\d+) posts", text)
    assert int(posts) >= len(planted["posts"])
    assert re.search(r"Cost: \$\d+\.\d\d a month becomes \$\d+\.\d\d", text)
    assert "| backend-app | replaced |" in text
    secrets = {"password": project.outputs()["adminPassword"], **project.tokens()}
    assert (
        leaks.leaked(text.encode(), {name: secret for name, secret in secrets.items() if name != "accountId"}) == set()
    )
    assert project.state_file.read_bytes() == before[1]
    assert "nothing changes" in project.oracle("plan", "--refuse-loss").well().output


@pytest.fixture(scope="module")
def unfinished(project: Project) -> dict[str, str]:
    """Changes in the checkouts that nobody has deployed: what each file was before."""
    files = {
        "services/backend/entrypoint.sh": ("exec ", "echo unfinished\nexec "),
        "services/rpc_api/worker.js": ("/**", "// unfinished\n/**"),
        "services/web/public/index.html": ("</body>", "<!-- unfinished --></body>"),
    }
    before = {name: (project.root / name).read_text() for name in files}
    for name, (old, new) in files.items():
        project.edit(name, old, new)
    return before


def held_to(project: Project, release: dict[str, Any], done: Done) -> None:
    """The release is the same one, and only the backend and what follows it was touched."""
    assert project.outputs()["release"] == release
    assert network.running(project) == release["backend"]
    assert changed_names(done) <= {*FOLLOWING, "backend-disk", "default"}


def test_a_wipe_empties_the_backend_and_backs_up_everything(
    story: Story, planted: dict[str, Any], unfinished: dict[str, str], tmp_path: Path
) -> None:
    project = story.project
    [old] = network.apps(project)
    release = project.outputs()["release"]
    row, done = carried_out(story, WIPE)
    # People's accounts went with the data: they are told so, and register anew.
    people = {failed.rpartition(" ")[2] for failed in row.failed_writes if "as superuser" not in failed}
    assert people <= {"400", "401", "403"}
    assert f"backend: a new app takes over from {old}" in done.output
    assert "it starts EMPTY" in done.output
    assert "Not touched: universe, web." in done.output
    held_to(project, release, done)
    assert f"{old} holds " in done.output
    assert "To undo this, run `oracle wipe --undo local` or" in done.output
    backup = network.backups(project)[0]
    assert backup["id"] in done.output
    assert backup["verified"] is True
    before = {post["title"] for post in planted["posts"]}
    assert before <= network.backed_up_titles(project, backup["id"], tmp_path)
    assert not before & network.titles(project)
    assert network.apps(project) == ["jellyfish-app-g2"]
    assert "keepsakes" not in network.holdings(project)
    network.say(project, "between")


def test_an_undo_restores_everything(
    story: Story, planted: dict[str, Any], unfinished: dict[str, str], tmp_path: Path
) -> None:
    project = story.project
    release = project.outputs()["release"]
    _, done = carried_out(story, UNDO)
    held_to(project, release, done)
    held = network.holdings(project)
    assert_held(planted, held)
    # What came between is in the undo's own backup. All that is here besides was written by people.
    assert {post["title"].split()[0] for post in held["posts"]} <= {"planted", "story"}
    assert "between" in network.backed_up_titles(project, network.backups(project)[0]["id"], tmp_path)
    assert network.generation(project) == 3
    history = project.oracle("history").well().output
    assert "restore" in history
    assert "wipe" in history


@pytest.mark.slow
def test_a_restart_empties_the_disk_of_the_same_app(story: Story, unfinished: dict[str, str], tmp_path: Path) -> None:
    project = story.project
    before = network.titles(project)
    release = project.outputs()["release"]
    address = project.outputs()["backendUrl"]
    _, done = carried_out(story, RESTARTED)
    assert project.outputs()["backendUrl"] == address
    held_to(project, release, done)
    backup = network.backups(project)[0]["id"]
    assert f"oracle restore {backup} local" in done.output
    assert before <= network.backed_up_titles(project, backup, tmp_path)
    assert not before & network.titles(project)
    for name, text in unfinished.items():
        (project.root / name).write_text(text)
    assert_quiet(project.up())


@pytest.mark.slow
@pytest.mark.parametrize("operation", [ROTATION, ROLLBACK], ids=lambda each: str(each.name))
def test_other_operations_lose_no_write(story: Story, operation: Operation) -> None:
    carried_out(story, operation)
