"""Review environments: their configuration, derived from another stack, and their removal."""

from __future__ import annotations

import json
import random
import shutil
import string
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from typer.testing import CliRunner

import yaml_text
from cli.engine.locks import Lock
from cli.engine.pulumi import Engine, Finished
from cli.engine.workspace import Stack
from cli.main import app
from cli.preview_env import comment, leftovers, lifecycle
from cli.preview_env.config import APP_LIMIT, declared, named, text
from cli.runs.report import Row
from cli.ui.errors import CommandError
from errors import Fix, Remedy
from settings import SCRIPT_NAME_LIMIT, from_file
from tests.support.fakes import FakeAccount
from tests.support.owners import owner
from tests.unit import program
from tests.unit.test_program import APP, DOMAIN, SCRIPT, checkouts

__all__ = ["checkouts"]

PROJECT = Path(__file__).parents[2]
STAGING: dict[str, Any] = yaml_text.load((PROJECT / "Pulumi.staging.yaml").read_text())
PROD: dict[str, Any] = yaml_text.load((PROJECT / "Pulumi.prod.yaml").read_text())
SECURE = {"secure": "v1:c3RhZ2luZw==:planted"}
HEX = "0" * 64
FULL = {
    "config": {
        **PROD["config"],
        "digitalocean:token": SECURE,
        "cloudflare:baseUrl": "https://api.example/client/v4",
        "oracle-net:adminPassword": SECURE,
        "oracle-net:adminPasswordVersion": 3,
        "oracle-net:githubToken": SECURE,
        "oracle-net:backupKey": SECURE,
        "oracle-net:backendSecrets": {"LITESTREAM_SECRET_ACCESS_KEY": SECURE},
        "oracle-net:generation": "4",
        "oracle-net:replacement": 2,
        "oracle-net:restart": 1,
        "oracle-net:restoreFrom": "20261122-a",
        "oracle-net:unlockedUntil": "2026-11-22T22:00:00Z",
        "oracle-net:data": "carry",
        "oracle-net:backup": {"store": "s3://oracle-backups/prod", "endpoint": "https://sgp1.example"},
        "oracle-net:receipt": {"backend": f"sha256:{HEX}", "workers": {"api": HEX}},
        "oracle-net:backend": {
            **PROD["config"]["oracle-net:backend"],
            "adopted": {"app": "12345678", "deployment": "12345678"},
            "env": {"COLOUR": "blue", "KEY": SECURE},
        },
        "oracle-net:workers": {
            **PROD["config"]["oracle-net:workers"],
            "api": {**PROD["config"]["oracle-net:workers"]["api"], "workersDev": False},
        },
    },
    "encryptionsalt": "v1:salt-of-prod",
}


def settled(document: dict[str, Any], number: int, folder: Path) -> Any:
    (folder / "Pulumi.pr.yaml").write_text(text(document, number, "Pulumi.x.yaml", {}))
    return from_file(folder / "Pulumi.pr.yaml")


def test_secrets_and_receipts_of_the_base_stack_are_not_copied(tmp_path: Path) -> None:
    made = settled(FULL, 7, tmp_path)
    assert (made.admin_password, made.github_token, made.backup_key, made.receipt, made.monitoring) == (None,) * 5
    assert (made.generation, made.replacement, made.restart, made.restore_from) == (1, 1, 0, None)
    assert (made.protect, made.locked, made.unlocked_until, made.adopted) == (False, False, None, ())
    assert made.backend_secrets == {}
    assert made.data == "ephemeral"
    assert made.backup.store == "folder:.oracle/reviews/pr-7"
    for worker in made.workers.values():
        assert worker.workers_dev
        assert worker.domain is None
    written = (tmp_path / "Pulumi.pr.yaml").read_text()
    assert "secure" not in written
    assert "salt-of-prod" not in written
    assert made.backend.env == {"COLOUR": "blue"}


def test_common_settings_are_the_same_as_in_the_base_stack(tmp_path: Path) -> None:
    made, prod = settled(FULL, 7, tmp_path), from_file(PROJECT / "Pulumi.prod.yaml")
    assert declared(FULL, 7)["config"]["cloudflare:baseUrl"] == "https://api.example/client/v4"
    assert (made.account_id, made.workers_url) == (prod.account_id, prod.workers_url)
    assert made.backend.image == prod.backend.image
    for name, worker in made.workers.items():
        assert (worker.path, worker.build) == (prod.workers[name].path, prod.workers[name].build)


def test_the_base_stacks_document_is_not_changed() -> None:
    before = json.dumps(FULL)
    declared(FULL, 7)
    assert json.dumps(FULL) == before


