"""A Worker version to run on the edge: its modules, bindings, assets and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = Any


@dataclass(frozen=True, kw_only=True)
class Module:
    """One module of an uploaded script. `kind` is Miniflare's: ESModule, CommonJS, Text, Data, CompiledWasm, Script."""

    name: str
    kind: str
    file: Path


@dataclass(frozen=True, kw_only=True)
class Assets:
    """A folder of files; `config` may have html_handling, not_found_handling, run_worker_first (bool or list)."""

    directory: Path
    binding: str | None = None
    config: Mapping[str, Json] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    """Content types by the files' paths in the folder: "" for no type. Files not listed here get theirs from the name.
    """


@dataclass(frozen=True, kw_only=True)
class WorkerSpec:
    """A version to run. The first module is the main one; without modules it serves assets only."""

    modules: Sequence[Module]
    compatibility_date: str
    log: Path
    compatibility_flags: Sequence[str] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Mapping[str, Json] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
    storage: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Storage bindings by name: the kind ("kv") and the id of the namespace."""
    objects: Mapping[str, str] = field(default_factory=dict)
    """Durable Object classes and the ids of their namespaces. Only one version at a time can have them."""
    object_bindings: Mapping[str, str] = field(default_factory=dict)
    """The class of each Durable Object binding, by the binding's name."""
    assets: Assets | None = None
    cpu_ms: int | None = None
    """Processor time that a request may use; None means Cloudflare's default."""

    def wire(self) -> dict[str, Json]:
        """Return the form that edge.mjs reads."""
        assets = self.assets and {
            "directory": str(self.assets.directory),
            "binding": self.assets.binding,
            "config": dict(self.assets.config),
            "types": dict(self.assets.types),
        }
        return {
            "modules": [{"name": m.name, "kind": m.kind, "file": str(m.file)} for m in self.modules],
            "compatibility_date": self.compatibility_date,
            "compatibility_flags": list(self.compatibility_flags),
            "texts": dict(self.texts),
            "secrets": dict(self.secrets),
            "json": dict(self.json),
            "services": dict(self.services),
            "storage": dict(self.storage),
            "objects": dict(self.objects),
            "object_bindings": dict(self.object_bindings),
            "assets": assets,
            "cpu_ms": self.cpu_ms,
            "log": str(self.log),
        }


@dataclass(frozen=True, kw_only=True)
class WorkerInfo:
    """The exports of a loaded module: the default export's handlers, and [{name, handlers}] of the others."""

    handlers: list[str]
    named: list[dict[str, Json]]
    startup_ms: int
