"""This machine's platform, in the names that each source of parts uses."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from toolchain.errors import ToolError


@dataclass(frozen=True)
class Platform:
    """A supported platform: `key` names cache folders, `pulumi` is the ending of Pulumi's release archives."""

    key: str
    system: str
    machine: str
    pulumi: str
    workerd: str


LINUX_X64 = Platform("linux-x64", "Linux", "x86_64", "linux-x64", "@cloudflare/workerd-linux-64")
LINUX_ARM64 = Platform("linux-arm64", "Linux", "arm64", "linux-arm64", "@cloudflare/workerd-linux-arm64")
MACOS_X64 = Platform("macos-x64", "Darwin", "x86_64", "darwin-x64", "@cloudflare/workerd-darwin-64")
MACOS_ARM64 = Platform("macos-arm64", "Darwin", "arm64", "darwin-arm64", "@cloudflare/workerd-darwin-arm64")

SUPPORTED = (LINUX_X64, LINUX_ARM64, MACOS_X64, MACOS_ARM64)

# The same processor has several names: aarch64 on Linux, arm64 on macOS, amd64 in some BSD tools.
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


def choose(system: str, machine: str) -> Platform:
    """Return the supported platform with these names, as from `platform.system()` and `platform.machine()`."""
    name = _MACHINES.get(machine.lower(), machine)
    for known in SUPPORTED:
        if (known.system, known.machine) == (system, name):
            return known
    raise ToolError(
        f"{system} on {machine} is not supported: this project runs on Linux and macOS, x86-64 and arm64.",
        "run `make up` on one of these (on Windows, inside WSL 2)",
    )


def host() -> Platform:
    """Return this machine's platform."""
    return choose(platform.system(), platform.machine())
