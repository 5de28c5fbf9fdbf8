"""Calls of the engine: which of its output `oracle up` leaves out, options, secrets and failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.engine.pulumi import NOISE, Engine, bounded
from cli.engine.workspace import Stack
from cli.ui.errors import CommandError
from tests.support.errors import refused


@pytest.mark.parametrize(
    "line",
    [
        "@ updating.....",
        " ~  cloudflare:index:WorkersScript web-script refreshing (0s) ",
        " ~  digitalocean:index:App backend-app refresh (0.10s) ",
        " ~  cloudflare:index:WorkersScript web-script refresh (0.11s) [diff: ~bindings]",
        "    digitalocean:index:UptimeAlert uptime-api-down  ",
        "    pulumi:pulumi:Stack oracle-net-local running ",
        "",
    ],
)
def test_lines_that_report_no_change_are_left_out(line: str) -> None:
    assert NOISE.match(f"{line}\n")


@pytest.mark.parametrize(
    "line",
    [
        " ~  digitalocean:index:App backend-app refresh (0.10s) [diff: ~spec]",
        " ~  cloudflare:index:WorkersScript api-script updated (0.40s) [diff: ~content]",
        " +- digitalocean:index:App backend-app replaced (0.00s) [diff: ~spec]",
        " ~  digitalocean:index:App backend-app **updating failed** [diff: ~spec]; error: 1 error occurred:",
        "    error: update failed",
        "    pulumi:pulumi:Stack oracle-net-local running error: update failed",
        "    29 unchanged",
        "  pulumi:pulumi:Stack (oracle-net-local):",
    ],
)
def test_lines_that_report_a_change_or_failure_are_shown(line: str) -> None:
    assert not NOISE.match(f"{line}\n")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine that is a script: it prints its arguments, a byte that is no text, and what it is given."""
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\nfor each; do echo "$each"; done\nprintf "caf\\351\\n"\ncat > "$0.given"\nexit ${STATUS:-0}\n'
    )
    program.chmod(0o755)
    made = Engine.__new__(Engine)
    made.stack = Stack("local", tmp_path)
    made.environment = {"PATH": f"{program.parent}:/usr/bin:/bin"}
    return made


def test_added_options_are_before_the_double_dash(engine: Engine) -> None:
    said = engine.run_checked("config", "set", "--", "key", "-value").splitlines()
    assert said[:2] == ["config", "set"]
    assert said[said.index("--") :][:3] == ["--", "key", "-value"]
    assert said.index("--non-interactive") < said.index("--")


def test_output_that_is_not_text_causes_no_traceback(engine: Engine, tmp_path: Path) -> None:
    assert "caf\N{REPLACEMENT CHARACTER}" in engine.run_checked("stack", "ls")
    assert "caf\N{REPLACEMENT CHARACTER}" in bounded(tmp_path, engine.environment, 60, "stack", "ls").output


def test_a_secret_is_passed_by_standard_input(engine: Engine, tmp_path: Path) -> None:
    engine.set_secret("key", "-s3cret")
    assert (tmp_path / "bin" / "pulumi.given").read_text() == "-s3cret"
    engine.environment["STATUS"] = "1"
    with pytest.raises(CommandError, match="`pulumi config set --secret key` failed"):
        engine.set_secret("key", "-s3cret")


def test_a_missing_or_hanging_engine_is_reported_in_one_sentence(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin" / "pulumi").write_text("#!/bin/sh\nexec sleep 600\n")
    monkeypatch.setattr("cli.engine.pulumi.QUIET_SECONDS", 0.5)
    with refused(
        r"^`pulumi stack` did not end within 0 minutes\. Fix: run `pulumi whoami -v` to see whether its state"
    ):
        engine.run_checked("stack", "ls")
    (tmp_path / "bin" / "pulumi").unlink()
    with refused(r"does not start \(No such file or directory\)\. Fix: run `make tools`\.$"):
        engine.run_checked("stack", "ls")
