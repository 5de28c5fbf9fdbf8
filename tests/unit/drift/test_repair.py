"""An automatic repair routes the traffic back to the right version."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any
from unittest.mock import MagicMock

import pytest

from cli.drift import repair
from cli.engine.workspace import PROJECT
from cli.ui.errors import CommandError
from errors import Fix
from settings import from_file

OURS = "organization/oracle-net/local"


@pytest.mark.parametrize("mark, given", [(OURS, True), (None, True), ("organization/oracle-net/x", False)])
def test_a_repair_leaves_the_worker_of_another_stack_alone(
    monkeypatch: pytest.MonkeyPatch, mark: str | None, given: bool
) -> None:
    """A Worker without an owner was uploaded by hand and is repaired."""
    workers, recording = MagicMock(), MagicMock()
    cloudflare = workers.return_value.__enter__.return_value
    cloudflare.bindings.return_value = {"STACK": {"text": mark}} if mark else {}
    monkeypatch.setattr(repair, "Workers", workers)
    recording.engine.owner = OURS
    recording.step = lambda *_: nullcontext()
    settings: Any = from_file(PROJECT / "Pulumi.prod.yaml")
    if given:
        repair._route_to_version(recording, settings, "web", "version")
    else:
        with pytest.raises(
            CommandError, match=r"^The Worker oracle-net belongs to organization/oracle-net/x\.$"
        ) as raised:
            repair._route_to_version(recording, settings, "web", "version")
        assert isinstance(raised.value.helps[0], Fix)
        assert raised.value.helps[0].command.startswith("oracle doctor --stack ")
    assert cloudflare.request.called is given
