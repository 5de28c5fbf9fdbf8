"""Constant data: regions, instance sizes, the account, its one project."""

from __future__ import annotations

from typing import Any

from localcloud.digitalocean.platform import ACCOUNT, DEFAULT_PROJECT

_REGIONS = {
    "ams": ("Amsterdam", "netherlands", "Europe", ["ams3"]),
    "atl": ("Atlanta", "usa", "North America", ["atl1"]),
    "blr": ("Bangalore", "india", "Asia", ["blr1"]),
    "fra": ("Frankfurt", "germany", "Europe", ["fra1"]),
    "lon": ("London", "uk", "Europe", ["lon1"]),
    "nyc": ("New York", "usa", "North America", ["nyc1", "nyc3"]),
    "sfo": ("San Francisco", "usa", "North America", ["sfo3"]),
    "sgp": ("Singapore", "singapore", "Asia", ["sgp1"]),
    "syd": ("Sydney", "australia", "Australia", ["syd1"]),
    "tor": ("Toronto", "canada", "North America", ["tor1"]),
}
# slug: (name, CPU type, CPUs, memory in MiB, dollars a month, tier)
_SIZES = {
    "basic-xxs": ("Basic XXS", "SHARED", "1", 512, "5.00", "basic"),
    "basic-xs": ("Basic XS", "SHARED", "1", 1024, "10.00", "basic"),
    "basic-s": ("Basic S", "SHARED", "1", 2048, "20.00", "basic"),
    "basic-m": ("Basic M", "SHARED", "2", 4096, "40.00", "basic"),
    "apps-s-1vcpu-0.5gb": ("Shared 1 vCPU 512 MiB", "SHARED", "1", 512, "5.00", "basic"),
    "apps-s-1vcpu-1gb": ("Shared 1 vCPU 1 GiB", "SHARED", "1", 1024, "12.00", "professional"),
    "apps-s-1vcpu-2gb": ("Shared 1 vCPU 2 GiB", "SHARED", "1", 2048, "25.00", "professional"),
    "apps-s-2vcpu-4gb": ("Shared 2 vCPU 4 GiB", "SHARED", "2", 4096, "50.00", "professional"),
    "apps-d-1vcpu-0.5gb": ("Dedicated 1 vCPU 512 MiB", "DEDICATED", "1", 512, "29.00", "professional"),
    "apps-d-1vcpu-1gb": ("Dedicated 1 vCPU 1 GiB", "DEDICATED", "1", 1024, "34.00", "professional"),
}


def region(slug: str) -> dict[str, Any]:
    """Return an App Platform region as in an app."""
    label, flag, continent, centers = _REGIONS[slug]
    shown: dict[str, Any] = {
        "slug": slug,
        "label": label,
        "flag": flag,
        "continent": continent,
        "data_centers": centers,
    }
    return shown | ({"default": True} if slug == "nyc" else {})


def regions() -> list[dict[str, Any]]:
    """Return all App Platform regions."""
    return [region(slug) for slug in _REGIONS]


def datacenters() -> list[dict[str, Any]]:
    """Return the data centers, as GET /v2/regions lists them."""
    listed = []
    for label, _, _, centers in _REGIONS.values():
        for center in centers:
            name = f"{label} {center[-1]}"
            listed.append({"slug": center, "name": name, "sizes": [], "available": True, "features": []})
    return listed


def size(slug: str) -> dict[str, Any] | None:
    """Return an instance size."""
    if slug not in _SIZES:
        return None
    name, cpu_type, cpus, memory, dollars, tier = _SIZES[slug]
    return {
        "name": name,
        "slug": slug,
        "cpu_type": cpu_type,
        "cpus": cpus,
        "memory_bytes": str(memory * 1024 * 1024),
        "usd_per_month": dollars,
        "usd_per_second": f"{float(dollars) / (28 * 24 * 3600):.10f}",
        "tier_slug": tier,
        "single_instance_only": tier == "basic",
    }


def sizes() -> list[dict[str, Any]]:
    """Return all instance sizes."""
    return [shown for slug in _SIZES if (shown := size(slug))]


def tier_of(spec: dict[str, Any]) -> str:
    """Return the tier of a spec's instance sizes."""
    slugs = {service.get("instance_size_slug", "basic-xxs") for service in spec.get("services", [])}
    tiers = {_SIZES[slug][5] for slug in slugs if slug in _SIZES}
    return "professional" if "professional" in tiers else "basic"


def price_of(spec: dict[str, Any]) -> float:
    """Return a spec's price in dollars a month."""
    slugs = [service.get("instance_size_slug", "basic-xxs") for service in spec.get("services", [])]
    return sum(float(_SIZES[slug][4]) for slug in slugs if slug in _SIZES)


def project() -> dict[str, Any]:
    """Return the account's one project."""
    return {
        "id": DEFAULT_PROJECT,
        "owner_uuid": ACCOUNT["uuid"],
        "owner_id": 1,
        "name": "local",
        "description": "Everything on the local cloud",
        "purpose": "Rehearsal",
        "environment": "Development",
        "is_default": True,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }
