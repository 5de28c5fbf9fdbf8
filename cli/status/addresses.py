"""Find the backend's address in the Workers' code, where it becomes invalid with the backend's next release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from artifacts.addresses import WHY, BackendAddresses, Occurrence, fix, places
from cli.status.clouds import PATIENCE
from cli.status.model import Finding
from clients.workers_api import Workers, WorkersApiError
from settings import Settings

Found = tuple[Occurrence, ...]
_CACHE: dict[tuple[str, str, BackendAddresses], Found] = {}
"""Results by script and version. A version's code does not change, so `--watch` downloads it once."""


def find_in_worker(
    endpoint: str, account: str, token: str | None, script: str, addresses: BackendAddresses, seconds: float
) -> Found | None:
    """Return the addresses in a Worker's running code. None if Cloudflare does not return the code."""
    if not token:
        return None
    try:
        with Workers(endpoint, account, token, timeout=seconds, patience=PATIENCE) as workers:
            key = (script, workers.version(script) or "", addresses)
            if key not in _CACHE:
                code = workers.modules(script)
                _CACHE[key] = tuple(each for name, text in code.items() for each in addresses.find(text, name))
            return _CACHE[key]
    except WorkersApiError:
        return None


def explain(script: str, found: Found) -> str:
    """Return the problem of such a Worker and its reason, one sentence each."""
    return f"{script} has the backend's address written in its code: {places(found)}. {WHY}."


def findings(settings: Settings, found: Mapping[str, Found | None], stack: str) -> Iterator[Finding]:
    """Yield a finding for each Worker whose code has such an address."""
    for name, each in found.items():
        if each:
            worker = settings.workers[name]
            what = f"{explain(worker.script, each)} The code should {fix(name, worker)}."
            yield Finding(about=name, level="degraded", what=what, next=next_command(name, stack))


def next_command(name: str, stack: str) -> str:
    """Return the command that deploys corrected code."""
    return f"oracle deploy {name} --stack {stack}"
