"""The collection of the page's contents; a part that fails hides no other part."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.dashboard import Content, collect
from cli.dashboard.collect import Gatherer
from cli.engine.workspace import Stack
from cli.runs.store import Runs
from cli.status import Backups, Finding, Secret, Service, Status
from cli.ui.errors import CommandError
from errors import STACK, Fix, Remedy
from storage.backups import BackupsError
from tests.dashboard import scene
from tests.support.owners import owner

NOW = "2026-11-22T01:12:44+00:00"


def service(**changes: Any) -> Service:
    ordinary: dict[str, Any] = {
        "name": "api",
        "address": "http://api.localhost:8401",
        "level": "healthy",
        "answer": "200",
        "milliseconds": 6,
        "version": "a" * 64,
        "declared": "a" * 64,
        "phase": "active",
        "runs": "0123456789ab",
        "number": 12,
        "since": "2026-11-21T23:12:44+00:00",
        "pinned": False,
        "admin": True,
        "secrets": (Secret(name="TOKEN", present=True, since="2026-11-22T01:02:44+00:00"),),
        "certificate": None,
        "usd_per_month": None,
        "says": "version 2.1",
        "because": None,
    }
    return Service(**{**ordinary, **changes})


def status(*services: Service, findings: tuple[Finding, ...] = ()) -> Status:
    return Status(
        stack="local",
        at=NOW,
        level="degraded",
        services=services,
        findings=findings,
        notes=("Something worth knowing.",),
        backups=Backups(where="folder:.oracle/backups", count=2, newest="g2", at="2026-11-21T22:12:44+00:00"),
        milliseconds=900,
    )


class Parts:
    """Stand for the engine, the backups and the status."""

    def __init__(self) -> None:
        self.status: Any = lambda: status(service())
        self.export: Any = scene.state
        self.survey: Any = lambda: (list(scene.ordinary().backups), [])
        self.history: Any = lambda: (list(scene.ordinary().history), [])
        self.owner = owner()

    @property
    def engine(self) -> Parts:
        return self

    @property
    def catalog_without_key(self) -> Parts:
        return self

    def gather(self) -> Any:
        return self.status()


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    made = Parts()
    monkeypatch.setattr(collect, "StatusReader", lambda *_: made)
    monkeypatch.setattr(collect, "StackBackups", lambda _: made)
    monkeypatch.setattr(collect, "Engine", lambda _: made)
    monkeypatch.setattr(Stack, "settings", lambda _: None)
    monkeypatch.setattr(Stack, "on_local_cloud", property(lambda stack: stack.project.name == "local-cloud"))
    return made


@pytest.fixture
def gathered(parts: Parts, tmp_path: Path) -> Callable[[], Content]:
    return lambda: Gatherer(Stack("local", tmp_path)).gather()


def facts(content: Content) -> dict[str, str]:
    (only,) = content.services
    return {fact.name: fact.value for fact in only.facts}


def test_a_service_is_shown_with_all_facts(gathered: Callable[[], Content]) -> None:
    content = gathered()
    assert (content.level, content.at, content.problems) == ("degraded", NOW, {})
    assert content.services[0].version == "a" * 12
    assert facts(content) == {
        "answers": "200, 6 ms",
        "runs": "active 12 01234567",
        "for": "2 h",
        "admin login": "works",
        "says": "version 2.1",
        "TOKEN": "10 min old",
    }
    assert [(fact.name, fact.value) for fact in content.facts] == [
        ("backups", "2, the newest 3 h old"),
        ("backups in", "folder:.oracle/backups"),
        ("note", "Something worth knowing."),
    ]


def test_problems_of_a_service_are_shown_with_it(parts: Parts, gathered: Callable[[], Content]) -> None:
    wrong = service(
        version="b" * 64,
        admin=False,
        milliseconds=None,
        answer="no answer in 5 s",
        because="backend",
        secrets=(Secret(name="TOKEN", present=False, since=None),),
        usd_per_month=5.0,
        certificate="2027-01-02T00:00:00+00:00",
    )
    own = Finding(about="api", level="down", what="It hangs.", next="oracle cloud console")
    other = Finding(about="cloudflare", level="degraded", what="The token is revoked.", next="x")
    parts.status = lambda: status(wrong, findings=(own, other))
    content = gathered()
    assert facts(content) | {
        "declared": "a" * 12,
        "answers": "no answer in 5 s",
        "waits for": "backend",
        "admin login": "refused",
        "TOKEN": "missing",
        "costs": "$5.00 a month",
        "certificate until": "2027-01-02",
    } == facts(content)
    assert [finding.what for finding in content.services[0].findings] == ["It hangs."]
    assert [(finding.what, finding.command) for finding in content.findings] == [("The token is revoked.", "x")]


@pytest.mark.parametrize("part,section", [("export", "graph"), ("survey", "backups"), ("history", "history")])
@pytest.mark.parametrize(
    "error", [kind("It is broken.", Fix(f"oracle doctor {STACK}")) for kind in (CommandError, BackupsError)]
)
def test_a_part_that_fails_shows_its_reason(
    parts: Parts, gathered: Callable[[], Content], part: str, section: str, error: Exception
) -> None:
    def broken() -> None:
        raise error

    setattr(parts, part, broken)
    content = gathered()
    assert content.problems == {section: "It is broken. Fix: run `oracle doctor local`."}
    full = {"graph": content.graph.nodes, "backups": content.backups, "history": content.history}
    assert {name for name, value in full.items() if not value} == {section}


def test_without_a_status_the_other_parts_are_shown(parts: Parts, gathered: Callable[[], Content]) -> None:
    def broken() -> None:
        raise CommandError("The backend does not answer.", Remedy.RETRY)

    parts.status = broken
    content = gathered()
    assert (content.level, content.problems) == (
        "unknown",
        {"services": "The backend does not answer. Fix: run `oracle page --stack local`."},
    )
    assert content.backups


def test_a_slow_part_is_abandoned_after_the_timeout(
    parts: Parts, gathered: Callable[[], Content], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "SECONDS", 0.2)
    never = threading.Event()
    parts.survey = never.wait
    try:
        content = gathered()
    finally:
        never.set()
    problem = "This could not be read within 0 s. Fix: run `oracle page --stack local`."
    assert content.problems == {"backups": problem}


def test_damaged_backups_are_reported_beside_the_good_ones(parts: Parts, gathered: Callable[[], Content]) -> None:
    parts.survey = lambda: (
        list(scene.ordinary().backups),
        [BackupsError("g1.json is damaged.", Remedy.LIST_BACKUPS), BackupsError("g0.json too.")],
    )
    content = gathered()
    assert content.problems == {
        "backups": "g1.json is damaged. Fix: run `oracle backups local` to see the backups. g0.json too."
    }
    assert len(content.backups) == 2


def test_runs_are_shown_with_their_charts_and_the_end_of_their_output(
    gathered: Callable[[], Content], tmp_path: Path
) -> None:
    runs = Runs(Stack("local", tmp_path).runs)
    with runs.start("wipe", owner("local")) as done:
        (done.folder / "events.jsonl").write_text(
            '{"at": 0.1, "event": "begin", "urn": "a::b::c::web", "type": "t:u:W", "op": "update"}\n'
            '{"at": 0.5, "event": "end", "urn": "a::b::c::web", "type": "t:u:W", "op": "update"}\n'
        )
        for number in range(2000):
            done.say(f"line {number}")
        done.say("\nTimeline\n* web  update  ###\n* critical path: web\n\nline of the table")
    with pytest.raises(ValueError, match="no"), runs.start("up", owner("local")):
        raise ValueError("no")
    with runs.start("deploy", owner("staging")):
        pass
    shown = {run.kind: run for run in gathered().runs}
    assert set(shown) == {"wipe", "up"}
    assert (shown["wipe"].status, shown["up"].status, shown["up"].error) == ("ok", "failed", "no")
    assert "<svg" in shown["wipe"].chart
    assert not shown["up"].chart
    lines = shown["wipe"].output.splitlines()
    assert lines[-3:] == ["line 1999", "", "line of the table"]
    assert all(line.startswith("line ") for line in lines if line)
    assert len(lines) < 1000


def test_a_stack_without_a_state_has_an_empty_graph(parts: Parts, tmp_path: Path) -> None:
    def broken() -> None:
        raise CommandError("There is no state.")

    parts.export = broken
    nothing = Gatherer(Stack("local", tmp_path / "local-cloud")).gather()
    assert (nothing.graph.nodes, nothing.problems) == ((), {})


def test_the_state_is_not_read_each_time(parts: Parts, tmp_path: Path) -> None:
    gatherer = Gatherer(Stack("local", tmp_path))
    before = gatherer.gather().graph
    parts.export = dict
    assert gatherer.gather().graph == before
