"""Stacks of one's own: the file that `oracle up NAME` writes, its names, and updates from a newer template."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.engine import stacks
from cli.engine.stacks import MARK, TEMPLATE, own_name, provide, write
from cli.engine.workspace import Stack
from cli.ui.errors import CommandError
from settings import APP_NAME_LIMIT, GENERATION_SUFFIX, SCRIPT_NAME_LIMIT
from tests.support.errors import refused
from tests.support.stacks import LOCAL, PROJECT
from tests.unit import program

APP = "digitalocean:index/app:App"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh checkout, as far as stacks go."""
    (tmp_path / TEMPLATE).parent.mkdir()
    (tmp_path / TEMPLATE).write_text(LOCAL.read_text())
    for name in ("staging", "prod"):
        (tmp_path / f"Pulumi.{name}.yaml").write_text((PROJECT / f"Pulumi.{name}.yaml").read_text())
    return tmp_path


def up(project: Path, name: str) -> Stack:
    stack = Stack(name, project)
    list(provide(stack))
    return stack


def config(stack: Stack) -> dict[str, Any]:
    return dict(yaml.safe_load(stack.file.read_text())["config"])


def names(stack: Stack) -> list[str]:
    settings = stack.settings()
    return [settings.backend.app_name, *(worker.script for worker in settings.workers.values())]


def test_the_local_stack_has_the_production_names(project: Path) -> None:
    assert names(up(project, "local")) == ["jellyfish-app", "oracle-universe-api", "oracle-universe-web", "oracle-net"]


def test_a_new_stack_has_its_own_names(project: Path) -> None:
    (said,) = provide(Stack("ada", project))
    assert said.startswith("The stack ada is new: Pulumi.ada.yaml, written from localcloud/stack.yaml")
    ada = Stack("ada", project)
    assert names(ada) == [
        "jellyfish-app-ada",
        "oracle-universe-api-ada",
        "oracle-universe-web-ada",
        "oracle-net-ada",
    ]
    assert ada.on_local_cloud
    assert not list(provide(ada)), "a second time there is nothing to say"


@pytest.mark.parametrize("name", ["a", "ada-lovelace", "ada-lovelace-2", "x" * 60])
def test_every_name_is_short_enough_and_unique(project: Path, name: str) -> None:
    assert not set(names(up(project, name))) & set(names(up(project, f"{name[:-1]}y")))


def test_shortened_names_are_unique() -> None:
    limit = APP_NAME_LIMIT - GENERATION_SUFFIX
    made = {own_name("jellyfish-app", name, limit) for name in ("lovelace-1", "lovelace-2", "lovelace")}
    assert len(made) == 3
    assert max(map(len, made)) <= limit
    assert own_name("oracle-net", "ada", SCRIPT_NAME_LIMIT) == "oracle-net-ada"


def test_a_new_stack_uses_the_ports_of_the_existing_local_cloud(project: Path) -> None:
    """The first stack may have been given other ports, for example because another program uses the default ones."""
    local = up(project, "local")
    local.file.write_text(
        local.file.read_text().replace(":8400", ":9400").replace(":8401", ":9401").replace("ce\n", "cf\n")
    )
    local.cloud_state.mkdir(parents=True)
    ada = up(project, "ada")
    assert (ada.cloud_port, ada.edge_port, ada.account) == (9400, 9401, "local")
    assert ada.settings().account_id == local.settings().account_id
    assert str(config(ada)["oracle-net:backend"]["image"]["store"]) == "http://127.0.0.1:9400/_cloud/images"
    assert not list(provide(ada))
    assert ada.cloud_port == 9400


@pytest.mark.parametrize(
    "name, meant",
    [
        ("prdo", "prod"),
        ("stagin", "staging"),
        ("production", "prod"),
        ("Prod", "prod"),
        ("pro", "prod"),
        ("loca", "local"),
    ],
)
def test_a_mistyped_stack_name_creates_no_stack(project: Path, name: str, meant: str) -> None:
    with refused(f"There is no stack {name}, and .* so similar to {meant}. Fix: run `.*` if you mean {meant}; or"):
        up(project, name)
    assert not Stack(name, project).file.exists() or name == "Prod"


@pytest.mark.parametrize("name", ["Ada", "ada.2", "a_b", "2nd"])
def test_an_invalid_name_for_a_new_stack_is_refused(project: Path, name: str) -> None:
    with pytest.raises(CommandError, match="lowercase letters, digits and dashes"):
        up(project, name)


