"""Warnings of a preview are shown before the confirmation."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cli.engine.pulumi import Finished
from cli.runs.recorder import RunRecorder
from cli.runs.store import Runs
from tests.support.owners import owner


class Engine:
    """Writes events as the engine does."""

    stack = SimpleNamespace(name="local")

    def __init__(self, *events: dict[str, Any]) -> None:
        self.environment: dict[str, str] = {}
        self._events = events

    def recorded(self, _: Path, raw: Path, *__: str) -> Finished:
        raw.write_text("".join(json.dumps(event) + "\n" for event in self._events))
        return Finished(0, "")


def said(severity: str, text: str) -> dict[str, Any]:
    return {"diagnosticEvent": {"severity": severity, "message": f"<{{%reset%}}>{text}<{{%reset%}}>\n"}}


def test_warnings_of_a_preview_are_shown(tmp_path: Path) -> None:
    lines: list[str] = []
    engine: Any = Engine(said("info", "by the way"), said("warning", "mind the gap"))
    with Runs(tmp_path / "runs").start("deploy", owner("local")) as run:
        RunRecorder(engine, run, lines.append).preview()
    assert lines == ["Attention: mind the gap"]
