"""Refuse code and files that hold an address of a backend, before anything changes; tell of other stacks' APIs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from artifacts.addresses import WHY, ApiAddresses, BackendAddresses, HostNames, Occurrence, fix, origin, places
from artifacts.contents import ArtifactError, packed_files
from lifecycle.naming import short
from settings import OtherStacks, Settings
from sources.checkout import Built, Module, Site
from stack_outputs import PinnedServices

MODULE = "worker.js"
"""What a module is called where it has no file of its own."""


def refuse_backend_addresses(
    settings: Settings,
    others: OtherStacks,
    deployed: Sequence[Built],
    instead: Mapping[Built, Path],
    kept: PinnedServices | None,
) -> None:
    """Raises ArtifactError that names each address in what is to be deployed, and where it stands.

    Addresses of the other stacks' backends count as well. `instead` has the files of a receipt by what they are
    deployed instead of. An api that is kept is looked at only where the backend is not: it would be left with the
    address of an app that may go.
    """
    addresses = BackendAddresses.of(settings.backend.app_name, app_names=others.app_names)
    complaints = [*_deployed(addresses, deployed, instead), *_archived(addresses, settings, kept)]
    if complaints:
        raise ArtifactError(". ".join(complaints))


def addresses_of_other_apis(
    others: OtherStacks, deployed: Sequence[Built], instead: Mapping[Built, Path]
) -> Iterator[str]:
    """A sentence for each site and each other stack whose API's address is written in its files.

    Nothing is refused: the address may be a mere text for people.
    """
    for site in (each for each in deployed if isinstance(each, Site)):
        for stack, hostnames in others.apis.items():
            addresses = ApiAddresses(hostnames)
            if site in instead:
                found, origins = list(_in_receipt(addresses, site, instead[site])), ""
            else:
                found = list(addresses.find_in_checkout(site.worker, site.project))
                origins = origin(list(addresses.find_in_sources(site.worker, site.project))) if found else ""
            if found:
                yield (
                    f"The address of the API of {stack} is written in the files of {site.service}: {places(found)}"
                    f"{origins}; where it is more than a text for people, these pages use the data of {stack}. Fix: "
                    f"{fix(site.service, site.worker)}"
                )


def _deployed(addresses: BackendAddresses, deployed: Sequence[Built], instead: Mapping[Built, Path]) -> Iterator[str]:
    for each in deployed:
        if not isinstance(each, Module | Site) or each.worker is None:
            continue
        kind = "code" if isinstance(each, Module) else "files"
        if each in instead:
            packed = instead[each]
            subject = f"{kind} of {each.service} that the receipt names ({short(packed.name)})"
            then = "release that in the stack that it is promoted from, then: oracle promote FROM TO"
            yield from _message(
                subject, list(_in_receipt(addresses, each, packed)), "", fix(each.service, each.worker), then
            )
        else:
            found = list(addresses.find_in_checkout(each.worker, each.project))
            origins = origin(list(addresses.find_in_sources(each.worker, each.project))) if found else ""
            then = f"then: oracle build {each.service}" if each.worker.build else "then try again"
            yield from _message(f"{kind} of {each.service}", found, origins, fix(each.service, each.worker), then)


def _archived(addresses: BackendAddresses, settings: Settings, kept: PinnedServices | None) -> Iterator[str]:
    if kept is None or "api" not in kept["services"] or "backend" in kept["services"]:
        return
    found = list(addresses.find(kept["api"].encode(), MODULE))
    yield from _message("code of api that runs", found, "", fix("api", settings.api), "then: oracle deploy api")


def _in_receipt(addresses: HostNames, built: Built, packed: Path) -> Iterator[Occurrence]:
    if isinstance(built, Module):
        yield from addresses.find(packed.read_bytes(), MODULE)
        return
    for name, content in packed_files(packed):
        yield from addresses.find(content, name)


def _message(subject: str, found: Sequence[Occurrence], origins: str, remedy: str, then: str) -> Iterator[str]:
    """One sentence for the problem, one for the reason and one for the fix; nothing where nothing was found."""
    if found:
        where = f"{places(found)}{origins}"
        yield f"The backend's address is written in the {subject}: {where}. {WHY}. Fix: {remedy}, {then}"
