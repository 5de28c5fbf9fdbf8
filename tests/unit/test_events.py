"""The recording and reading of the engine's events."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from cli.engine.events import Follower, Recorder, Step, lines, read_steps

URN = "urn:pulumi:local::oracle-net::cloudflare:index/workersScript:WorkersScript::"


def engine_event(kind: str, op: str, name: str = "web-script") -> dict[str, Any]:
    """As the engine writes it, with a state that holds something secret."""
    state = {"inputs": {"content": "export default 1", "text": "planted-secret"}, "outputs": {"text": "planted-secret"}}
    metadata = {"op": op, "urn": URN + name, "type": "cloudflare:index:Script", "old": state, "new": state}
    return {"sequence": 1, "timestamp": 1795366520, kind: {"metadata": metadata}}


def written(path: Path, events: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    return path


def event(at: float, word: str, name: str, op: str = "update") -> dict[str, Any]:
    return {"at": at, "event": word, "urn": URN + name, "type": "a:b:C", "op": op}


def test_inputs_and_outputs_are_never_recorded(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "events.jsonl", time.time() - 2)
    for kind in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
        recorder.engine(engine_event(kind, "update"))
    kept = (tmp_path / "events.jsonl").read_text()
    assert "planted-secret" not in kept
    assert "content" not in kept
    assert [json.loads(line)["event"] for line in kept.splitlines()] == ["begin", "end", "fail"]
    assert all(2 <= json.loads(line)["at"] < 60 for line in kept.splitlines())
    assert (tmp_path / "events.jsonl").stat().st_mode & 0o077 == 0


def test_unchanged_resources_are_not_recorded(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "events.jsonl", time.time())
    for op in ("same", "replace", "read"):
        recorder.engine(engine_event("resourcePreEvent", op))
    recorder.engine({"sequence": 2, "diagnosticEvent": {"message": "words", "severity": "debug"}})
    assert list(lines(tmp_path / "events.jsonl")) == []


def test_steps_that_end_fail_or_continue_are_read(tmp_path: Path) -> None:
    path = written(
        tmp_path / "events.jsonl",
        [
            event(1, "begin", "b"),
            event(0.5, "begin", "a"),
            event(2, "end", "a"),
            event(3, "fail", "b"),
            event(4, "begin", "c"),
            event(1, "begin", "app", "create-replacement"),
            event(2, "end", "app", "create-replacement"),
            event(5, "begin", "app", "delete-replaced"),
            event(6, "end", "app", "delete-replaced"),
            event(7, "end", "never begun"),
        ],
    )
    assert [(step.name, step.op, step.began, step.ended, step.ok) for step in read_steps(path)] == [
        ("a", "update", 0.5, 2, True),
        ("app", "create-replacement", 1, 2, True),
        ("b", "update", 1, 3, False),
        ("c", "update", 4, None, True),
        ("app", "delete-replaced", 5, 6, True),
    ]


def test_the_dependencies_of_a_step_include_indirect_ones(tmp_path: Path) -> None:
    state = {
        "deployment": {
            "resources": [
                {"urn": URN + "web", "dependencies": [URN + "api-subdomain"]},
                {"urn": URN + "api-subdomain", "dependencies": [URN + "api-script"]},
                {"urn": URN + "api-script"},
            ]
        }
    }
    path = written(tmp_path / "events.jsonl", [event(1, "begin", "web"), event(2, "end", "web")])
    Recorder(path, time.time()).needs(state)
    assert read_steps(path) == [Step("web", "a:b:C", "update", 1, 2, True, ("api-script", "api-subdomain"))]


def test_a_line_truncated_by_a_kill_is_ignored(tmp_path: Path) -> None:
    path = written(tmp_path / "events.jsonl", [event(1, "begin", "a")])
    with path.open("a") as file:
        file.write('{"at": 2, "eve\n{"at": 3, "event": "no')
    assert [step.name for step in read_steps(path)] == ["a"]
    assert read_steps(tmp_path / "nothing.jsonl") == []


def test_a_log_is_followed_while_it_is_written(tmp_path: Path) -> None:
    heard: list[int] = []
    path = tmp_path / "engine.jsonl"
    path.write_text('{"n": -2}\n{"n": -1}\n{"n"')
    follower = Follower(path, lambda event: heard.append(event["n"]))
    assert follower._read(0) == follower._read(20) == 20
    assert heard == [-2, -1]
    heard.clear()
    with Follower(path, lambda event: heard.append(event["n"])), path.open("w") as log:
        for number in range(100):
            log.write(f'{{"n": {number}}}\n'[:5])
            log.flush()
            log.write(f'{{"n": {number}}}\n'[5:])
            log.flush()
    assert heard == list(range(100))
