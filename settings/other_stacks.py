"""Names and addresses of a project's other stacks, which a stack must not use by mistake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from settings.errors import SettingsError
from settings.loading import from_file
from settings.model import Settings

FILES = "Pulumi.*.yaml"


@dataclass(frozen=True)
class OtherStacks:
    """The names of their backends' apps, and the host names of their APIs by stack."""

    app_names: frozenset[str]
    apis: Mapping[str, frozenset[str]]


def other_stacks(settings: Settings, project: Path) -> OtherStacks:
    """Read all stacks' files in a project's folder, without host names that the settings have too. An unreadable file
    adds nothing.
    """
    stacks = {file.name.split(".")[1]: other for file in sorted(project.glob(FILES)) if (other := _read(file))}
    own = _api_hostnames(settings)
    apis = {name: hostnames for name, other in stacks.items() if (hostnames := _api_hostnames(other) - own)}
    return OtherStacks(frozenset(other.backend.app_name for other in stacks.values()), apis)


def _read(file: Path) -> Settings | None:
    try:
        return from_file(file)
    except (SettingsError, OSError):
        return None


def _api_hostnames(settings: Settings) -> frozenset[str]:
    api = settings.api
    names = [
        urlsplit(settings.workers_url.format(script=api.script)).hostname if api.workers_dev else None,
        api.domain.hostname if api.domain else None,
    ]
    return frozenset(name for name in names if name)
