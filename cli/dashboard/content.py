"""The content of the page: plain data without markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cli.backups.stack_backups import Change
from cli.dashboard.graph import Graph
from storage.backups import Backup

LEVELS = ("healthy", "degraded", "down")
"""From best to worst. Any other level is shown as unknown."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A problem and its fix."""

    level: str
    what: str
    command: str = ""
    """The command to run next. Empty if nothing needs to be done."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A named value."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service with its facts and findings."""

    name: str
    level: str
    version: str = ""
    address: str = ""
    facts: Sequence[Fact] = ()
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run: a deploy, wipe, restore, …. Its times are ISO 8601 in UTC."""

    id: str
    kind: str
    who: str
    began: str
    ended: str = ""
    """Empty while it runs."""
    status: str = "running"
    error: str = ""
    """The error of a failed run."""
    chart: str = ""
    """The timeline, a whole SVG document. Empty without one."""
    output: str = ""
    """The end of its output."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """The content of the whole page.

    `problems` has the reason for each section that could not be read: services, runs, graph, backups, history.
    """

    stack: str
    at: str
    """The time of the content: ISO 8601 in UTC."""
    level: str
    services: Sequence[Service] = ()
    findings: Sequence[Finding] = ()
    """Findings that do not belong to a single service."""
    facts: Sequence[Fact] = ()
    runs: Sequence[Run] = ()
    graph: Graph = field(default_factory=Graph)
    backups: Sequence[Backup] = ()
    history: Sequence[Change] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