def test_names_are_short_enough_and_unique() -> None:
    rest = random.Random(7)
    alphabet = string.ascii_lowercase + string.digits + "-"
    for limit in (APP_LIMIT, SCRIPT_NAME_LIMIT):
        names = {f"a{''.join(rest.choices(alphabet, k=rest.randrange(1, 62)))}z" for _ in range(1500)}
        names |= {f"oracle-universe-backend-of-staging-{each}" for each in range(300)}
        seen: dict[str, tuple[int, str]] = {}
        for number in (1, 12, 123, 9_999_999):
            for name in names:
                made = named(number, name, limit)
                assert 2 <= len(made) <= limit
                assert made.startswith(f"pr-{number}-")
                assert not made.endswith("-")
                assert seen.setdefault(made, (number, name)) == (number, name)
    assert named(7, "oracle-net-staging", SCRIPT_NAME_LIMIT) == "pr-7-oracle-net-staging"


def test_the_engines_own_lines_come_only_from_the_environments_own_file() -> None:
    before = {"encryptionsalt": "v1:own", "secretsprovider": "passphrase", "config": {"old": 1}}
    made = yaml_text.load(text(FULL, 7, "Pulumi.prod.yaml", before))
    assert (made["encryptionsalt"], made["secretsprovider"]) == ("v1:own", "passphrase")
    assert "old" not in made["config"]


def test_the_program_accepts_a_derived_configuration(tmp_path: Path) -> None:
    """Under mocks: own names, a generated password, no protection."""
    staging = yaml_text.load(program.filled_in(yaml.safe_dump(STAGING)))["config"]
    made = declared({"config": staging | {"oracle-net:githubToken": SECURE}}, 7)["config"]
    run = program.run({key: value if isinstance(value, str) else json.dumps(value) for key, value in made.items()})
    assert [program.plain(each.inputs["spec"])["name"] for each in run.of(APP)] == ["pr-7-jellyfish-cadb5f"]
    assert {program.plain(each.inputs["scriptName"]) for each in run.of(SCRIPT)} == {
        "pr-7-oracle-universe-api-staging",
        "pr-7-oracle-net-staging",
        "pr-7-oracle-universe-web-staging",
    }
    assert not run.declares(DOMAIN)
    assert not run.protected
    assert not [each for each in run.resources if "uptime" in each.type.lower()]
    assert run.outputs["adminPassword"] == program.MADE_PASSWORD
    bound = program.plain(run.one("api-script").inputs["bindings"])
    assert "GITHUB_TOKEN" not in {each["name"] for each in bound}


@pytest.fixture
def base(tmp_path: Path) -> Stack:
    """The committed staging, in a folder of its own."""
    shutil.copy(PROJECT / "Pulumi.staging.yaml", tmp_path)
    return Stack("staging", tmp_path)


@dataclass
class State:
    """A state backend and clouds: stacks by name with their tags; `broken` are those whose destruction fails."""

    stacks: dict[str, dict[str, str]] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    """When each was last changed, as `stack ls` tells."""
    broken: set[str] = field(default_factory=set)
    exported: dict[str, Any] = field(default_factory=dict)
    imported: list[dict[str, Any]] = field(default_factory=list)
    locks: list[Lock] = field(default_factory=list)
    said: list[tuple[str, ...]] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)

    def engine(self, stack: Stack) -> Any:
        state = self

        class Fake:
            def __init__(self) -> None:
                self.stack = stack
                self.owner = owner(stack.name)
                self.environment: dict[str, str] = {}

            def run_checked(self, *words: str) -> str:
                state.said.append(words)
                if words[:3] == ("stack", "tag", "ls"):
                    return json.dumps(state.stacks[words[-1]])
                if words[:2] == ("stack", "rm"):
                    del state.stacks[words[2]]
                return ""

            def stacks(self) -> dict[str, dict[str, Any]]:
                return {name: {"lastUpdate": state.changed.get(name)} for name in state.stacks}

            def export(self) -> dict[str, Any]:
                return state.exported

            def failure(self, done: Finished, go_on: str, then: str) -> CommandError:
                return CommandError(f"{done.output}. {then}", go_on=go_on)

        return Fake()


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> State:
    made = State()

    @dataclass
    class Recording:
        engine: Any
        run: Any

        def destroy(self) -> Finished:
            name = self.engine.stack.name
            if name in made.broken:
                return Finished(1, "The cloud said no")
            made.destroyed.append(name)
            return Finished(0, "")

    monkeypatch.setattr(lifecycle, "Engine", made.engine)
    monkeypatch.setattr(lifecycle, "RunRecorder", Recording)
    monkeypatch.setattr(lifecycle, "clear", lambda engine: made.said.append(("clear", engine.stack.name)))
    monkeypatch.setattr(lifecycle, "held", lambda _: made.locks)
    monkeypatch.setattr(lifecycle, "recover", lambda engine: made.said.append(("recover", engine.stack.name)))
    monkeypatch.setattr(lifecycle, "import_state", lambda _, given: made.imported.append(given))
    return made


