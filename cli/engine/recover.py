"""Recover from an update that was killed: its lock, and the resources that it was creating.

The file state backend never frees a killed update's lock, and the state records a creation that began but not its
result. A dead holder is distinguished from a live one by its process. Resources whose creation began are looked up in
the cloud by name, and imported into the state when they exist. Otherwise the next update would fail because the name is
taken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.engine.locks import LOCKS, PROJECT, Lock, bucket_at, folder_at, held_in, lock_in, state_of
from cli.engine.pulumi import Engine, NoStack, resources_in
from cli.ui.errors import CommandError
from clients.app_platform import AppPlatform, variable
from stack_outputs import owner_of_app
from storage.backups import BackupsError

APP = "digitalocean:index/app:App"
GENERATION = "pulumi-python:dynamic:BackendGeneration"
CHECK = "digitalocean:index/uptimeCheck:UptimeCheck"


def recover(engine: Engine) -> list[str]:
    """Free a dead holder's lock and settle its pending creations; return a line for each thing done.

    Raises CommandError for a live holder, and NoStack when the stack does not exist.
    """
    lines = list(_free_locks(engine))
    state = engine.export()
    if pending := (state.get("deployment") or {}).get("pending_operations"):
        lines += _settle(engine, state, pending)
    elif app := _unrecorded_app(engine, state):
        _take_over(state["deployment"]["resources"], *app)
        import_state(engine, state)
        lines.append(f"imported {app[1]}, which was created although the request for it failed")
    return lines


def settled(engine: Engine, *, make: bool) -> list[str]:
    """Recover a stack and return the lines of `recover`; create the stack if it does not exist and `make` is set.

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
    """Return the stack's locks, in a folder or in a bucket. Raises CommandError."""
    try:
        bucket, folder = bucket_at(state_of(engine.environment)), folder_at(state_of(engine.environment))
        locks = held_in(bucket, engine.stack.name) if bucket else []
        return locks if folder is None else list(_locks(folder / LOCKS / PROJECT / engine.stack.name))
    except BackupsError as error:
        raise CommandError("The locks of the state cannot be read.", cause=error) from None


def import_state(engine: Engine, state: dict[str, Any]) -> None:
    """Import this as the stack's state. Raises CommandError."""
    path = engine.stack.private / f"state-{engine.stack.name}.json"
    path.unlink(missing_ok=True)
    try:
        path.touch(mode=0o600)
        path.write_text(json.dumps(state))
        engine.run_checked("stack", "import", "--stack", engine.stack.name, "--file", str(path))
    finally:
        path.unlink(missing_ok=True)


def _free_locks(engine: Engine) -> Iterator[str]:
    """Free the locks of dead holders, in a folder or in a bucket. Raises CommandError for a live holder."""
    locks = held(engine)
    _refuse_running(engine.stack.name, locks)
    bucket = bucket_at(state_of(engine.environment))
    try:
        for lock in locks:
            if bucket:
                bucket.delete(lock.path.as_posix())
            else:
                lock.path.unlink(missing_ok=True)
            yield f"removed the lock of process {lock.pid}, which is dead"
    except BackupsError as error:
        raise CommandError("The locks of the state cannot be freed.", cause=error) from None


def _refuse_running(stack: str, locks: list[Lock]) -> None:
    for lock in locks:
        if lock.alive:
            raise CommandError(
                f"Another update of {stack} is running: process {lock.pid} of {lock.user} on {lock.host}, since "
                f"{lock.since}.",
                *lock.fixes(stack),
            )


def _locks(folder: Path) -> Iterator[Lock]:
    for path in sorted(folder.rglob("*.json")):
        if lock := lock_in(path):
            yield lock
        else:
            path.unlink(missing_ok=True)  # incomplete, so its writer never held the lock


def _settle(engine: Engine, state: dict[str, Any], pending: list[dict[str, Any]]) -> Iterator[str]:
    ids = {}
    for operation in pending:
        resource = operation["resource"]
        if operation["type"] == "creating" and (id := _existing(engine, resource)):
            ids[resource["urn"]] = id
            yield f"imported {id}, which the killed update had created ({resource['urn'].rpartition('::')[2]})"
    resources = state["deployment"].setdefault("resources", [])
    for operation in pending:
        resource = operation["resource"]
        if resource["urn"] in ids:
            _take_over(resources, resource, ids[resource["urn"]])
    state["deployment"]["pending_operations"] = []
    import_state(engine, state)
    yield f"settled {len(pending)} operation(s) of the killed update"


def _take_over(resources: list[dict[str, Any]], resource: dict[str, Any], id: str) -> None:
    """Put the resource with this id into the state; a resource that it was to replace is marked for deletion.

    The refresh at the start of each update reads its properties; properties that no cloud returns remain as declared.
    """
    resource = {**resource, "id": id, "outputs": {**(resource.get("inputs") or {}), **(resource.get("outputs") or {})}}
    same = [place for place, each in enumerate(resources) if each["urn"] == resource["urn"] and not each.get("delete")]
    if not same:
        resources.append(resource)
    elif resources[same[0]].get("id") != id:
        resources[same[0]]["delete"] = True
        resources.insert(same[0], resource)


def _unrecorded_app(engine: Engine, state: dict[str, Any]) -> tuple[dict[str, Any], str] | None:
    """Return the declared app that exists in the cloud and not in the state, with its id; usually None.

    The connection may break while the app is created. The engine records a failure, and the app's name is taken.
    """
    resources = resources_in(state)
    apps = [each for each in resources if each["type"] == APP and not each.get("delete")]
    generation: dict[str, Any] = next((each["outputs"] for each in resources if each["type"] == GENERATION), {})
    if not apps or not generation.get("app") or apps[0]["inputs"]["spec"]["name"] == generation["app"]:
        return None
    inputs = {**apps[0]["inputs"], "spec": {**apps[0]["inputs"]["spec"], "name": generation["app"]}}
    resource = {**apps[0], "inputs": inputs, "replacementTrigger": generation["app"]}
    id = _existing(engine, resource)
    return (resource, id) if id and _has_generation(engine, id, generation) else None


def _has_generation(engine: Engine, app_id: str, generation: dict[str, Any]) -> bool:
    """Return whether the app is of the requested generation."""
    service = engine.stack.settings().backend.service
    with AppPlatform(engine.stack.digitalocean, engine.environment.get("DIGITALOCEAN_TOKEN")) as platform:
        spec = platform.app(app_id)["spec"]
    return variable(spec, service, "GENERATION") == str(int(generation["generation"]))


def _existing(engine: Engine, resource: dict[str, Any]) -> str | None:
    """Return the id of the created resource, by its name and owner; None for types that may be created twice."""
    inputs = resource.get("inputs") or {}
    token = engine.environment.get("DIGITALOCEAN_TOKEN")
    with AppPlatform(engine.stack.digitalocean, token) as platform:
        if resource["type"] == APP:
            app = platform.find((inputs.get("spec") or {}).get("name", ""))
            ours = app is not None and owner_of_app(app["spec"]) == str(engine.owner)
            return str(app["id"]) if app and ours else None
        if resource["type"] == CHECK:
            return platform.uptime_check(inputs.get("name", ""))
    return None
