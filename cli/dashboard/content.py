"""What the page shows, gathered: plain facts without any markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cli.backups.stack_backups import Change
from cli.dashboard.graph import Graph
from storage.backups import Backup

LEVELS = ("healthy", "degraded", "down")
"""From best to worst; any other level is shown as unknown."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is not as it should be."""

    level: str
    what: str
    command: str = ""
    """What to type next; empty when nothing is to be done."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Service:
    name: str
    level: str
    version: str = ""
    address: str = ""
    facts: Sequence[Fact] = ()
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, kw_only=True)
class Run:
    """A deploy, wipe, restore, …; times are ISO 8601 in UTC."""

    id: str
    kind: str
    who: str
    began: str
    ended: str = ""
    """Empty while it runs."""
    status: str = "running"
    error: str = ""
    """What went wrong."""
    chart: str = ""
    """The timeline, a whole SVG document; empty when there is none."""
    output: str = ""
    """The end of what it printed."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """`problems`: for each section that could not be read (services, runs, graph, backups, history), why not."""

    stack: str
    at: str
    """When this was so: ISO 8601 in UTC."""
    level: str
    services: Sequence[Service] = ()
    findings: Sequence[Finding] = ()
    """Those that belong to no single service."""
    facts: Sequence[Fact] = ()
    runs: Sequence[Run] = ()
    graph: Graph = field(default_factory=Graph)
    backups: Sequence[Backup] = ()
    history: Sequence[Change] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
