"""Every finding in these tests has a remedy that can be typed."""

from __future__ import annotations

import pytest

from cli.doctor import Finding
from tests.support.command_lines import assert_parses

STACKS = ("local", "x", "nowhere", "prod")


@pytest.fixture(autouse=True)
def _remedies_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Finding.__post_init__

    def checked(self: Finding) -> None:
        made(self)
        for stack in STACKS:
            if stack in self.remedy.split():
                assert_parses(self.remedy, stack)
                return
        assert not self.remedy.startswith("oracle"), self.remedy

    monkeypatch.setattr(Finding, "__post_init__", checked)
