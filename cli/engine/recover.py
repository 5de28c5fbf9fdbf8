"""Taking over from an update that was killed: its lock, and what it had begun to make.

The file state backend keeps a killed update's lock for ever, and the state remembers that a creation had begun
without knowing how it ended. A dead holder is told from a live one by its process. What was begun is looked up in the
cloud by name, and taken into the state when it is there; otherwise the next update would be refused by a name that is
taken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.engine.locks import LOCKS, PROJECT, Lock, bucket_at, folder_at, held_in, lock_in, state_of
from cli.engine.pulumi import Engine, NoStack
from cli.ui.errors import CommandError
from clients.app_platform import AppPlatform, AppPlatformError, variable
from stack_outputs import owner_of_app
from storage.backups import BackupsError

APP = "digitalocean:index/app:App"
GENERATION = "pulumi-python:dynamic:BackendGeneration"
CHECK = "digitalocean:index/uptimeCheck:UptimeCheck"


def recover(engine: Engine) -> list[str]:
    """Frees a dead holder's lock, settles what it had begun, says what was done.

    Raises CommandError for a live holder, NoStack where there is no such stack.
    """
    done = list(_free_locks(engine))
    state = engine.export()
    if pending := (state.get("deployment") or {}).get("pending_operations"):
        done += _settle(engine, state, pending)
    elif app := _unanswered(engine, state):
        _take_over(state["deployment"]["resources"], *app)
        import_app(engine, state)
        done.append(f"took over {app[1]}, which was made though its creation was never answered")
    return done


def settled(engine: Engine, *, make: bool) -> list[str]:
    """What `recover` has done for a stack, which is made where there is none and it is to `make`.

    Raises CommandError.
    """
    try:
        return recover(engine)
    except NoStack:
        if not make:
            raise
        engine.make_stack()
        return []


def held(engine: Engine) -> list[Lock]:
    """The stack's locks, in a folder or in a bucket. Raises CommandError."""
    try:
        bucket, folder = bucket_at(state_of(engine.environment)), folder_at(state_of(engine.environment))
        locks = held_in(bucket, engine.stack.name) if bucket else []
        return locks if folder is None else list(_locks(folder / LOCKS / PROJECT / engine.stack.name))
    except BackupsError as error:
        raise CommandError(f"The state cannot be read: {error}") from None


def import_app(engine: Engine, state: dict[str, Any]) -> None:
    """Makes this the stack's state. Raises CommandError."""
    path = engine.stack.private / f"state-{engine.stack.name}.json"
    path.unlink(missing_ok=True)
    try:
        path.touch(mode=0o600)
        path.write_text(json.dumps(state))
        engine.run_checked("stack", "import", "--stack", engine.stack.name, "--file", str(path))
    finally:
        path.unlink(missing_ok=True)


def _free_locks(engine: Engine) -> Iterator[str]:
    """Frees what the dead hold, in a folder or in a bucket. Raises CommandError for a live holder."""
    locks = held(engine)
    _refuse_running(engine.stack.name, locks)
    bucket = bucket_at(state_of(engine.environment))
    try:
        for lock in locks:
            if bucket:
                bucket.delete(lock.path.as_posix())
            else:
                lock.path.unlink(missing_ok=True)
            yield f"took the lock over from process {lock.pid}, which is dead"
    except BackupsError as error:
        raise CommandError(f"The state cannot be read: {error}") from None


def _refuse_running(stack: str, locks: list[Lock]) -> None:
    for lock in locks:
        if lock.alive:
            raise CommandError(
                f"Another update of {stack} is at work: process {lock.pid} of {lock.user} on {lock.host}, since "
                f"{lock.since}. {lock.remedy(stack)}"
            )


def _locks(folder: Path) -> Iterator[Lock]:
    for path in sorted(folder.rglob("*.json")):
        if lock := lock_in(path):
            yield lock
        else:
            path.unlink(missing_ok=True)  # cut off while it was written, so its writer never held it


def _settle(engine: Engine, state: dict[str, Any], pending: list[dict[str, Any]]) -> Iterator[str]:
    found = {}
    for operation in pending:
        resource = operation["resource"]
        if operation["type"] == "creating" and (known := _existing(engine, resource)):
            found[resource["urn"]] = known
            yield f"took over {known}, which the killed update had made ({resource['urn'].rpartition('::')[2]})"
    resources = state["deployment"].setdefault("resources", [])
    for operation in pending:
        resource = operation["resource"]
        if resource["urn"] in found:
            _take_over(resources, resource, found[resource["urn"]])
    state["deployment"]["pending_operations"] = []
    import_app(engine, state)
    yield f"settled {len(pending)} operation(s) of the killed update"


def _take_over(resources: list[dict[str, Any]], resource: dict[str, Any], id: str) -> None:
    """The state has the resource with this id; one that it was to replace waits to be deleted, as after any update.

    What it is like is read by the refresh that begins each update; what no cloud tells stays as it was declared.
    """
    resource = {**resource, "id": id, "outputs": {**(resource.get("inputs") or {}), **(resource.get("outputs") or {})}}
    same = [place for place, each in enumerate(resources) if each["urn"] == resource["urn"] and not each.get("delete")]
    if not same:
        resources.append(resource)
    elif resources[same[0]].get("id") != id:
        resources[same[0]]["delete"] = True
        resources.insert(same[0], resource)


def _unanswered(engine: Engine, state: dict[str, Any]) -> tuple[dict[str, Any], str] | None:
    """The app that the state declares by name and does not have, though the cloud has it, and its id; None as a rule.

    The connection may break while the app is made: the engine takes that for a failure, and its name is taken then.
    """
    resources = (state.get("deployment") or {}).get("resources") or []
    apps = [each for each in resources if each["type"] == APP and not each.get("delete")]
    counted: dict[str, Any] = next((each["outputs"] for each in resources if each["type"] == GENERATION), {})
    if not apps or not counted.get("app") or apps[0]["inputs"]["spec"]["name"] == counted["app"]:
        return None
    inputs = {**apps[0]["inputs"], "spec": {**apps[0]["inputs"]["spec"], "name": counted["app"]}}
    resource = {**apps[0], "inputs": inputs, "replacementTrigger": counted["app"]}
    found = _existing(engine, resource)
    return (resource, found) if found and _ours(engine, found, counted) else None


def _ours(engine: Engine, app_id: str, counted: dict[str, Any]) -> bool:
    """Whether the app is of the generation that was asked for."""
    service = engine.stack.settings().backend.service
    with AppPlatform(engine.stack.digitalocean, engine.environment.get("DIGITALOCEAN_TOKEN")) as platform:
        spec = platform.app(app_id)["spec"]
    return variable(spec, service, "GENERATION") == str(int(counted["generation"]))


def _existing(engine: Engine, resource: dict[str, Any]) -> str | None:
    """The id of what a creation had made, by its name and its owner; None for kinds that may be made once more."""
    inputs = resource.get("inputs") or {}
    token = engine.environment.get("DIGITALOCEAN_TOKEN")
    try:
        with AppPlatform(engine.stack.digitalocean, token) as platform:
            if resource["type"] == APP:
                app = platform.find((inputs.get("spec") or {}).get("name", ""))
                ours = app is not None and owner_of_app(app["spec"]) == str(engine.owner)
                return str(app["id"]) if app and ours else None
            if resource["type"] == CHECK:
                return platform.uptime_check(inputs.get("name", ""))
    except AppPlatformError as error:
        raise CommandError(str(error)) from None
    return None
