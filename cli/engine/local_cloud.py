"""The local cloud as a background process: start it, stop it, send it requests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

import programs
from cli.engine.plugins import Plugins, are_all
from cli.engine.workspace import FIRST, PROJECT, Stack, exports, located_tools
from cli.ui.errors import CommandError
from clients.http import client, httpx
from errors import Fix
from retry import backoff

PORT_USED, RUNS_ALREADY = 98, 99
"""Exit statuses of `python -m localcloud` (localcloud/__main__.py): a port cannot be used, and it runs already."""
START_SECONDS = 60.0
STOP_SECONDS = 30.0


def health(stack: Stack) -> dict[str, object] | None:
    """Return the local cloud's health report, or None when it does not answer."""
    try:
        with client(timeout=5) as http:
            response = http.get(f"{stack.endpoint}/_cloud/health")
        return dict(response.json()) if response.status_code == 200 else None
    except (httpx.HTTPError, ValueError, TypeError):
        return None


def start(stack: Stack) -> bool:
    """Start the stack's local cloud unless it runs; return whether it was started.

    Raises CommandError with the local cloud's own message.
    """
    require_local(stack)
    if _runs(stack):
        return False
    stack.make_private(stack.cloud_state, stack.home)
    with log_file(stack).open("ab") as log:
        begin = log.tell()
        process = programs.start(_command(stack), output=log, cwd=PROJECT, session=True)
    _wait_started(stack, process, begin)
    return True


def stop(stack: Stack) -> bool:
    """Stop the stack's local cloud and wait for its end; return False when it did not run. Raises CommandError."""
    require_local(stack)
    process = _process(stack)
    if process is None:
        return False
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except psutil.TimeoutExpired:
        raise CommandError(
            f"The local cloud (process {process.pid}) does not stop.", Fix(f"kill -9 {process.pid}", "to end it")
        ) from None
    return True


