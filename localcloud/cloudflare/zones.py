"""Zones, DNS records, custom domains and routes: the hosts that lead to each Worker. No HTTP here."""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
from dataclasses import dataclass
from typing import Any

from localcloud.cloudflare import errors
from localcloud.cloudflare.errors import ApiError
from localcloud.cloudflare.records import Records
from localcloud.cloudflare.responses import now

Json = Any
FIRST_ZONES = ("oraclenet.localhost",)
SUBDOMAIN = "oracle"
HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
PATTERN = re.compile(r"(?:https?://)?([a-z0-9.-]+)(/\*)?")


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A domain of the account."""

    id: str
    name: str
    created_on: str


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A custom domain: a hostname that leads to a Worker."""

    id: str
    hostname: str
    script: str
    environment: str
    zone_id: str
    zone_name: str


@dataclass(frozen=True, kw_only=True)
class Route:
    """A pattern of a zone that leads to a Worker, or to none."""

    id: str
    zone_id: str
    pattern: str
    script: str | None


class Zones:
    """The account's zones and everything below them."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._store = records.store
        if records.fact("zones") is None:
            for name in FIRST_ZONES:
                self.add(name)
            records.set_fact("zones", "made")

    @property
    def subdomain(self) -> str:
        """The account's name below workers.localhost."""
        return self._records.fact("subdomain") or SUBDOMAIN

    def set_subdomain(self, name: str) -> None:
        """Rename the account's subdomain. Every Worker's addresses must be sent to the edge again."""
        self._records.set_fact("subdomain", name)

    def worker_host(self, script: str) -> str:
        """Return a Worker's own address."""
        return f"{script}.{self.subdomain}.workers.localhost"

    def hosts_of(self, script: str) -> list[str]:
        """Return the hosts of a Worker's custom domains and routes."""
        hosts = [domain.hostname for domain in self.domains() if domain.script == script]
        return hosts + [host_of(route.pattern) for route in self.routes() if route.script == script]

    # --- zones

    def all(self) -> list[Zone]:
        """Return all zones, by name."""
        return [_zone(row) for row in self._store.fetchall("SELECT * FROM cf_zones ORDER BY name")]

    def get(self, identifier: str) -> Zone:
        """Return a zone. Raises ApiError."""
        row = self._store.fetchone("SELECT * FROM cf_zones WHERE id = ?", (identifier,))
        if row is None:
            raise errors.no_zone(identifier)
        return _zone(row)

    def add(self, name: str) -> Zone:
        """Create a zone. Raises ApiError when the name is taken or no domain name."""
        if not HOST.fullmatch(name):
            raise ApiError(400, 1049, f"{name} is not a registered domain")
        if any(zone.name == name for zone in self.all()):
            raise ApiError(400, 1061, f"{name} already exists")
        made = Zone(id=uuid.uuid4().hex, name=name, created_on=now())
        self._store.execute("INSERT INTO cf_zones VALUES (?, ?, ?)", (made.id, made.name, made.created_on))
        return made

    def drop(self, identifier: str) -> None:
        """Delete a zone with its records, domains and routes."""
        self._store.execute("DELETE FROM cf_zones WHERE id = ?", (self.get(identifier).id,))

    def of_host(self, host: str) -> Zone | None:
        """Return the zone of a host: the one with the longest name."""
        fitting = [zone for zone in self.all() if host == zone.name or host.endswith("." + zone.name)]
        return max(fitting, key=lambda zone: len(zone.name), default=None)

    # --- DNS records, for conflicts with custom domains

    def dns(self, zone: str) -> list[dict[str, Json]]:
        """Return a zone's records as they were created."""
        rows = self._store.fetchall("SELECT * FROM cf_records WHERE zone = ? ORDER BY name", (zone,))
        return [{"id": row["id"], **json.loads(row["document"])} for row in rows]

    def add_dns(self, zone: str, record: dict[str, Json]) -> dict[str, Json]:
        """Store a record."""
        identifier = uuid.uuid4().hex
        values = (identifier, self.get(zone).id, str(record["name"]).lower(), json.dumps(record))
        self._store.execute("INSERT INTO cf_records VALUES (?, ?, ?, ?)", values)
        return {"id": identifier, **record}

    def drop_dns(self, zone: str, identifier: str) -> None:
        """Delete a record."""
        if not self._store.execute("DELETE FROM cf_records WHERE zone = ? AND id = ?", (zone, identifier)):
            raise ApiError(404, 81044, "Record does not exist.")

    # --- custom domains

    def domains(self) -> list[Domain]:
        """Return all custom domains, by hostname."""
        query = "SELECT d.*, z.name AS zone_name FROM cf_domains d JOIN cf_zones z ON z.id = d.zone ORDER BY d.hostname"
        return [_domain(row) for row in self._store.fetchall(query)]

    def domain(self, identifier: str) -> Domain:
        """Return a custom domain. Raises ApiError 100114."""
        attached = next((domain for domain in self.domains() if domain.id == identifier), None)
        if attached is None:
            raise ApiError(404, 100114, "This custom domain does not exist on your account.")
        return attached

    def attach(self, hostname: str, script: str, wanted: dict[str, Json]) -> Domain:
        """Attach a hostname to a Worker. `wanted` may have zone_id, zone_name, environment and the two overrides."""
        host = hostname.lower()
        zone = self._zone_for(host, wanted)
        if self._records.script(script) is None:
            raise errors.no_worker()
        known = next((domain for domain in self.domains() if domain.hostname == host), None)
        if known and known.script != script and not wanted.get("override_existing_origin"):
            message = f"Hostname {host} is already in use as a custom domain of Worker '{known.script}'."
            raise ApiError(409, 100116, message)
        clash = any(record["name"].lower() == host for record in self.dns(zone.id))
        if not known and clash and not wanted.get("override_existing_dns_record"):
            raise ApiError(
                409,
                100117,
                f"Hostname '{host}' already has externally managed DNS records (A, CNAME, etc). "
                "Either delete them, try a different hostname, or use the option 'override_existing_dns_record'.",
            )
        identifier = known.id if known else uuid.uuid4().hex
        environment = wanted.get("environment") or "production"
        self._store.execute(
            "INSERT OR REPLACE INTO cf_domains VALUES (?, ?, ?, ?, ?)", (identifier, host, script, environment, zone.id)
        )
        return self.domain(identifier)

    def _zone_for(self, host: str, options: dict[str, Json]) -> Zone:
        zone = self.get(options["zone_id"]) if options.get("zone_id") else self.of_host(host)
        named = options.get("zone_name")
        if zone is None or (named and named != zone.name) or not (host == zone.name or host.endswith("." + zone.name)):
            where = named or (zone.name if zone else "any zone of the account")
            raise ApiError(400, 100115, f"Hostname {host} is not in {where}.")
        return zone

    def detach(self, identifier: str) -> Domain:
        """Delete a custom domain and return it."""
        domain = self.domain(identifier)
        self._store.execute("DELETE FROM cf_domains WHERE id = ?", (identifier,))
        return domain

    # --- routes

    def routes(self, zone: str | None = None) -> list[Route]:
        """Return all routes, or those of one zone."""
        rows = self._store.fetchall("SELECT * FROM cf_routes ORDER BY pattern")
        return [_route(row) for row in rows if zone in (None, row["zone"])]

    def route(self, zone: str, identifier: str) -> Route:
        """Return a route. Raises ApiError 10009."""
        stored = next((route for route in self.routes(zone) if route.id == identifier), None)
        if stored is None:
            raise ApiError(404, 10009, "The requested route could not be found.")
        return stored

    def put_route(self, zone: str, identifier: str | None, pattern: str, script: str | None) -> Route:
        """Add or change a route."""
        within = self.get(zone)
        host = host_of(pattern)
        if not (host == within.name or host.endswith("." + within.name)):
            raise ApiError(400, 10022, f"Route pattern {pattern} is not in zone {within.name}.")
        if script is not None and self._records.script(script) is None:
            raise ApiError(400, 10019, f"Worker '{script}' of the route could not be found.")
        for other in self.routes(zone):
            if other.pattern == pattern and other.id != identifier:
                raise ApiError(409, 10020, "A route with the same pattern already exists.")
        made = Route(id=identifier or uuid.uuid4().hex, zone_id=zone, pattern=pattern, script=script)
        values = (made.id, made.zone_id, made.pattern, made.script)
        self._store.execute("INSERT OR REPLACE INTO cf_routes VALUES (?, ?, ?, ?)", values)
        return made

    def replace_routes(self, script: str, wanted: list[tuple[str, dict[str, Json]]]) -> list[Route]:
        """Replace the routes of a Worker by these patterns; each may name its zone by zone_id or zone_name."""
        with self._store.transaction():
            self._store.execute("DELETE FROM cf_routes WHERE script = ?", (script,))
            made = []
            for pattern, names in wanted:
                zone = self._zone_for(host_of(pattern), names)
                made.append(self.put_route(zone.id, None, pattern, script))
        return made

    def drop_route(self, zone: str, identifier: str) -> Route:
        """Delete a route and return it."""
        route = self.route(zone, identifier)
        self._store.execute("DELETE FROM cf_routes WHERE id = ?", (identifier,))
        return route


def host_of(pattern: str) -> str:
    """Return the host of a route: HOST or HOST/*. Raises ApiError 10022 for patterns that cannot be served here."""
    match = PATTERN.fullmatch(pattern.lower())
    if not match or not HOST.fullmatch(match[1]):
        raise ApiError(
            400, 10022, f"Route pattern {pattern} is not supported here: write HOST/* without other wildcards."
        )
    return match[1]


def _zone(row: sqlite3.Row) -> Zone:
    return Zone(id=row["id"], name=row["name"], created_on=row["created_on"])


def _route(row: sqlite3.Row) -> Route:
    return Route(id=row["id"], zone_id=row["zone"], pattern=row["pattern"], script=row["script"])


def _domain(row: sqlite3.Row) -> Domain:
    return Domain(
        id=row["id"],
        hostname=row["hostname"],
        script=row["script"],
        environment=row["environment"],
        zone_id=row["zone"],
        zone_name=row["zone_name"],
    )
