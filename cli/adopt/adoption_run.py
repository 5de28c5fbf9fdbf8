"""Run an adoption: write the ids to the stack's configuration, import them, and verify that the next preview is empty.

The configuration stays written when an update fails halfway. A completed import is not repeated, and a resource that
was not imported can only be imported, never created.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cli.deploy import service_plan
from cli.deploy.config_change import Refused
from cli.deploy.service_plan import Change
from cli.engine import stack_file
from cli.engine.pulumi import Engine
from cli.runs.recorder import RunRecorder
from cli.ui.errors import CommandError
from errors import Fix

KEY = "oracle-net:"
HARMLESS = frozenset({"import", "create"})
FORGOTTEN = ["deploymentPerPage"]
"""An app's field that the provider's import omits: the number of deployments a page has.

An update adds it to the state, without a request.
"""
MISMATCH = "inputs to import do not match the existing resource"


def run_adoption(recording: RunRecorder, services: Sequence[str], values: Mapping[str, str]) -> dict[str, Any]:
    """Adopt services as the run's task: `values` are keys of the configuration. Raises CommandError."""
    engine = recording.engine
    stack = engine.stack.name
    with _configuration_written(engine, values):
        refuse_changes(recording, services)
    done = recording.update()
    if done.status != 0:
        raise engine.failure(done, f"oracle adopt {stack}", then="Nothing that runs was changed.")
    remaining = service_plan.planned_changes(recording.preview())
    if remaining.changes:
        changes = ", ".join(f"{each.op} {each.name}" for each in remaining.changes)
        raise CommandError(
            f"All resources were imported, but the next preview is not empty ({changes}).",
            Fix(f"pulumi preview --stack {stack}", "to see the changes"),
        )
    workers = " ".join(engine.stack.settings().workers)
    recording.say(
        f"Adopted: {', '.join(services)}. Nothing that runs was changed, and the preview is empty. To release them "
        f"from here, run `oracle deploy {workers} --stack {stack}`, then `oracle deploy backend --stack {stack}`."
    )
    return {"adopted": list(services)}


def refuse_changes(recording: RunRecorder, services: Sequence[str]) -> None:
    """Raise Refused if the update would change anything that runs.

    An update of "backend ready" only verifies, also when an adopted resource was changed by hand and is adopted again.
    """
    events = recording.preview()
    plan = service_plan.planned_changes(events)
    filled = any(_only_fills_in(event) for event in events)
    touched = [each for each in plan.changes if each.op not in HARMLESS]
    harmless = {("backend-ready", "update"), *([(service_plan.APP, "update")] if filled else [])}
    touched = [each for each in touched if (each.name, each.op) not in harmless]
    created = [each for each in plan.changes if each.op == "create" and _runs_already(each.name, services)]
    mismatched = [event for event in events if MISMATCH in (event.get("diagnosticEvent") or {}).get("message", "")]
    if touched or created or mismatched:
        stack = recording.engine.stack.name
        see = Fix(f"oracle status --stack {stack}", "to see the differences")
        raise Refused(_problem([*touched, *created], stack), see)


def _only_fills_in(event: Mapping[str, Any]) -> bool:
    """Return whether a step is the app's update after its import, as the provider's diff shows.

    The inputs do not show it, since secrets are marked differently.
    """
    metadata = (event.get("resourcePreEvent") or {}).get("metadata") or {}
    is_app = metadata.get("op") == "update" and str(metadata.get("urn")).endswith(f"::{service_plan.APP}")
    return is_app and metadata.get("diffs") == FORGOTTEN


def _problem(changes: Sequence[Change], stack: str) -> str:
    listed = ", ".join(dict.fromkeys(f"{each.op} {each.name}" for each in changes))
    why = f"the update would {listed}" if listed else "a resource differs from what the engine would import"
    return f"{stack} was not adopted, because {why}."


def _runs_already(name: str, services: Sequence[str]) -> bool:
    """Return whether a resource of this name represents something that was made by hand."""
    names = {"backend-app", *(f"{each}-{part}" for each in services for part in ("script", "subdomain", "domain"))}
    return name in names and any(service_plan.belongs_to_service(name, service) for service in services)


@contextmanager
def _configuration_written(engine: Engine, values: Mapping[str, str]) -> Iterator[None]:
    """Write the values to the stack's configuration; restore it if the block fails."""
    file = engine.stack.file
    before = file.read_bytes()
    words = [word for key, value in values.items() for word in ("--plaintext", f"{KEY}{key}={value}")]
    with stack_file.put_back(file, before):
        engine.run_checked("config", "set-all", "--path", *words, "--stack", engine.stack.name)
        yield
