"""Refuse code and files that contain a backend's address, and warn of addresses of other stacks' APIs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from artifacts.addresses import WHY, ApiAddresses, BackendAddresses, HostNames, Occurrence, fix, origin, places
from artifacts.contents import packed_files
from errors import STACK, First, Fix, Help, Remedy, UserError, UserErrors
from settings import OtherStacks, Settings, WorkerSettings
from sources.checkout import Built, Module, Site
from stack_outputs import PinnedServices, short_digest

MODULE = "worker.js"
"""The file name in messages about a module without a file."""


def refuse_backend_addresses(
    settings: Settings,
    others: OtherStacks,
    deployed: Sequence[Built],
    instead: Mapping[Built, Path],
    pinned: PinnedServices | None,
) -> None:
    """Raises UserErrors with an error for each service with an address of a backend, and the places.

    Addresses of the other stacks' backends count too. `instead` has the receipt's files by the build that they replace.
    `pinned` has the services that this update does not deploy. Its api is checked only if the backend is deployed: it
    would have the address of an app that may be deleted.
    """
    addresses = BackendAddresses.of(settings.backend.app_name, app_names=others.app_names)
    problems = [*_deployed(addresses, deployed, instead), *_running_api(addresses, settings, pinned)]
    if problems:
        raise UserErrors(problems)


def addresses_of_other_apis(
    others: OtherStacks, deployed: Sequence[Built], instead: Mapping[Built, Path]
) -> Iterator[UserError]:
    """Yield a warning for each site whose files contain the address of another stack's API.

    It is not raised: the address may be a text for people.
    """
    for site in (each for each in deployed if isinstance(each, Site)):
        for stack, hostnames in others.apis.items():
            addresses = ApiAddresses(hostnames)
            if site in instead:
                hits, origins = list(_in_receipt(addresses, site, instead[site])), ""
            else:
                hits = list(addresses.find_in_checkout(site.worker, site.project))
                origins = origin(list(addresses.find_in_sources(site.worker, site.project))) if hits else ""
            if hits:
                yield UserError(
                    f"The address of the API of {stack} is written in the files of {site.service}: {places(hits)}"
                    f"{origins}. If it is more than a text for people, these pages use the data of {stack}.",
                    First(fix(site.service, site.worker)),
                )


def _deployed(
    addresses: BackendAddresses, deployed: Sequence[Built], instead: Mapping[Built, Path]
) -> Iterator[UserError]:
    for each in deployed:
        if not isinstance(each, Module | Site) or each.worker is None:
            continue
        kind = "code" if isinstance(each, Module) else "files"
        if each in instead:
            packed = instead[each]
            subject = f"{kind} of {each.service} that the receipt names ({short_digest(packed.name)})"
            first = f"{fix(each.service, each.worker)}, and deploy that in the stack that it is promoted from"
            promote = Fix(f"oracle promote FROM {STACK}", first=first)
            yield from _errors(subject, list(_in_receipt(addresses, each, packed)), "", promote)
        else:
            hits = list(addresses.find_in_checkout(each.worker, each.project))
            origins = origin(list(addresses.find_in_sources(each.worker, each.project))) if hits else ""
            yield from _errors(f"{kind} of {each.service}", hits, origins, _rebuild(each.service, each.worker))


def _rebuild(service: str, worker: WorkerSettings) -> Help:
    """Return how to correct a service's sources."""
    first = fix(service, worker)
    if not worker.build:
        return First(first, Remedy.RETRY)
    return Fix(f"oracle build {service} --stack {STACK}", first=first, then=Remedy.RETRY)


def _running_api(addresses: BackendAddresses, settings: Settings, pinned: PinnedServices | None) -> Iterator[UserError]:
    if pinned is None or "api" not in pinned["services"] or "backend" in pinned["services"]:
        return
    hits = list(addresses.find(pinned["api"].encode(), MODULE))
    deploy = Fix(f"oracle deploy api --stack {STACK}", first=fix("api", settings.api))
    yield from _errors("code of api that runs", hits, "", deploy)


def _in_receipt(addresses: HostNames, built: Built, packed: Path) -> Iterator[Occurrence]:
    if isinstance(built, Module):
        yield from addresses.find(packed.read_bytes(), MODULE)
        return
    for name, content in packed_files(packed):
        yield from addresses.find(content, name)


def _errors(subject: str, hits: Sequence[Occurrence], origins: str, help: Help) -> Iterator[UserError]:
    """Yield the error for these hits; nothing without hits."""
    if hits:
        where = f"{places(hits)}{origins}"
        yield UserError(f"The backend's address is written in the {subject}: {where}. {WHY}.", help)