def test_the_name_of_a_review_environment_is_refused(project: Path) -> None:
    with refused("^pr-12 is the review environment of a pull request. Fix: run `oracle review 12` to create it"):
        up(project, "pr-12")


def template(project: Path, old: str, new: str) -> None:
    file = project / TEMPLATE
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_additions_to_the_template_are_applied(project: Path) -> None:
    ada = up(project, "ada")
    template(project, "      assets: public\n", "      assets: public\n      notFound: 404-page\n")
    template(project, "config:\n", "config:\n  oracle-net:writeFreezeSeconds: 100\n")
    assert list(provide(ada)) == ["Pulumi.ada.yaml was updated from localcloud/stack.yaml."]
    assert (ada.settings().sites["web"].not_found, ada.settings().write_freeze_seconds) == ("404-page", 100)
    assert names(ada)[0] == "jellyfish-app-ada"
    assert not list(provide(ada))


def test_changes_of_the_template_never_overwrite_the_users_values(project: Path) -> None:
    ada = up(project, "ada")
    own = ada.file.read_text().replace('drainSeconds: "1"', 'drainSeconds: "3"')
    ada.file.write_text(own.replace("  oracle-net:monitoring:\n    emails: [admin@oracle.localhost]\n", ""))
    template(project, 'drainSeconds: "1"', 'drainSeconds: "2"')
    template(project, "createTimeout: 2m", "createTimeout: 9m")
    template(project, "  oracle-net:adminEmail: admin@", "  oracle-net:adminEmail: root@")
    up(project, "ada")
    settings = ada.settings()
    assert (settings.drain_seconds, settings.backend.create_timeout) == (3, "9m")
    assert (settings.admin_email, settings.monitoring) == ("root@oracle.localhost", None)
    template(project, "    createTimeout: 9m\n", "")
    up(project, "ada")
    assert ada.settings().backend.create_timeout == "30m", "the default, since nobody here had set it"


def test_the_generation_is_preserved_when_the_template_changes(project: Path) -> None:
    ada = up(project, "ada")
    ada.file.write_text(ada.file.read_text().replace('generation: "1"', 'generation: "4"') + "encryptionsalt: v1:own\n")
    template(project, 'generation: "1"', 'generation: "2"')
    template(project, "createTimeout: 2m", "createTimeout: 9m")
    up(project, "ada")
    assert (ada.settings().generation, ada.settings().backend.create_timeout) == (4, "9m")
    assert yaml.safe_load(ada.file.read_text())["encryptionsalt"] == "v1:own"
    assert ada.file.read_text().startswith(MARK)


def test_without_the_record_only_missing_keys_are_added(project: Path) -> None:
    """For example after `rm -rf .oracle`."""
    ada = up(project, "ada")
    (project / ".oracle/stacks/ada.yaml").unlink()
    template(project, "createTimeout: 2m", "createTimeout: 9m\n    healthPath: /api/other")
    up(project, "ada")
    assert (ada.settings().backend.create_timeout, ada.settings().backend.health_path) == ("2m", "/api/other")


def test_a_stack_file_written_by_hand_is_not_changed(project: Path) -> None:
    mine = Stack("mine", project)
    mine.file.write_text(LOCAL.read_text().replace('  oracle-net:drainSeconds: "1"\n', ""))
    before = mine.file.read_text()
    assert not list(provide(mine))
    assert mine.file.read_text() == before


def test_the_program_runs_with_a_new_stacks_file(project: Path) -> None:
    values = config(up(project, "ada"))
    run = program.run({key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()})
    assert [program.plain(each.inputs["spec"])["name"] for each in run.of(APP)] == ["jellyfish-app-ada"]


def test_git_tracks_only_the_real_stacks() -> None:
    listed = ["Pulumi.ada.yaml", "Pulumi.local.yaml", "Pulumi.pr-7.yaml", "Pulumi.prod.yaml", "Pulumi.staging.yaml"]
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", *listed], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == listed[:3]
    tracked = subprocess.run(
        ["git", "ls-files", "Pulumi.*.yaml"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert tracked.stdout.split() == listed[3:]


def test_a_template_merge_preserves_the_users_keys(project: Path) -> None:
    write(Stack("ada", project))
    assert stacks.merged({"a": 1, "mine": 2}, {"a": 1, "b": 1}, {"a": 2, "c": 3}) == {"a": 2, "mine": 2, "c": 3}
