"""The local cloud as a process: the errors of one that did not start."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.engine import local_cloud
from cli.engine.workspace import Stack
from tests.support.errors import refused

PORTS = (
    "Fix: stop the program that uses the port, then run `make up`; or set other ports in Pulumi.local.yaml, then run "
    "`make up`.$"
)


@pytest.mark.parametrize(
    "line, text",
    [
        (
            "localcloud: port 8400 is in use by nginx (process 7). Next: stop it, or use another --port",
            rf"^The local cloud did not start: port 8400 is in use by nginx \(process 7\)\. {PORTS}",
        ),
        (
            "localcloud: port 8401 cannot be used: Permission denied. Next: use another --edge-port",
            f"^The local cloud did not start: port 8401 cannot be used: Permission denied. {PORTS}",
        ),
        (
            "localcloud: the local cloud already runs on /x (process 7). Next: make down",
            r"^The local cloud did not start: the local cloud already runs on /x \(process 7\)\. Fix: make down\.$",
        ),
        ("localcloud: the disk is full", r"^The local cloud did not start: the disk is full$"),
        (
            "Killed",
            "^The local cloud ended while it started. Fix: run `oracle cloud logs --stack local` to read its log.$",
        ),
    ],
)
def test_the_last_line_for_the_user_is_the_cause(tmp_path: Path, line: str, text: str) -> None:
    stack = Stack("local", tmp_path)
    stack.make_private(stack.cloud_state)
    earlier = "localcloud: an earlier start\n"
    local_cloud.log_file(stack).write_text(f"{earlier}starting\n{line}\n")
    with refused(text):
        raise local_cloud._start_failure(stack, len(earlier))
