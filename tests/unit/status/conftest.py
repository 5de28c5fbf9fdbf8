"""A project in which the local stack has been brought up before."""

from __future__ import annotations

import pytest

from cli.engine.workspace import Stack
from tests.support.stacks import stack_file


@pytest.fixture(autouse=True)
def _local_stack(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file, which git does not have."""
    monkeypatch.setattr(Stack.__init__, "__defaults__", (tmp_path_factory.mktemp("project"),))
    Stack("local").file.write_text(stack_file("local").read_text())