def console(stack: Stack) -> str:
    """Return an address that opens the local cloud's page; it works once and expires soon. Raises CommandError."""
    try:
        return str(_request(stack, "POST", "/page/codes").raise_for_status().json()["address"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        raise CommandError("The local cloud returned no address of its page.", _restart(stack)) from None


def repositories(stack: Stack) -> list[dict[str, str]]:
    """Return the repositories that its apps may be built from, as localcloud.repositories describes them.

    Raises CommandError.
    """
    return list(_request_json(stack, "GET", "/repositories")["repositories"])


def allow_repository(stack: Stack, description: Mapping[str, str]) -> None:
    """Allow its apps to be built from a repository. Raises CommandError with the local cloud's own message."""
    _request_json(stack, "POST", "/repositories", dict(description))


def push(stack: Stack, repository: str, branch: str) -> list[dict[str, str]]:
    """Send a push, as GitHub notifies DigitalOcean; return the deployments {app, id, cause} that it starts.

    Raises CommandError.
    """
    return list(_request_json(stack, "POST", "/pushes", {"repository": repository, "branch": branch})["deployments"])


def _request_json(stack: Stack, verb: str, path: str, body: object = None) -> dict[str, Any]:
    try:
        response = _request(stack, verb, path, body)
        document = dict(response.json())
    except (httpx.HTTPError, ValueError, TypeError):
        raise CommandError("The local cloud does not answer.", _restart(stack)) from None
    if response.status_code >= 400:
        raise CommandError("The local cloud refused the request.", cause=str(document.get("error")))
    return document


def _request(stack: Stack, verb: str, path: str, body: object = None) -> httpx.Response:
    """Send a request to the local cloud's own endpoints.

    Raises CommandError when it does not run, and httpx.HTTPError when it does not answer.
    """
    require_local(stack)
    if not _runs(stack):
        raise not_running(stack)
    token = exports(stack).get("DIGITALOCEAN_TOKEN", "")
    with client(timeout=5, headers={"authorization": f"Bearer {token}"}) as http:
        return http.request(verb, f"{stack.endpoint}/_cloud{path}", json=body)


def not_running(stack: Stack) -> CommandError:
    """Return the error for a local cloud that does not run."""
    return CommandError("The local cloud does not run.", Fix(f"oracle cloud start --stack {stack.name}"))


def log_file(stack: Stack) -> Path:
    return stack.cloud_state / "cloud.log"


def read_log(stack: Stack) -> Fix:
    """Return the command that prints the local cloud's log."""
    return Fix(f"oracle cloud logs --stack {stack.name}", "to read its log")


def _restart(stack: Stack) -> Fix:
    return Fix(f"oracle cloud stop --stack {stack.name}", then=f"oracle cloud start --stack {stack.name}")


def _runs(stack: Stack) -> bool:
    """Return whether the stack's local cloud runs.

    Raises CommandError when another local cloud, or another program, answers at our address.
    """
    report = health(stack)
    if report is None:
        return False
    process = _process(stack)
    if process is None or process.pid != report.get("pid"):
        raise CommandError(
            f"Another local cloud (process {report.get('pid')}) uses port {stack.cloud_port}.",
            Fix("make down", "in the checkout that started it"),
            _other_port(stack),
        )
    return True


def _command(stack: Stack) -> list[str]:
    located = located_tools()
    options = {
        "state": stack.cloud_state,
        "port": stack.cloud_port,
        "edge-port": stack.edge_port,
        "account-id": stack.settings().account_id,
        "node": located.node,
        "node-modules": located.node_modules,
        "pocketbase": located.pocketbase,
    }
    if not are_all(stack, Plugins.official):  # no plugins are installed yet on a stack's first `oracle up`
        options["plugins"] = stack.home
    return [sys.executable, "-m", "localcloud", *(f"--{name}={value}" for name, value in options.items())]


def _wait_started(stack: Stack, process: subprocess.Popen[bytes], begin: int) -> None:
    for _ in backoff(START_SECONDS, longest=0.5):
        report = health(stack)
        if report and report.get("pid") == process.pid:
            return
        if process.poll() is not None:
            raise _start_failure(stack, begin, process.returncode)
    os.killpg(process.pid, signal.SIGTERM)
    raise CommandError(f"The local cloud did not answer within {START_SECONDS:.0f} s.", read_log(stack))


def _start_failure(stack: Stack, begin: int, status: int) -> CommandError:
    """Return the error of a local cloud that ended as it started: its exit status, and the problem in its log."""
    with log_file(stack).open("rb") as log:
        log.seek(begin)
        lines = log.read().decode(errors="replace").strip().splitlines()
    messages = [line.removeprefix("localcloud: ") for line in lines if line.startswith("localcloud: ")]
    if not messages:
        return CommandError("The local cloud ended while it started.", read_log(stack))
    helps: tuple[Fix, ...] = (read_log(stack),)
    if status == PORT_USED:
        helps = (Fix(first="stop the program that uses the port", then=stack.first_up), _other_port(stack))
    elif status == RUNS_ALREADY:
        helps = (Fix(f"oracle cloud stop --stack {stack.name}", then=stack.first_up),)
    return CommandError("The local cloud did not start.", *helps, cause=messages[-1])


def _other_port(stack: Stack) -> Fix:
    return Fix(first=f"set other ports in {stack.file.name}", then=stack.first_up)


def _process(stack: Stack) -> psutil.Process | None:
    """Return the process that uses this project's state, found by its command line."""
    option = f"--state={stack.cloud_state}"
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if option in words and "localcloud" in words and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def require_local(stack: Stack) -> None:
    """Raise CommandError for a stack that is not on the local cloud."""
    if not stack.on_local_cloud:
        raise CommandError(
            f"The stack {stack.name} is not on the local cloud.",
            Fix(f"oracle cloud start --stack {FIRST}", "to start the local cloud of another stack"),
        )
