"""Bringing an environment up, taking it down, and sweeping those whose time is over.

When an environment ends is a tag of its stack, set before anything is made: whoever can read the state knows it, also
of one that never got further. It is taken down by its state alone. Neither its sources nor its program are needed,
since what hangs on them, the backup before a backend goes, is not wanted here.
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

from cli.deploy.config_change import ready
from cli.engine import local_cloud
from cli.engine.plugins import Plugins, provide
from cli.engine.pulumi import Engine, outputs_or_none
from cli.engine.recover import held, import_app, recover
from cli.engine.workspace import Stack
from cli.preview_env.config import STACK, folder, text
from cli.preview_env.leftovers import clear, refuse_others
from cli.runs.recorder import RunRecorder
from cli.runs.store import Runs
from cli.runs.supervise import run_in_view, start_detached
from cli.ui.errors import CommandError
from stack_outputs import WITHOUT_BACKUP

TAG = "oracle:expires"
HOURS = 24
"""How long an environment lives after its last update, unless it says otherwise."""
STALE = timedelta(hours=1)
"""A lock of another machine that is older is nobody's: no job that brings environments up may take that long."""
DELETES = frozenset({"BeforeDelete", "AfterDelete"})

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A pull request's stack as the state knows it."""

    number: int
    expires: datetime

    @property
    def stack(self) -> str:
        return f"pr-{self.number}"


def bring_up(base: Stack, number: int, hours: int, say: Say) -> tuple[Engine, datetime]:
    """Makes or updates the environment; its engine, and until when it lives.

    Raises CommandError; what there is stays.
    """
    stack = _written(base, number)
    stack.settings()
    if stack.on_local_cloud:
        local_cloud.start(base)  # whose account it is
        if not (stack.home / "plugins").is_dir():  # never exchanged under another stack's update
            provide(stack, Plugins.auto)
    engine = Engine(stack)
    engine.ensure_stack()
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    engine.run_checked("stack", "tag", "set", TAG, _moment(expires), "--stack", stack.name)
    finish_interrupted_update(engine)
    outputs = outputs_or_none(ready(stack.name).export())
    with Runs(stack.runs).start("review", engine.owner, sys.argv[1:]) as run:
        RunRecorder(engine, run, say).build()
        # A release replaces the app, and what the one before held is as ephemeral as the environment.
        start_detached(run, stack, {"do": "up"}, {WITHOUT_BACKUP: outputs.backend_app} if outputs else None)
        run_in_view(run)
    return engine, expires


def take_down(base: Stack, number: int) -> bool:
    """Destroys the environment and forgets it; False when there is none.

    Raises CommandError; then it can be tried again.
    """
    if f"pr-{number}" not in _engine_of(base).stacks():
        _forget(base, number)
        return False
    stack = Stack(f"pr-{number}", base.project)
    if not stack.file.exists() or stack.config("oracle-net:backend") is None:  # `stack init` writes only the salt
        _written(base, number)
    engine = Engine(stack)
    refuse_others(stack.name, stack.settings())
    finish_interrupted_update(engine)
    state = engine.export()
    if remove_from_tracking(state):
        import_app(engine, state)
    with Runs(stack.runs).start("review", engine.owner, sys.argv[1:]) as run:
        done = RunRecorder(engine, run).destroy()
        if done.status != 0:
            raise CommandError(engine.failure(done, f"What is left stays known; again: oracle review {number} --down"))
    clear(engine)
    engine.run_checked("stack", "rm", stack.name, "--yes")
    _forget(base, number)
    return True


def list_environments(base: Stack) -> list[Environment]:
    """All environments on the stack's accounts, also those that were never brought up to the end.

    Raises CommandError.
    """
    engine = _engine_of(base)
    found = []
    for name, listed in engine.stacks().items():
        if match := STACK.fullmatch(name):
            tags = json.loads(engine.run_checked("stack", "tag", "ls", "--json", "--stack", name))
            found.append(Environment(number=int(match[1]), expires=expiry(tags, listed)))
    return sorted(found, key=lambda each: each.number)


def sweep(base: Stack, say: Say) -> None:
    """Takes down each environment whose time is over, a line for each. Raises CommandError when one could not be."""
    now = datetime.now(UTC)
    failed = []
    for each in list_environments(base):
        if each.expires > now:
            say(f"{each.stack}: stays until {describe(each.expires)}")
            continue
        try:
            take_down(base, each.number)
            say(f"{each.stack}: taken down; its time was over at {describe(each.expires)}")
        except Exception as error:  # whatever it is, the others' time is over too
            failed.append(each.stack)
            say(f"{each.stack}: NOT taken down. {error if isinstance(error, CommandError) else repr(error)}")
    if failed:
        raise CommandError(f"{', '.join(failed)} could not be taken down; see above. Again: oracle review --sweep")


def expiry(tags: dict[str, str], listed: dict[str, Any]) -> datetime:
    """When an environment ends: what its tag says, else some hours after it was last changed, as `stack ls` tells."""
    for moment, more in ((tags.get(TAG), timedelta()), (listed.get("lastUpdate"), timedelta(hours=HOURS))):
        try:
            if moment:
                return datetime.fromisoformat(moment).astimezone(UTC) + more
        except ValueError:
            continue
    return datetime.min.replace(tzinfo=UTC)


def remove_from_tracking(state: dict[str, Any]) -> bool:
    """Takes the hooks out of a state that a deletion would have to run; whether there were any."""
    found = False
    for resource in (state.get("deployment") or {}).get("resources") or []:
        hooks = resource.get("resourceHooks") or {}
        for name in DELETES & set(hooks):
            del hooks[name]
            found = True
    return found


def finish_interrupted_update(engine: Engine) -> None:
    """Takes over from an update that was killed, on another machine too.

    Raises CommandError while one may be at work.
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
    """The engine where the stack's state is, and those of the environments on its accounts."""
    if base.on_local_cloud:
        local_cloud.start(base)
    return Engine(base)


def _written(base: Stack, number: int) -> Stack:
    """The environment's stack, its file made anew; what the engine wrote there to encrypt stays."""
    base.settings()
    stack = Stack(f"pr-{number}", base.project)
    before = yaml.safe_load(stack.file.read_text()) if stack.file.exists() else None
    made = text(yaml.safe_load(base.file.read_text()), number, base.file.name, before or {})
    scratch = stack.file.with_name(f".{stack.file.name}.new")
    scratch.write_text(made)
    scratch.replace(stack.file)
    return stack


def _forget(base: Stack, number: int) -> None:
    """What this machine has of it: its file, and what lies where backups would."""
    Stack(f"pr-{number}", base.project).file.unlink(missing_ok=True)
    shutil.rmtree(base.project / folder(number), ignore_errors=True)