def moment(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def tagged(hours: float) -> dict[str, str]:
    return {lifecycle.TAG: moment(hours)}


def test_only_expired_environments_are_removed(base: Stack, state: State) -> None:
    state.stacks = {"staging": {}, "pr-1": tagged(-1), "pr-2": tagged(1), "prod": tagged(-9), "pr-x": tagged(-9)}
    lines: list[str] = []
    lifecycle.sweep(base, lines.append)
    assert state.destroyed == ["pr-1"]
    assert set(state.stacks) == {"staging", "pr-2", "prod", "pr-x"}
    assert [line.split(":")[0] for line in lines] == ["pr-1", "pr-2"]
    assert "exists until" in lines[1]


def test_a_failed_removal_does_not_stop_the_others(base: Stack, state: State) -> None:
    state.stacks = {"pr-1": tagged(-1), "pr-2": tagged(-1), "pr-3": tagged(-1)}
    state.broken = {"pr-1"}
    lines: list[str] = []
    with pytest.raises(CommandError, match=r"^pr-1 could not be deleted; the reasons are above\.$") as failure:
        lifecycle.sweep(base, lines.append)
    assert (failure.value.status, failure.value.helps) == (1, (Remedy.RETRY,))
    assert state.destroyed == ["pr-2", "pr-3"]
    assert set(state.stacks) == {"pr-1"}
    assert (
        lines[0] == "pr-1: NOT deleted. The cloud said no. The state has the remaining resources. To go on, run "
        "`oracle review 1 --down`."
    )
    assert len(lines) == 3


def test_an_unexpected_error_does_not_stop_the_other_removals(
    base: Stack, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.stacks = {"pr-1": tagged(-1), "pr-2": tagged(-1)}

    def broken(engine: Any) -> None:
        if engine.stack.name == "pr-1":
            raise KeyError("resources")

    monkeypatch.setattr(lifecycle, "recover", broken)
    with pytest.raises(CommandError, match="pr-1 could not"):
        lifecycle.sweep(base, lambda _: None)
    assert state.destroyed == ["pr-2"]


def test_an_environment_without_a_deadline_expires_after_a_day_of_no_change(base: Stack, state: State) -> None:
    state.stacks = {"pr-1": {}, "pr-2": {}, "pr-3": {lifecycle.TAG: "soon"}, "pr-4": {}}
    state.changed = {"pr-1": moment(-25), "pr-2": moment(-23), "pr-3": moment(-25)}
    lifecycle.sweep(base, lambda _: None)
    assert state.destroyed == ["pr-1", "pr-3", "pr-4"]


def test_a_fresh_machine_removes_an_environment_it_never_saw(base: Stack, state: State) -> None:
    state.stacks = {"pr-7": tagged(-1)}
    leftover = base.project / ".oracle/reviews/pr-7"
    leftover.mkdir(parents=True)
    assert lifecycle.take_down(base, 7)
    assert not leftover.exists()
    assert [path.name for path in base.project.glob("Pulumi.*.yaml")] == ["Pulumi.staging.yaml"]
    assert not lifecycle.take_down(base, 7)


def test_an_incomplete_stack_file_is_written_again(base: Stack, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    state.stacks = {"pr-7": {}}
    (base.project / "Pulumi.pr-7.yaml").write_text("encryptionsalt: v1:own\n")
    seen: list[str] = []
    monkeypatch.setattr(lifecycle, "clear", lambda engine: seen.append(engine.stack.settings().backend.app_name))
    lifecycle.take_down(base, 7)
    assert seen == ["pr-7-jellyfish-cadb5f"]


def test_a_removal_destroys_the_state_without_a_backup(base: Stack, state: State) -> None:
    hooks = {"BeforeDelete": ["backup-before-delete"], "AfterCreate": ["after"]}
    state.stacks = {"pr-7": tagged(1)}
    state.exported = {"deployment": {"resources": [{"urn": "app", "resourceHooks": hooks}, {"urn": "other"}]}}
    lifecycle.take_down(base, 7)
    (given,) = state.imported
    assert given["deployment"]["resources"][0]["resourceHooks"] == {"AfterCreate": ["after"]}
    state.stacks, state.exported = {"pr-7": {}}, {"deployment": {}}
    lifecycle.take_down(base, 7)
    assert len(state.imported) == 1


def test_leftover_resources_are_deleted_only_by_their_exact_names(base: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    apps = ["pr-7-jellyfish-cadb5f-g1-r2", "pr-7-jellyfish", "pr-77-jellyfish-cadb5f", "jellyfish-app-staging"]
    scripts = ["pr-7-oracle-net-staging", "pr-7-other", "oracle-net-staging"]
    account = FakeAccount.owned(dict.fromkeys(apps), dict.fromkeys(scripts))
    monkeypatch.setattr(leftovers, "AppPlatform", account.clouds.app_platform)
    monkeypatch.setattr(leftovers, "Workers", account.clouds.workers)
    engine = Mock(Engine)
    engine.stack, engine.environment = lifecycle._write_file(base, 7), {}
    assert leftovers.clear(engine) == ["pr-7-oracle-net-staging", "pr-7-jellyfish-cadb5f-g1-r2"]
    assert account.calls == ["pr-7-oracle-net-staging: deleted", "DELETE /v2/apps/pr-7-jellyfish-cadb5f-g1-r2"]


def test_a_stack_file_with_names_of_another_stack_deletes_nothing(base: Stack, state: State) -> None:
    stack = lifecycle._write_file(base, 7)
    stack.file.write_text(stack.file.read_text().replace("pr-7-oracle-net-staging", "oracle-net-staging"))
    state.stacks = {"pr-7": {}}
    with pytest.raises(
        CommandError, match=r"^oracle-net-staging in Pulumi\.pr-7\.yaml does not begin with pr-7-"
    ) as refused:
        lifecycle.take_down(base, 7)
    assert refused.value.helps == (Fix("rm Pulumi.pr-7.yaml", then="oracle review 7 --down"),)
    assert not state.imported


def lock(hours: float) -> Lock:
    return Lock(Path("x"), 1, "runner", "runner", moment(hours))


def test_only_a_lock_older_than_any_job_is_removed(base: Stack, state: State) -> None:
    state.stacks = {"pr-7": tagged(-1)}
    state.locks = [lock(-2)]
    lifecycle.take_down(base, 7)
    assert ("cancel", "--yes", "--stack", "pr-7") in state.said
    state.stacks, state.said = {"pr-7": tagged(-1)}, []
    state.locks = [lock(-2), lock(-0.5)]
    lifecycle.take_down(base, 7)
    assert not [words for words in state.said if words[0] == "cancel"], "somebody may be at work"
    assert ("recover", "pr-7") in state.said, "which refuses a living holder"


@pytest.mark.parametrize("words", [[], ["7", "--sweep"], ["--down"], ["--sweep", "--down"]])
def test_an_ambiguous_command_line_is_refused(words: list[str]) -> None:
    with pytest.raises(CommandError, match=r"^Give either a pull request's number or --sweep\.$"):
        CliRunner().invoke(app, ["review", *words], catch_exceptions=False)


def test_the_result_is_a_comment_on_the_pull_request() -> None:
    rows = [Row("web", "abc", "ok", "https://pr-7-web.example.workers.dev")]
    until = datetime(2026, 11, 23, 22, 5, tzinfo=UTC)
    lines = comment.deployed(rows, until)
    assert "| web | https://pr-7-web.example.workers.dev | abc |" in lines
    assert "until 2026-11-23 22:05 UTC" in lines
    assert "`pr-7`: No @\u200bbody | knows".replace("|", "\\|") in comment.failed(7, "No @body | knows", down=False)


def test_a_failure_is_a_comment_on_the_pull_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise CommandError("The build of api failed.", Remedy.BUILD)

    monkeypatch.setattr("cli.preview_env.bring_up", refuse)
    with pytest.raises(CommandError, match="The build of api failed"):
        CliRunner().invoke(app, ["review", "7", "--markdown", str(tmp_path / "r.md")], catch_exceptions=False)
    text = (tmp_path / "r.md").read_text()
    assert "could not be created\n\n`pr-7`: The build of api failed. Fix: run 'oracle build --stack pr-7'." in text


def test_stacks_at_one_address_share_a_local_cloud(tmp_path: Path) -> None:
    def stack(name: str, port: int) -> Stack:
        made = Stack(name, tmp_path)
        made.file.write_text(f"config:\n  digitalocean:apiEndpoint: http://127.0.0.1:{port}\n")
        return made

    staging, other, guest = stack("staging", 1234), stack("prod", 4321), stack("a-guest", 1234)
    (tmp_path / "Pulumi.broken.yaml").write_text(": [")
    (tmp_path / ".oracle/clouds/broken").mkdir(parents=True)
    assert guest.cloud_state == tmp_path / ".oracle/clouds/a-guest", "nobody else is there yet"
    for each in (staging, other):
        each.cloud_state.mkdir(parents=True)
    assert guest.cloud_state == staging.cloud_state == tmp_path / ".oracle/clouds/staging"
    assert (guest.state, guest.home) == (staging.state, staging.home)
    assert other.state != staging.state
