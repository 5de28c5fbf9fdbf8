"""The choice of provider plugins: official ones if available, and no incomplete installation."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.engine import local_cloud, plugins
from cli.engine.plugins import NAMES, Plugins, provide
from cli.engine.workspace import PROJECT, Stack
from tests.support.errors import refused

# What `pulumi plugin install` does, as far as the choice depends on it: it makes a plugin in $PULUMI_HOME, or fails.
PULUMI = """#!/bin/sh
[ "$4" = "$FAILS" ] && exit 1
folder="$PULUMI_HOME/plugins/resource-$4-$5"
mkdir -p "$folder" && printf '#!/bin/sh\\n' > "$folder/pulumi-resource-$4" && chmod +x "$folder/pulumi-resource-$4"
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack whose `pulumi` is the script above."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "pulumi").write_text(PULUMI)
    (bin_ / "pulumi").chmod(0o755)
    path = f"{bin_}:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(plugins, "exports", lambda stack: {"PATH": path, "PULUMI_HOME": str(stack.home)})
    return Stack("local", tmp_path)


def kinds(stack: Stack) -> set[Plugins | None]:
    return {plugins._kind(stack, name) for name in NAMES}


def test_official_plugins_are_preferred_when_available(stack: Stack) -> None:
    assert provide(stack, Plugins.auto) is Plugins.official
    assert kinds(stack) == {Plugins.official}


def test_offline_plugins_are_used_when_one_official_plugin_is_unavailable(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS", "cloudflare")
    assert provide(stack, Plugins.auto) is Plugins.offline
    assert kinds(stack) == {Plugins.offline}
    assert provide(stack, Plugins.auto) is Plugins.offline


def test_an_unavailable_choice_changes_nothing(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILS", "cloudflare")
    provide(stack, Plugins.offline)
    with refused(
        r"cannot be installed on this machine\. Fix: run `oracle up \w+ --plugins offline` to use the offline"
    ):
        provide(stack, Plugins.official)
    assert kinds(stack) == {Plugins.offline}


def test_the_choice_can_be_changed_back_and_forth(stack: Stack) -> None:
    for choice in (Plugins.offline, Plugins.official, Plugins.offline):
        assert provide(stack, choice) is choice
        assert kinds(stack) == {choice}


@pytest.mark.parametrize("choice, forked", [(None, True), (Plugins.offline, True), (Plugins.official, False)], ids=str)
def test_a_local_cloud_forks_plugins_unless_they_are_official(
    stack: Stack, choice: Plugins | None, forked: bool
) -> None:
    """It starts before the first `oracle up` installs any, and may run for days."""
    stack.file.write_bytes((PROJECT / "localcloud/stack.yaml").read_bytes())
    if choice:
        provide(stack, choice)
    assert (f"--plugins={stack.home}" in local_cloud._command(stack)) is forked
