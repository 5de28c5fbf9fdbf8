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

from contract import WITHOUT_BACKUP
from ops import local_cloud
from ops.change import ready
from ops.engine import Engine, known_outputs
from ops.failures import Failure
from ops.following import hand_over, shown
from ops.plugins import Plugins, provide
from ops.recording import Recording
from ops.recover import held, recover, take_in
from ops.review.declaring import STACK, folder, text
from ops.review.leftovers import clear, refuse_others
from ops.runs import Runs
from ops.workspace import Stack

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
    """Makes or updates the environment; its engine, and until when it lives. Raises Failure; what there is stays."""
    stack = _written(base, number)
    stack.settings()
    if stack.on_local_cloud:
        local_cloud.start(base)  # whose account it is
        if not (stack.home / "plugins").is_dir():  # never exchanged under another stack's update
            provide(stack, Plugins.auto)
    engine = Engine(stack)
    engine.ensure_stack()
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    engine.must("stack", "tag", "set", TAG, _moment(expires), "--stack", stack.name)
    settle(engine)
    outputs = known_outputs(ready(stack.name).export())
    with Runs(stack.runs).start("review", engine.owner, sys.argv[1:]) as run:
        Recording(engine, run, say).build()
        # A release replaces the app, and what the one before held is as ephemeral as the environment.
        hand_over(run, stack, {"do": "up"}, {WITHOUT_BACKUP: outputs.backend_app} if outputs else None)
        shown(run)
    return engine, expires


def take_down(base: Stack, number: int) -> bool:
    """Destroys the environment and forgets it; False when there is none. Raises Failure; then it can be tried again."""
    if f"pr-{number}" not in _engine_of(base).stacks():
        _forget(base, number)
        return False
    stack = Stack(f"pr-{number}", base.project)
    if not stack.file.exists() or stack.config("oracle-net:backend") is None:  # `stack init` writes only the salt
        _written(base, number)
    engine = Engine(stack)
    refuse_others(stack.name, stack.settings())
    settle(engine)
    state = engine.export()
    if unhook(state):
        take_in(engine, state)
    with Runs(stack.runs).start("review", engine.owner, sys.argv[1:]) as run:
        done = Recording(engine, run).destroy()
        if done.status != 0:
            raise Failure(engine.failure(done, f"What is left stays known; again: oracle review {number} --down"))
    clear(engine)
    engine.must("stack", "rm", stack.name, "--yes")
    _forget(base, number)
    return True


def known(base: Stack) -> list[Environment]:
    """All environments on the stack's accounts, also those that were never brought up to the end. Raises Failure."""
    engine = _engine_of(base)
    found = []
    for name, listed in engine.stacks().items():
        if match := STACK.fullmatch(name):
            tags = json.loads(engine.must("stack", "tag", "ls", "--json", "--stack", name))
            found.append(Environment(number=int(match[1]), expires=expiry(tags, listed)))
    return sorted(found, key=lambda each: each.number)


def sweep(base: Stack, say: Say) -> None:
    """Takes down each environment whose time is over, a line for each. Raises Failure when one could not be."""
    now = datetime.now(UTC)
    failed = []
    for each in known(base):
        if each.expires > now:
            say(f"{each.stack}: stays until {told(each.expires)}")
            continue
        try:
            take_down(base, each.number)
            say(f"{each.stack}: taken down; its time was over at {told(each.expires)}")
        except Exception as error:  # whatever it is, the others' time is over too
            failed.append(each.stack)
            say(f"{each.stack}: NOT taken down. {error if isinstance(error, Failure) else repr(error)}")
    if failed:
        raise Failure(f"{', '.join(failed)} could not be taken down; see above. Again: oracle review --sweep")


def expiry(tags: dict[str, str], listed: dict[str, Any]) -> datetime:
    """When an environment ends: what its tag says, else some hours after it was last changed, as `stack ls` tells."""
    for moment, more in ((tags.get(TAG), timedelta()), (listed.get("lastUpdate"), timedelta(hours=HOURS))):
        try:
            if moment:
                return datetime.fromisoformat(moment).astimezone(UTC) + more
        except ValueError:
            continue
    return datetime.min.replace(tzinfo=UTC)


def unhook(state: dict[str, Any]) -> bool:
    """Takes the hooks out of a state that a deletion would have to run; whether there were any."""
    found = False
    for resource in (state.get("deployment") or {}).get("resources") or []:
        hooks = resource.get("resourceHooks") or {}
        for name in DELETES & set(hooks):
            del hooks[name]
            found = True
    return found


def settle(engine: Engine) -> None:
    """Takes over from an update that was killed, on another machine too. Raises Failure while one may be at work."""
    stale = datetime.now(UTC) - STALE
    locks = held(engine)
    if locks and all(datetime.fromisoformat(lock.since).astimezone(UTC) < stale for lock in locks):
        engine.must("cancel", "--yes", "--stack", engine.stack.name)
    recover(engine)


def told(moment: datetime) -> str:
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
