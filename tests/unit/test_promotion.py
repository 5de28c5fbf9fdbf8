"""The checks of a promotion and of a rollback; the stack's file is restored after a failed update."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

import advice
from cli.drift import Report
from cli.engine.events import Recorder
from cli.engine.pulumi import Finished
from cli.engine.workspace import Stack
from cli.releases import pin, promotion, promotion_checks, rollback, sync
from cli.runs.store import Run, Runs
from cli.status import Backups, Finding, Level, Status
from cli.ui.errors import CommandError
from stack_outputs import Release
from storage.backups import Entry, Folder
from storage.releases import items, place, same_bytes
from storage.releases.store import DeployedRelease, ReleaseStore
from tests.support.errors import refused
from tests.support.owners import owner
from tests.support.stacks import stack_file

A, B = "a" * 64, "b" * 64
PROJECT = Path(__file__).parents[2]


def release(digest: str, commits: dict[str, str] | None = None) -> Release:
    return Release(
        backend=f"sha256:{digest}",
        workers={"api": digest, "web": digest, "universe": digest},
        assets={"web": digest, "universe": digest},
        commits=commits or {},
    )


def status(*findings: tuple[str, Level], notes: tuple[str, ...] = ()) -> Status:
    return Status(
        stack="staging",
        at="2026-01-01T00:00:00+00:00",
        level="degraded" if findings else "healthy",
        services=(),
        findings=tuple(Finding(about=about, level=level, what=f"{about} ails.", next="x") for about, level in findings),
        notes=notes,
        backups=Backups(where="", count=None, newest=None, at=None),
        milliseconds=1,
    )


def test_only_a_healthy_stack_is_promoted() -> None:
    promotion_checks.refuse_unhealthy(status())
    promotion_checks.refuse_unhealthy(status(("backups", "degraded")))
    with refused(
        r"^staging is down, and only a healthy stack is promoted: api ails, and 1 more\. Fix: run `x`; or run `oracle "
        r"status staging` to see all problems\.$"
    ):
        promotion_checks.refuse_unhealthy(status(("backups", "degraded"), ("web", "degraded"), ("api", "down")))
    with refused("^staging is changing, and only an idle stack is promoted: An update is at work. Fix: wait .*again`"):
        promotion_checks.refuse_unhealthy(status(notes=("An update is at work",)))


def test_promotion_takes_the_running_release_without_a_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    """A preview would read files that nobody has deployed."""
    engine = Mock()
    engine.stack.name = "staging"
    engine.outputs.return_value = SimpleNamespace(release=release(A))
    monkeypatch.setattr(promotion_checks, "Runs", Mock())
    monkeypatch.setattr(promotion_checks, "gather", lambda _: status())
    monkeypatch.setattr(promotion_checks, "find_drift", lambda _: Report(stack="staging", drifts=(), unknown=()))
    assert same_bytes(promotion_checks.release_to_promote(engine), release(A))
    engine.recorded.assert_not_called()


def test_pairs_of_stacks_that_do_not_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("local", "staging", "prod"):
        (tmp_path / f"Pulumi.{name}.yaml").write_text(stack_file(name).read_text())
    monkeypatch.setattr(Stack.__init__, "__defaults__", (tmp_path,))
    with refused(r"There is no stack prd: .*: local, prod, staging\. Fix: run `oracle up prd` to create a stack of"):
        promotion.distinct("staging", "prd")
    with refused(r"^staging cannot be promoted to itself\. Fix: run `oracle promote staging TO` with another stack"):
        promotion.distinct("staging", "staging")
    promotion.refuse_other_kind(*promotion.distinct("staging", "prod"))
    with refused(
        "^local packs its backend's image from a directory, and prod pulls it .* of Pulumi.local.yaml, then run"
    ):
        promotion.refuse_other_kind(*promotion.distinct("local", "prod"))


def test_uncommitted_sources_of_a_release_are_reported() -> None:
    said = list(promotion.notes(release(A, {"api": f"{'1' * 40}-dirty", "web": "2" * 40})))
    assert said[0] == "Attention: api was built from files that are in no commit (after 1111111)."
    assert "web aaaaaaaaaaaa (commit 2222222)" in said[1]


def ran(day: int, digest: str) -> DeployedRelease:
    at = f"2026-01-{day:02}T00:00:00Z"
    return DeployedRelease(at=at, who="ada", release=dict(release(digest)), packed=True, app="app", app_id="app-1")


def test_rollback_chooses_the_newest_other_release() -> None:
    found = [ran(4, A), ran(3, A), ran(2, B), ran(1, "c" * 64)]
    assert rollback.chosen(found, release(A), "", "prod") == found[2]
    assert rollback.chosen(found, release("d" * 64), "", "prod") == found[0]  # an update that has not got there
    assert rollback.chosen(found, release(A), "20260101", "prod") == found[3]
    with refused(r"^There is no release 2027 of prod\. Fix: run `oracle rollback prod --list` to see the releases\.$"):
        rollback.chosen(found, release(A), "2027", "prod")
    with pytest.raises(CommandError, match="There are several releases whose ids begin with 2026 of prod"):
        rollback.chosen(found, release(A), "2026", "prod")
    with refused(r"^No other release of prod is stored\. Fix: run `oracle rollback prod --list`"):
        rollback.chosen(found[:2], release(A), "", "prod")


@dataclass
class StoredBackups:
    """Stands for a stack's backups: the audit log's newest entry and what the backend holds now."""

    records: dict[str, int]
    carried: dict[str, int] | None = field(default_factory=dict)
    receipt: object = None

    @property
    def audit_log(self) -> Any:
        entry = Entry(
            at="2026-01-01T10:11:12Z", kind="release", who="ada", from_generation=1, from_release=A, to_generation=1,
            to_release=B, records={}, migrated=self.carried, backup=None, to_app_id="app-2",
        )  # fmt: skip
        return SimpleNamespace(entries=lambda: [entry])

    def backend(self) -> Any:
        return SimpleNamespace(summary=lambda: SimpleNamespace(records=self.records))

    settings = SimpleNamespace(receipt=object())


def warned(stack_backups: StoredBackups, back_to: str, app_id: str = "app-2") -> str:
    outputs = SimpleNamespace(backend_app_id=app_id, release=release(B))
    (said,) = rollback.warnings(stack_backups, outputs, release(back_to))  # type: ignore[arg-type]
    return said


def test_the_data_written_since_the_release_is_shown_in_numbers() -> None:
    carried = {"humans": 2, "posts": 5}
    assert warned(StoredBackups({"humans": 3, "posts": 9, "_superusers": 1}, carried), A) == (
        "Attention: since this release began (2026-01-01T10:11Z) 1 humans, 4 posts more. All data is migrated to "
        "the earlier release, which may not be able to read data of the later one."
    )
    assert "1 humans more (2 posts fewer)" in warned(StoredBackups({"humans": 3, "posts": 3}, carried), A)
    assert warned(StoredBackups(carried, carried), A).startswith("No records were made since this release began")
    assert "3 posts more" in warned(StoredBackups({"posts": 3}, None), A)
    assert "the audit log has no start of this release; its backend has 3 posts" in warned(
        StoredBackups({"posts": 3}), A, "another"
    )
    assert warned(StoredBackups(carried, {}), B) == "The backend and its data do not change."


class Engine:
    def __init__(self, stack: Stack, done: Finished) -> None:
        self.stack, self.done = stack, done

    def failure(self, done: Finished, go_on: str = "", problem: str = "") -> CommandError:
        return CommandError(f"{problem}: {done.output}.", go_on=go_on)


@dataclass
class Recording:
    """An update that does these steps and ends so."""

    engine: Engine
    run: Run
    steps: list[str]
    interrupted: bool = False

    def update(self) -> Finished:
        events = Recorder(self.run.folder / "events.jsonl", self.run.clock)
        for name in self.steps:
            events.write("begin", urn=f"urn::{name}", type="x", op="update")
        if self.interrupted:
            raise KeyboardInterrupt
        return self.engine.done


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    stack = Stack("prod", tmp_path)
    stack.file.write_text("config: {new: receipt}\n")
    return stack


@pytest.fixture
def run(stack: Stack) -> Run:
    run = Runs(stack.runs).start("promote", owner("prod"))
    (run.folder / pin.BEFORE).write_text("config: {as: before}\n")
    return run


@pytest.mark.parametrize(
    "steps, interrupted, put_back",
    [
        ([], False, True),
        (["backend-image", "backend-generation"], False, True),
        ([], True, True),
        (["backend-image", "web-script"], False, False),
        (["backend-app"], True, False),
    ],
)
def test_the_stack_file_is_restored_unless_the_update_changed_something(
    stack: Stack, run: Run, steps: list[str], interrupted: bool, put_back: bool
) -> None:
    engine = Engine(stack, Finished(1, "It is refused"))
    recording: Any = Recording(engine, run, steps, interrupted)
    with pytest.raises((CommandError, KeyboardInterrupt)) as caught:
        pin.run_pin(recording, {})
    assert stack.file.read_text() == ("config: {as: before}\n" if put_back else "config: {new: receipt}\n")
    if isinstance(caught.value, CommandError):
        undone = "Nothing was changed, and Pulumi.prod.yaml is as it was: It is refused."
        on = (
            "The update failed, and nothing is lost: It is refused. Fix: run `oracle rollback prod` to go back. To go "
            "on, run `pulumi up --stack prod`."
        )
        text = advice.text(caught.value, "prod", "")
        assert text == (undone if put_back else on)


def stack_backups(project: Path, name: str) -> Any:
    backend = SimpleNamespace(image=SimpleNamespace(is_packed=True))
    store = Folder(project / "kept")
    return SimpleNamespace(
        store=store,
        releases=ReleaseStore(store, owner(name)),
        settings=SimpleNamespace(backend=backend),
        engine=SimpleNamespace(stack=Stack(name, project)),
    )


def test_missing_bytes_prevent_a_promotion(tmp_path: Path) -> None:
    module = "module text"
    digest = hashlib.sha256(module.encode()).hexdigest()
    wanted = Release(backend=f"sha256:{A}", workers={"api": digest}, assets={"web": B}, commits={})
    staging, prod = stack_backups(tmp_path, "staging"), stack_backups(tmp_path, "prod")
    source = tmp_path / "source"
    source.write_text(module)
    (item, *_) = items(wanted, packed=False)
    ReleaseStore(staging.store, owner("staging")).put(item, source)
    with refused(
        r"^staging no longer stores all bytes of this release \(the files of web \(bbbbbbbbbbbb\): it is not stored; "
        r"the image of backend \(aaaaaaaaaaaa\): it is not stored\)\. Fix: run `oracle rollback staging --list` to see "
        r"the releases that are complete\.$"
    ):
        sync.fetch(staging, wanted, prod)
    assert place(tmp_path, item).read_text() == module
    assert ReleaseStore(prod.store, owner("prod")).lacks([item]) == [item]
    only = Release(backend=f"sha256:{A}", workers={"api": digest}, assets={}, commits={})
    staging.settings.backend.image.is_packed = False
    assert sync.fetch(staging, only, prod) == 1
    assert ReleaseStore(prod.store, owner("prod")).lacks([item]) == []


def test_a_stack_with_a_receipt_is_not_deployed_from_checkouts(tmp_path: Path) -> None:
    from cli.deploy.deploy import refuse_receipt
    from cli.releases import receipts

    stack = Stack("staging", tmp_path)
    stack.file.write_text((PROJECT / "Pulumi.staging.yaml").read_text())
    refuse_receipt(stack)
    receipts.write(stack, release(A))
    with refused(
        r"^staging deploys the release that its receipt names, so the checkouts were not built\. "
        r"Fix: run `oracle promote FROM staging` to deploy another stack's release; "
        r"or run `pulumi config rm oracle-net:receipt --stack staging` to deploy the checkouts again\.$"
    ):
        refuse_receipt(stack)
    assert json.dumps(A) not in stack.file.read_text()
