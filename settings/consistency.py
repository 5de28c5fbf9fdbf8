"""Checks across the sections of a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError
from typing import TYPE_CHECKING

from errors import STACK, Fix, RemoveKey, SetKey
from settings.section import EDIT, PROJECT, InvalidSetting
from settings.workers import ModuleSettings, bound_workers, given_by_the_program

if TYPE_CHECKING:
    from settings.model import Settings

OURS = ("PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD", "RELEASE", "GENERATION", "BACKEND", "STACK")
"""Variables that the program sets in the backend's app."""
REPLICA_OURS = ("REPLICA_COMMAND", "REPLICA_CONFIG", "REPLICA_SCRIPT")
"""Variables that the program also sets if the image has Litestream."""
LITESTREAM_PREFIX = "LITESTREAM_"
"""The prefix of the variables from which Litestream reads a bucket's keys (cmd/litestream/main.go)."""


def inconsistencies(settings: Settings) -> Iterator[InvalidSetting]:
    """Yield the problems of a configuration of which every section alone is valid."""
    yield from _script_problems(settings)
    yield from _secret_problems(settings)
    for name, worker in settings.modules.items():
        yield from _binding_problems(settings, name, worker)
    yield from _order_problems(settings)
    yield from _variable_problems(settings)
    yield from _replica_problems(settings)
    yield from _alert_problems(settings)
    yield from _adoption_problems(settings)
    yield from _receipt_problems(settings)


def _script_problems(settings: Settings) -> Iterator[InvalidSetting]:
    scripts: dict[str, str] = {}
    for name, worker in settings.workers.items():
        other = scripts.setdefault(worker.script, name)
        if other != name:
            yield InvalidSetting(
                f"The Workers {other} and {name} have the same script name, so one would overwrite the other.",
                SetKey(f"{PROJECT}:workers.{name}.script", "NAME"),
            )


def _secret_problems(settings: Settings) -> Iterator[InvalidSetting]:
    for name in settings.worker_secrets:
        if name not in settings.modules:
            yield InvalidSetting(
                f"workerSecrets has secrets for {name}, but no Worker with a module has that name.",
                RemoveKey(f"{PROJECT}:workerSecrets.{name}"),
            )


def _binding_problems(settings: Settings, name: str, worker: ModuleSettings) -> Iterator[InvalidSetting]:
    secrets = settings.worker_secrets.get(name, {})
    twice = {*worker.bindings, *secrets} & {*given_by_the_program(name)} or {*worker.bindings} & {*secrets}
    if twice:
        section = f"workers.{name}.bindings" if min(twice) in worker.bindings else f"workerSecrets.{name}"
        yield InvalidSetting(
            f"{min(twice)} is a binding of {name} twice; it would get only one of the values.",
            RemoveKey(f"{PROJECT}:{section}.{min(twice)}"),
        )
    for binding, (key, other) in sorted(bound_workers(worker).items()):
        if other == name or other not in settings.workers:
            which = "itself" if other == name else "no Worker of this stack"
            yield InvalidSetting(
                f"{name} is bound to {other}, which is {which}.",
                SetKey(f"{PROJECT}:workers.{name}.bindings.{binding}.{key}", "WORKER"),
            )


def _order_problems(settings: Settings) -> Iterator[InvalidSetting]:
    try:
        settings.made_in_order()
    except CycleError as error:
        circle = " > ".join(error.args[1])
        yield InvalidSetting(
            f"Workers are bound to each other in a circle ({circle}), so none of them can be created first.", EDIT
        )


def _variable_problems(settings: Settings) -> Iterator[InvalidSetting]:
    backend, secrets = settings.backend, settings.backend_secrets
    ours = (*OURS, *(REPLICA_OURS if backend.replica else ()))
    for name in (*ours, *backend.env):
        if name in secrets or (name in ours and name in backend.env):
            section = "backendSecrets" if name in secrets else "backend.env"
            yield InvalidSetting(
                f"{name} is a variable of the backend twice; it would get only one of the values.",
                RemoveKey(f"{PROJECT}:{section}.{name}"),
            )


def _replica_problems(settings: Settings) -> Iterator[InvalidSetting]:
    backend = settings.backend
    names = [name for name in (*backend.env, *settings.backend_secrets) if name.startswith(LITESTREAM_PREFIX)]
    if names and backend.replica is None and backend.adopted is None:
        yield InvalidSetting(
            f"The backend gets {names[0]}, so its image has Litestream, and two of its apps would copy their databases "
            "to one place.",
            SetKey(f"{PROJECT}:backend.replica.config", "/etc/litestream.yml"),
        )


def _alert_problems(settings: Settings) -> Iterator[InvalidSetting]:
    rules = [alert.rule for alert in settings.backend.alerts]
    for index, rule in enumerate(rules):
        if rule in rules[:index]:
            yield InvalidSetting(
                f"The backend has two alerts with the rule {rule}, and DigitalOcean accepts one.",
                RemoveKey(f"{PROJECT}:backend.alerts[{index}]"),
            )


def _adoption_problems(settings: Settings) -> Iterator[InvalidSetting]:
    defaults = {"generation": 1, "replacement": 1, "restart": 0, "restore_from": None}
    changed = [name for name, default in defaults.items() if getattr(settings, name) != default]
    if settings.backend.adopted and changed:
        keys = ["restoreFrom" if name == "restore_from" else name for name in changed]
        removed = " ".join(f"{PROJECT}:{key}" for key in keys)
        yield InvalidSetting(
            f"The configuration has {' and '.join(keys)}, but the backend was adopted and not released since.",
            Fix(
                f"pulumi config rm-all {removed} --stack {STACK}",
                then=f"oracle deploy backend --stack {STACK}",
            ),
        )


def _receipt_problems(settings: Settings) -> Iterator[InvalidSetting]:
    if settings.receipt is None:
        return
    if settings.adopted:
        yield InvalidSetting(
            "A receipt names the bytes of every service, but these services were adopted and not released since: "
            f"{', '.join(settings.adopted)}.",
            Fix(f"pulumi config rm {PROJECT}:receipt --stack {STACK}", then=f"oracle deploy --stack {STACK}"),
        )
    if {*settings.receipt.workers} != {*settings.workers}:
        differing = sorted({*settings.receipt.workers} ^ {*settings.workers})
        yield InvalidSetting(
            f"{PROJECT}:receipt.workers and {PROJECT}:workers name different Workers ({', '.join(differing)}).",
            Fix(f"oracle promote FROM {STACK}", first="configure the same Workers in both stacks"),
            RemoveKey(f"{PROJECT}:receipt"),
        )
