"""Which machine this is, in the words of each place that parts come from."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from toolchain.errors import ToolError


@dataclass(frozen=True)
class Platform:
    """One supported machine: `key` names cache folders, `pulumi` is the ending of Pulumi's release archives."""

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

# The same processor has several names: Linux says aarch64, macOS arm64, some BSD-born tools amd64.
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


def choose(system: str, machine: str) -> Platform:
    """The supported platform with these names, as `platform.system()` and `platform.machine()` give them."""
    wanted = _MACHINES.get(machine.lower(), machine)
    for known in SUPPORTED:
        if (known.system, known.machine) == (system, wanted):
            return known
    raise ToolError(
        f"{system} on {machine} is not supported: this project runs on Linux and macOS, x86-64 and arm64.",
        "make up, on one of those (Windows: inside WSL 2)",
    )


def host() -> Platform:
    """This machine's platform."""
    return choose(platform.system(), platform.machine())
