"""Run all checks in parallel, with one deadline."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from cli.doctor import apis, backups, images, machine, names, stack_checks
from cli.doctor.model import Finding, again, from_error, secrets
from cli.engine import local_cloud
from cli.engine.workspace import Stack, exports
from cli.status import probe
from cli.status.probe import TimedOut
from errors import UserError
from settings import Settings

SECONDS = 15.0
Check = Callable[[], Iterable[Finding]]


def examine(stack: Stack, seconds: float = SECONDS) -> list[Finding]:
    """Return all findings, in the order of the checks and without secrets. Takes at most `seconds`."""
    settings, findings = stack_checks.configuration(stack)
    if not stack.file.is_file():
        return findings
    environment = {**os.environ, **_exports(stack)}
    checks = _checks(stack, settings, environment)
    hidden = secrets(environment)
    return [each.without(hidden) for each in [*findings, *run_checks(checks, seconds, stack.name)]]


def _checks(stack: Stack, settings: Settings | None, environment: Mapping[str, str]) -> dict[str, Check]:
    checks: dict[str, Check] = {
        "engine": partial(machine.toolchain, stack),
        "plugins": partial(machine.plugins, stack, environment),
        "direnv": partial(stack_checks.envrc, stack, environment),
        "state": partial(stack_checks.state, stack, environment),
    }
    if settings and stack.on_local_cloud and local_cloud.health(stack) is None:
        checks["cloud"] = lambda: [_stopped_cloud(stack)]
    elif settings:
        load = f"oracle up {stack.name}" if stack.on_local_cloud else "direnv allow"
        checks["digitalocean"] = partial(apis.digitalocean, stack, settings, environment, load)
        checks["cloudflare"] = partial(apis.cloudflare, stack, settings, environment, load)
        checks["image"] = partial(images.image, stack, settings, environment)
        checks["names"] = partial(names.owners, stack, settings, environment)
    if settings:
        checks["backups"] = partial(backups.store, stack, settings)
        checks["backup key"] = partial(backups.key, stack, settings, environment)
    return {**checks, "disk": partial(machine.disk, stack, environment)}


def _stopped_cloud(stack: Stack) -> Finding:
    """Return one finding for both clouds, because their tokens cannot be checked while the local cloud is stopped."""
    return Finding("cloud", "warn", f"the local cloud at {stack.endpoint} does not run", f"oracle up {stack.name}")


def run_checks(checks: Mapping[str, Check], seconds: float, stack: str) -> list[Finding]:
    """Run the checks and return their findings. A check that is late or fails is a finding too."""
    results = probe.gather_with_deadline(
        {name: partial(_findings, name, check, stack) for name, check in checks.items()}, seconds
    )
    late = f"no answer within {seconds:g} s"
    return [
        finding
        for name, result in results.items()
        for finding in ([Finding(name, "fail", late, again(stack))] if isinstance(result, TimedOut) else result)
    ]


def _findings(name: str, check: Check, stack: str) -> list[Finding]:
    findings: list[Finding] = []
    try:
        findings.extend(check())
    except UserError as error:
        findings.append(from_error(name, error, stack, again(stack)))
    except Exception as error:  # any failure, because the other checks' findings are still useful
        findings.append(Finding(name, "fail", f"could not be checked ({type(error).__name__})", again(stack)))
    return findings


def _exports(stack: Stack) -> dict[str, str]:
    try:
        return exports(stack)
    except UserError:
        return {}  # a tool is missing, which another check reports
