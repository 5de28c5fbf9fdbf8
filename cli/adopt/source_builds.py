"""An app that App Platform builds from a repository: changes by a release, adopted alerts, refusals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from cli.adopt.model import Difference
from clients.app_platform import Source, alert, alerts_of
from errors import Fix, Remedy, UserError
from settings import AlertSettings, BackendSettings


def push_refusals(app: Mapping[str, Any]) -> Iterator[UserError]:
    """Yield a refusal if a push deploys the app: it would change the app outside this program, and empty its disk."""
    name, source = app["spec"]["name"], source_of(app)
    if source and source.deployed_on_push:
        edit = f"run `doctl apps spec get {app['id']} > spec.yaml`, then set deploy_on_push to false in spec.yaml"
        yield UserError(
            f"Each push to {source} deploys {name} outside Pulumi on an empty disk (deploy_on_push). A change of its "
            "spec deploys it once more.",
            Fix(
                f"doctl apps update {app['id']} --spec spec.yaml",
                first=f"back up its data, then {edit}",
                then=Remedy.RETRY,
            ),
        )


def source_of(app: Mapping[str, Any]) -> Source | None:
    """Return the source that the app's service is built from."""
    services = app["spec"].get("services") or [{}]
    return Source.of(services[0])


def source_differences(backend: BackendSettings, app: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the changes by the first release: an image in place of the build, and the image's start command."""
    source = source_of(app)
    if source and source.built:
        effect = f"runs the image {backend.image.repository}; then no push to {source.origin} deploys anything"
        yield Difference(key="backend: source", runs=None, declared=None, effect=f"{source}, built there: {effect}")
    command = (app["spec"].get("services") or [{}])[0].get("run_command")
    if command:
        effect = f"is started by its image, not by: {command}"
        yield Difference(key="backend: run_command", runs=None, declared=None, effect=effect)


def alerts_to_declare(backend: BackendSettings, app: Mapping[str, Any]) -> tuple[Mapping[str, object], ...]:
    """Return the app's alerts to declare, if the configuration has none of its own."""
    alerts = alerts_of(app["spec"], backend.service)
    return () if backend.alerts else tuple(each for each in alerts.values() if _declarable(each))


def alert_differences(backend: BackendSettings, app: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the alerts that the first release would drop, change or add."""
    running = alerts_of(app["spec"], backend.service)
    declared = {str(each.rule): alert(each.model_dump()) for each in backend.alerts}
    for rule in sorted({*running, *declared}):
        effect = ""
        if rule in running and not _declarable(running[rule]):
            effect = "an alert that cannot be declared: the first release is without it"
        elif declared and rule not in declared:
            effect = "an alert that is not declared: the first release is without it"
        elif rule not in running:
            effect = "a declared alert that the app does not have: the first release adds it"
        elif declared and running[rule] != declared[rule]:
            effect = "an alert with another threshold: the first release has the declared one"
        if effect:
            yield Difference(key=f"backend: alert {rule}", runs=None, declared=None, effect=effect)


def _declarable(values: Mapping[str, Any]) -> bool:
    try:
        AlertSettings.model_validate(values)
    except ValidationError:
        return False
    return True
