"""What `oracle up` leaves out of the engine's output, and what it must never leave out."""

from __future__ import annotations

import pytest

from ops.engine import NOISE


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
def test_what_says_that_nothing_changes_is_left_out(line: str) -> None:
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
def test_what_changes_or_fails_is_shown(line: str) -> None:
    assert not NOISE.match(f"{line}\n")
