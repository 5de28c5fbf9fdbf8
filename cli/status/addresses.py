"""Addresses of the backend in the code that the Workers run: they lead nowhere after its next release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from artifacts.addresses import WHY, BackendAddresses, Occurrence, fix, places
from cli.status.clouds import PATIENCE
from cli.status.model import Finding
from clients.workers_api import Workers, WorkersApiError
from settings import Settings

Found = tuple[Occurrence, ...]
_KNOWN: dict[tuple[str, str, BackendAddresses], Found] = {}
"""By script and version, whose code never changes: `--watch` downloads it once."""


def find_in_worker(
    endpoint: str, account: str, token: str | None, script: str, addresses: BackendAddresses, seconds: float
) -> Found | None:
    """The addresses in the code that a Worker runs; None where Cloudflare does not tell."""
    if not token:
        return None
    try:
        with Workers(endpoint, account, token, timeout=seconds, patience=PATIENCE) as workers:
            known = (script, workers.version(script) or "", addresses)
            if known not in _KNOWN:
                code = workers.modules(script)
                _KNOWN[known] = tuple(each for name, text in code.items() for each in addresses.find(text, name))
            return _KNOWN[known]
    except WorkersApiError:
        return None


def explain(script: str, found: Found) -> str:
    """The problem of such a Worker and its reason, a sentence each."""
    return f"{script} has the backend's address written in its code: {places(found)}. {WHY}."


def findings(settings: Settings, found: Mapping[str, Found | None], stack: str) -> Iterator[Finding]:
    """One finding for each Worker whose code has such an address."""
    for name, each in found.items():
        if each:
            what = f"{explain(settings.workers[name].script, each)} Fix: {fix(name, settings.workers[name])}."
            yield Finding(about=name, level="degraded", what=what, next=next_command(name, stack))


def next_command(name: str, stack: str) -> str:
    """The deploy that puts other code in its place."""
    return f"oracle deploy {name} --stack {stack}"
