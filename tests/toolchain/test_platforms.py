"""The platform table: each supported machine with all its names."""

from __future__ import annotations

import json

import pytest

from toolchain import installer, pins, platforms
from toolchain.errors import ToolError

NAMES = [
    ("Linux", "x86_64", "linux-x64", "linux-x64"),
    ("Linux", "amd64", "linux-x64", "linux-x64"),
    ("Linux", "aarch64", "linux-arm64", "linux-arm64"),
    ("Linux", "arm64", "linux-arm64", "linux-arm64"),
    ("Darwin", "x86_64", "macos-x64", "darwin-x64"),
    ("Darwin", "arm64", "macos-arm64", "darwin-arm64"),
]


@pytest.mark.parametrize("system,machine,key,ending", NAMES)
def test_each_machine_has_its_cache_key_and_release_archive(system: str, machine: str, key: str, ending: str) -> None:
    chosen = platforms.choose(system, machine)
    assert chosen.key == key
    assert installer.archive_name(chosen) == f"pulumi-v{pins.ENGINE}-{ending}.tar.gz"


@pytest.mark.parametrize("chosen", platforms.SUPPORTED, ids=lambda chosen: chosen.key)
def test_the_node_lock_has_a_workerd_for_each_platform(chosen: platforms.Platform) -> None:
    lock = json.loads((pins.NODE_LOCK / "package-lock.json").read_text())
    entry = lock["packages"][f"node_modules/{chosen.workerd}"]
    system, machine = (
        {"Linux": "linux", "Darwin": "darwin"}[chosen.system],
        {"x86_64": "x64"}.get(chosen.machine, chosen.machine),
    )
    assert (entry["os"], entry["cpu"]) == ([system], [machine])


@pytest.mark.parametrize(
    "system,machine", [("Windows", "AMD64"), ("Linux", "riscv64"), ("Linux", "i686"), ("FreeBSD", "amd64")]
)
def test_an_unsupported_machine_is_refused_in_one_sentence(system: str, machine: str) -> None:
    with pytest.raises(ToolError, match=f"{system} on {machine} is not supported") as told:
        platforms.choose(system, machine)
    assert " Fix: run `make up` on one of these" in str(told.value)


def test_this_machine_is_supported() -> None:
    assert platforms.host() in platforms.SUPPORTED
