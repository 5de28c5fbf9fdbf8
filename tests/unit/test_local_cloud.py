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
LOG = "Fix: run `oracle cloud logs --stack local` to read its log.$"


@pytest.mark.parametrize(
    "line, status, text",
    [
        (
            "localcloud: Port 8400 is in use by nginx (process 7).\nFix: stop that program, or use another --port.",
            98,
            rf"^The local cloud did not start: Port 8400 is in use by nginx \(process 7\)\. {PORTS}",
        ),
        (
            "localcloud: Port 8401 cannot be used: Permission denied.\nFix: use another --edge-port.",
            98,
            f"^The local cloud did not start: Port 8401 cannot be used: Permission denied. {PORTS}",
        ),
        (
            "localcloud: The local cloud already runs on /x (process 7).\nFix: stop that process.",
            99,
            r"already runs on /x \(process 7\)\. Fix: run `oracle cloud stop --stack local`, then run `make up`\.$",
        ),
        ("localcloud: The disk is full.", 1, f"^The local cloud did not start: The disk is full. {LOG}"),
        (
            "Killed",
            -9,
            f"^The local cloud ended while it started. {LOG}",
        ),
    ],
)
def test_a_start_failure_has_the_problem_that_the_local_cloud_printed(
    tmp_path: Path, line: str, status: int, text: str
) -> None:
    stack = Stack("local", tmp_path)
    stack.make_private(stack.cloud_state)
    earlier = "localcloud: an earlier start\n"
    local_cloud.log_file(stack).write_text(f"{earlier}starting\n{line}\n")
    with refused(text):
        raise local_cloud._start_failure(stack, len(earlier), status)


def test_the_exit_statuses_are_the_local_clouds() -> None:
    from localcloud import __main__ as process

    assert (local_cloud.PORT_USED, local_cloud.RUNS_ALREADY) == (process.PORT_USED, process.RUNS_ALREADY)
