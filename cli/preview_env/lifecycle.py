"""Create, update and delete review environments, and sweep the expired ones.

The expiry is a tag of the stack. It is set before any resource is created, so that everybody who can read the state
knows it, even if the environment was never finished. Deleting an environment needs its state only, not its sources or
its program: they would add the backup before the backend is deleted, which a review environment does not need.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

import advice
from cli.deploy.config_change import ready
from cli.engine import local_cloud
from cli.engine.plugins import Plugins, provide
from cli.engine.pulumi import Engine, outputs_or_none, resources_in
from cli.engine.recover import held, import_state, recover
from cli.engine.workspace import Stack
from cli.preview_env.config import STACK, folder, text
from cli.preview_env.leftovers import clear, refuse_others
from cli.runs.recorder import RunRecorder
from cli.runs.store import Runs
from cli.runs.supervise import run_in_view, start_detached
from cli.ui.errors import CommandError
from errors import Remedy, UserError
from stack_outputs import WITHOUT_BACKUP

TAG = "oracle:expires"
HOURS = 24
"""The default lifetime after the last update."""
STALE = timedelta(hours=1)
"""The age from which a lock of another machine is dead: no job that creates environments may take longer."""
DELETES = frozenset({"BeforeDelete", "AfterDelete"})

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A review environment in the state."""

    number: int
    expires: datetime

    @property
    def stack(self) -> str:
        return f"pr-{self.number}"


def bring_up(base: Stack, number: int, hours: int, say: Say) -> tuple[Engine, datetime]:
    """Create or update the environment, and return its engine and its expiry.

    Raises CommandError. Existing resources are not deleted.
    """
    stack = _write_file(base, number)
    stack.settings()
    if stack.on_local_cloud:
        local_cloud.start(base)  # the account's owner
        if not (stack.home / "plugins").is_dir():  # never replaced during another stack's update
            provide(stack, Plugins.auto)
    engine = Engine(stack)
    engine.ensure_stack()
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    engine.run_checked("stack", "tag", "set", TAG, _moment(expires), "--stack", stack.name)
    finish_interrupted_update(engine)
    outputs = outputs_or_none(ready(stack.name).export())
    with Runs(stack.runs).start("review", engine.owner, sys.argv[1:]) as run:
        RunRecorder(engine, run, say).build()
        # A release replaces the app. The old app's data is as temporary as the environment, so it needs no backup.
        start_detached(run, stack, {"do": "up"}, {WITHOUT_BACKUP: outputs.backend_app} if outputs else None)
        run_in_view(run)
    return engine, expires


def take_down(base: Stack, number: int) -> bool:
    """Destroy the environment and remove its stack. Return False if it does not exist.

    Raises CommandError. The command can then be repeated.
    """
    if f"pr-{number}" not in _engine_of(base).stacks():
        _delete_files(base, number)
        return False
    stack = Stack(f"pr-{number}", base.project)
    if not stack.file.exists() or stack.config("oracle-net:backend") is None:  # `stack init` writes only the salt
        _write_file(base, number)
    engine = Engine(stack)
    refuse_others(stack.name, stack.settings())
    finish_interrupted_update(engine)
    state = engine.export()
    if remove_delete_hooks(state):
        import_state(engine, state)
    with Runs(stack.runs).start("review", engine.owner, sys.argv[1:]) as run:
        done = RunRecorder(engine, run).destroy()
        if done.status != 0:
            raise engine.failure(done, f"oracle review {number} --down", then="The state has the remaining resources.")
    clear(engine)
    engine.run_checked("stack", "rm", stack.name, "--yes")
    _delete_files(base, number)
    return True


def list_environments(base: Stack) -> list[Environment]:
    """Return all environments on the stack's accounts, including unfinished ones.

    Raises CommandError.
    """
    engine = _engine_of(base)
    environments = []
    for name, listed in engine.stacks().items():
        if match := STACK.fullmatch(name):
            tags = json.loads(engine.run_checked("stack", "tag", "ls", "--json", "--stack", name))
            environments.append(Environment(number=int(match[1]), expires=expiry(tags, listed)))
    return sorted(environments, key=lambda each: each.number)


def sweep(base: Stack, say: Say) -> None:
    """Delete each expired environment, with a line for each. Raises CommandError if one could not be deleted."""
    now = datetime.now(UTC)
    failed = []
    for each in list_environments(base):
        if each.expires > now:
            say(f"{each.stack}: exists until {describe(each.expires)}")
            continue
        try:
            take_down(base, each.number)
            say(f"{each.stack}: deleted; it expired at {describe(each.expires)}")
        except Exception as error:  # any failure, because the other expired environments must be deleted too
            failed.append(each.stack)
            retry = f"oracle review {each.number} --down"
            why = advice.text(error, each.stack, retry) if isinstance(error, UserError) else repr(error)
            say(f"{each.stack}: NOT deleted. {why}")
    if failed:
        raise CommandError(f"{', '.join(failed)} could not be deleted; the reasons are above.", Remedy.RETRY)


def expiry(tags: dict[str, str], listed: dict[str, Any]) -> datetime:
    """Return when an environment expires: its tag, else `HOURS` after its last update in `stack ls`."""
    for moment, more in ((tags.get(TAG), timedelta()), (listed.get("lastUpdate"), timedelta(hours=HOURS))):
        try:
            if moment:
                return datetime.fromisoformat(moment).astimezone(UTC) + more
        except ValueError:
            continue
    return datetime.min.replace(tzinfo=UTC)


def remove_delete_hooks(state: dict[str, Any]) -> bool:
    """Remove the delete hooks from a state. Return whether it had any."""
    changed = False
    for resource in resources_in(state):
        hooks = resource.get("resourceHooks") or {}
        for name in DELETES & set(hooks):
            del hooks[name]
            changed = True
    return changed


def finish_interrupted_update(engine: Engine) -> None:
    """Clean up after an update that was killed, also on another machine.

    Raises CommandError while an update may be running.
    """
    stale = datetime.now(UTC) - STALE
    locks = held(engine)
    if locks and all(datetime.fromisoformat(lock.since).astimezone(UTC) < stale for lock in locks):
        engine.run_checked("cancel", "--yes", "--stack", engine.stack.name)
    recover(engine)


def describe(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _moment(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _engine_of(base: Stack) -> Engine:
    """Return the base stack's engine, whose state backend also has the environments."""
    if base.on_local_cloud:
        local_cloud.start(base)
    return Engine(base)


def _write_file(base: Stack, number: int) -> Stack:
    """Write the file of the environment's stack anew, with its encryption keys, and return the stack."""
    base.settings()
    stack = Stack(f"pr-{number}", base.project)
    before = yaml.safe_load(stack.file.read_text()) if stack.file.exists() else None
    content = text(yaml.safe_load(base.file.read_text()), number, base.file.name, before or {})
    scratch = stack.file.with_name(f".{stack.file.name}.new")
    scratch.write_text(content)
    scratch.replace(stack.file)
    return stack


def _delete_files(base: Stack, number: int) -> None:
    """Delete the environment's files on this machine: its stack file and its backup folder."""
    Stack(f"pr-{number}", base.project).file.unlink(missing_ok=True)
    shutil.rmtree(base.project / folder(number), ignore_errors=True)
