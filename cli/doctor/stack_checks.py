"""Check the stack's file, the shell's environment, the state and its lock."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cli.doctor.model import Finding, from_error
from cli.engine.locks import Lock, bucket_at, folder_at, held_in, lock_in, state_of
from cli.engine.pulumi import Finished, bounded
from cli.engine.workspace import Stack
from cli.ui.errors import engine_failure
from errors import UserError
from programs import OutOfTime, git
from settings import Settings, SettingsError, from_file, template_values
from storage.backups import BackupsError

SECONDS = 8.0


def configuration(stack: Stack) -> tuple[Settings | None, list[Finding]]:
    """Return the stack's settings, None if they are invalid, and the findings about them."""
    if not stack.file.is_file():
        return None, [Finding("stack", "fail", stack.absence, stack.first_up)]
    try:
        settings = from_file(stack.file)
    except SettingsError as error:
        return None, _findings(error.errors, stack)
    unchanged = _findings([template_values(key) for key in settings.left_as_in_the_template], stack)
    return settings, unchanged or [Finding("stack", "ok", f"{stack.file.name} can be used")]


def _findings(errors: Sequence[UserError], stack: Stack) -> list[Finding]:
    return [from_error("stack", each, stack.name, f"pulumi config --stack {stack.name}") for each in errors]


def envrc(stack: Stack, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check that direnv's file exists, is loaded, is ignored by git, and can be read by its owner only."""
    file = stack.project / ".envrc"
    if not file.is_file():
        if stack.on_local_cloud:
            yield Finding("direnv", "ok", "no .envrc, and this stack needs none")
        else:
            yield Finding(
                "direnv", "warn", "there is no .envrc; copy the example and fill it in", "cp .envrc.example .envrc"
            )
        return
    yield from _git_findings(stack.project)
    if file.stat().st_mode & 0o077:
        yield Finding("direnv", "warn", "others on this machine may read .envrc", "chmod 600 .envrc")
    if environment.get("DIRENV_DIR", "").lstrip("-") == str(stack.project):
        yield Finding("direnv", "ok", ".envrc is loaded")
    elif shutil.which("direnv", path=environment.get("PATH")):
        yield Finding("direnv", "warn", ".envrc is not loaded here", "direnv allow")
    else:
        yield Finding("direnv", "warn", ".envrc is not loaded: direnv is not installed", "source .envrc")


def _git_findings(project: Path) -> Iterator[Finding]:
    if _git(project, "ls-files", "--error-unmatch", ".envrc") == 0:
        what = ".envrc is in git, with its tokens; remove it from git, and renew the tokens"
        yield Finding("direnv", "fail", what, "git rm --cached .envrc")
    elif _git(project, "check-ignore", "--quiet", ".envrc") == 1:
        yield Finding("direnv", "fail", "git does not ignore .envrc", "echo .envrc >> .gitignore")


def _git(project: Path, *words: str) -> int | None:
    """Return the exit status. None without git."""
    try:
        return git.git(project, *words, seconds=SECONDS).status
    except (OSError, OutOfTime):
        return None


def state(stack: Stack, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check that the state can be read, that it has the stack, and that nobody holds its lock."""
    up = f"oracle up {stack.name}" if stack.on_local_cloud else f"pulumi stack init {stack.name}"
    folder, bucket = folder_at(state_of(environment)), bucket_at(state_of(environment))
    if folder is not None and not folder.is_dir():
        yield Finding("state", "warn", "there is no state yet", up)
        return
    done = _list_stacks(stack, environment)
    if done.status != 0:
        yield _unreadable(done, stack)
        return
    listed = {each["name"].rpartition("/")[2]: each for each in json.loads(done.output)}
    if (summary := listed.get(stack.name)) is None:
        yield Finding("state", "warn", f"it has no stack {stack.name} yet", up)
    else:
        yield Finding("state", "ok", f"{summary.get('resourceCount', 0)} resources")
    if folder is not None:
        paths = sorted((folder / ".pulumi" / "locks").rglob(f"{stack.name}/*.json"))
        yield from _locks([lock for path in paths if (lock := lock_in(path))], stack)
    elif bucket is not None:
        try:
            yield from _locks(held_in(bucket, stack.name), stack)
        except BackupsError as error:
            yield from_error("lock", error, stack.name, "pulumi whoami --verbose")
    elif summary and summary.get("updateInProgress"):
        yield Finding("lock", "warn", "an update is running, or was killed", f"pulumi cancel --stack {stack.name}")


def _locks(locks: Sequence[Lock], stack: Stack) -> Iterator[Finding]:
    """Report the locks. The next `oracle` command takes over the lock of a dead process and waits for a live one."""
    for lock in locks:
        who = f"process {lock.pid} of {lock.user} on {lock.host}, since {lock.since[:16]}"
        if not lock.alive:
            yield Finding("lock", "warn", f"left behind by {who}, which is dead", f"oracle recover {stack.name}")
        elif lock.host == socket.gethostname():
            yield Finding("lock", "warn", f"held by {who}. Wait for it, or end it", f"kill {lock.pid}")
        else:
            what = f"held by {who}. Wait for it, or free the lock if you know that no update is running there"
            yield Finding("lock", "warn", what, f"pulumi cancel --stack {stack.name}")
    if not locks:
        yield Finding("lock", "ok", "free")


def _list_stacks(stack: Stack, environment: Mapping[str, str]) -> Finished:
    try:
        return bounded(stack.project, environment, SECONDS, "stack", "ls", "--json")
    except OutOfTime:
        return Finished(-1, f"error: no answer within {SECONDS:g} s")
    except OSError as error:
        return Finished(-1, f"error: the engine does not start ({error.strerror})")


def _unreadable(done: Finished, stack: Stack) -> Finding:
    if known := engine_failure(done.output, stack.name):
        return from_error("state", known, stack.name, "pulumi whoami --verbose")
    errors = [line.partition("error:")[2].strip() for line in done.output.splitlines() if "error:" in line]
    return Finding("state", "fail", (errors or ["it cannot be read"])[0], "pulumi whoami --verbose")
