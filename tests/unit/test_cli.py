"""Parts of the command: locks of the state, known failures of the engine, the properties of a stack."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import advice
from cli.engine.locks import Lock
from cli.engine.recover import _locks
from cli.engine.workspace import Stack
from cli.ui.errors import ENGINE, CommandError, KnownFailure, engine_failure, program_sentence
from errors import Fix

DEAD = 2**22 - 1  # above any process id in use


def lock_file(folder: Path, pid: int, host: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{pid}.json"
    held = {"pid": pid, "hostname": host, "username": "ada", "timestamp": "2026-11-22T12:00:00Z"}
    path.write_text(json.dumps(held))
    return path


def only(folder: Path) -> Lock:
    (lock,) = _locks(folder)
    return lock


def test_a_lock_of_a_dead_process_is_recognized(tmp_path: Path) -> None:
    lock_file(tmp_path / "dead", DEAD, socket.gethostname())
    assert not only(tmp_path / "dead").alive
    # Another program that got the same process id is not the holder.
    lock_file(tmp_path / "reused", os.getpid(), socket.gethostname())
    assert not only(tmp_path / "reused").alive
    pulumi = tmp_path / "pulumi"
    pulumi.symlink_to("/bin/sleep")
    with subprocess.Popen([pulumi, "60"]) as holder:
        lock_file(tmp_path / "alive", holder.pid, socket.gethostname())
        assert only(tmp_path / "alive").alive
        holder.kill()


def test_a_lock_from_another_machine_counts_as_alive(tmp_path: Path) -> None:
    lock_file(tmp_path, DEAD, "another-laptop")
    assert only(tmp_path).alive


def test_a_truncated_lock_is_ignored_and_removed(tmp_path: Path) -> None:
    path = lock_file(tmp_path, DEAD, socket.gethostname())
    path.write_text(path.read_text()[:20])
    assert not list(_locks(tmp_path))
    assert not path.exists()


@pytest.mark.parametrize("known", ENGINE, ids=lambda known: known.pattern)
def test_the_sentence_of_each_known_failure_contains_a_command(known: KnownFailure) -> None:
    found = CommandError(known.problem.format(stack="prod", holder=""), *known.helps)
    assert "\n" not in found.problem
    assert found.problem.endswith(".")
    assert advice.command(found, "prod", "").startswith(("oracle ", "pulumi ", "git ", "eval "))


def test_the_fixes_of_a_known_failure_name_the_engines_own_stack() -> None:
    found = engine_failure("error: incorrect passphrase", "staging")
    assert found is not None
    assert advice.command(found, "prod", "") == 'eval "$(oracle env staging)"', "`oracle promote staging prod`"


def test_known_failures_are_found_in_the_engines_output() -> None:
    output = "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end"
    found = engine_failure(output, "prod")
    assert found is not None
    assert found.problem == "Another update of prod holds the lock, or was killed."
    assert found.helps == (Fix(first="wait for it"), Fix("oracle recover prod", "if it was killed"))
    assert engine_failure("error: something else", "prod") is None


def test_the_holder_of_the_lock_is_named() -> None:
    output = (
        "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end\n"
        "  s3://states/.pulumi/locks/organization/oracle-net/prod/1.json: created by ada@laptop (pid 12) at "
        "2026-11-22T20:00:00Z\n"
    )
    found = engine_failure(output, "prod")
    assert found is not None
    assert found.problem.startswith(
        "Another update of prod (ada on laptop, process 12, since 2026-11-22T20:00:00Z) holds the lock"
    )


def test_the_logs_of_services_are_not_read_as_engine_failures() -> None:
    log = "    jellyfish-app | dial tcp 127.0.0.1:80: connection refused\n"
    assert engine_failure(f"{log}    error: 1 error occurred:\n    \t* Error creating App: out of stock\n", "p") is None
    refused = engine_failure("    error: GET http://127.0.0.1:1/v2/apps: [Errno 111] Connection refused\n", "p")
    assert refused is not None
    assert advice.command(refused, "p", "") == "oracle cloud start --stack p"


def test_the_first_meaningful_error_is_chosen() -> None:
    listed = """Diagnostics:
  digitalocean:index:App (backend-app):
    error: 1 error occurred:
    \t* Error creating App: too many apps
  pulumi:pulumi:Stack (oracle-net-local):
    error: update failed
"""
    assert program_sentence(f"  error: earlier\n{listed}") == "Error creating App: too many apps"
    own = "Diagnostics:\n    error: The directory x does not exist; build it: oracle build\n    error: update failed\n"
    assert program_sentence(own) == "The directory x does not exist; build it: oracle build"
    assert program_sentence("Diagnostics:\n    error: preview failed\n") is None
    trace = """Diagnostics:
  pulumi-python:dynamic:BackendGeneration (backend-generation):
    error: Traceback (most recent call last):
      File "components/backend_generation.py", line 39, in diff
        return DiffResult(changes=_news["secrets"])
                                  ~~~~~^^^^^^^^^^^
    KeyError: 'secrets'
Resources:
    2 errored
"""
    assert str(program_sentence(trace)).endswith("whose trace is above: KeyError: 'secrets'")


def test_the_endpoint_decides_if_a_stack_is_on_the_local_cloud(tmp_path: Path) -> None:
    stack = Stack("prod", tmp_path)
    stack.file.write_text("config:\n  digitalocean:apiEndpoint: http://127.0.0.1:1234/\n")
    assert stack.on_local_cloud
    assert stack.cloud_port == 1234
    stack.file.write_text("config: {}\n")
    assert not stack.on_local_cloud


@pytest.mark.parametrize(
    "arguments", [["env", "nowhere"], ["down", "nowhere"], ["cloud", "start", "--stack", "nowhere"]]
)
def test_a_missing_stack_is_reported_in_one_sentence(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "cli", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 1
    assert done.stderr.startswith("oracle: There is no stack nowhere: Pulumi.nowhere.yaml does not exist.")
    assert len(done.stderr.splitlines()) == 1


def test_each_stack_has_its_own_local_cloud(tmp_path: Path) -> None:
    local, prod = Stack("local", tmp_path), Stack("prod", tmp_path)
    assert local.cloud_state == tmp_path / ".oracle/cloud"
    assert prod.cloud_state == tmp_path / ".oracle/clouds/prod"
    for stack in (local, prod):
        stack.file.write_text("config:\n  digitalocean:apiEndpoint: http://127.0.0.1:8400\n")
    assert (local.update, prod.update) == ("make up", "oracle up prod")
    prod.file.write_text("config: {}\n")
    assert prod.update == "pulumi up --stack prod"
