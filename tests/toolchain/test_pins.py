"""The lock files: exact versions, complete, and without the address of a registry."""

from __future__ import annotations

import json
import re

import pytest

from toolchain import pins

REQUIREMENTS = [pins.PROJECT / "requirements.txt", pins.PROJECT / "requirements-dev.txt"]
WHEELS = sorted(pins.WHEELS.glob("*.txt"))


def pinned(text: str) -> dict[str, str]:
    """The packages of a requirements file with their exact versions; anything not pinned exactly is an error."""
    found = {}
    for line in text.splitlines():
        requirement = line.split("#")[0].strip().rstrip("\\").strip()
        if requirement and not requirement.startswith("-"):
            name, version = re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?==([\w.+!]+)(?: ; .*)?", requirement).groups()  # type: ignore[union-attr]
            found[name.lower().replace("_", "-").replace(".", "-")] = version
    return found


def test_every_direct_requirement_is_in_the_lock_at_its_version() -> None:
    locked = pinned(pins.LOCK.read_text())
    for file in REQUIREMENTS:
        for name, version in pinned(file.read_text()).items():
            assert locked.get(name) == version, f"{name} in {file.name}: run make lock"


@pytest.mark.parametrize("file", [pins.LOCK, *WHEELS], ids=lambda file: file.name)
def test_each_locked_python_package_has_hashes_and_no_address(file: object) -> None:
    text = pins.LOCK.read_text() if file == pins.LOCK else next(w for w in WHEELS if w == file).read_text()
    assert "://" not in text
    for entry in re.split(r"\n(?=[\w])", text.strip()):
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_each_node_package_has_a_checksum_and_no_address() -> None:
    packages = json.loads((pins.NODE_LOCK / "package-lock.json").read_text())["packages"]
    own = packages.pop("")
    wanted = json.loads((pins.NODE_LOCK / "package.json").read_text())["dependencies"]
    assert own["dependencies"] == wanted
    for place, package in packages.items():
        assert "integrity" in package, place
        assert "resolved" not in package, place
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_exactly_one_version_of_workerd_is_locked() -> None:
    """wrangler brings its own miniflare when the two pins do not match."""
    packages = json.loads((pins.NODE_LOCK / "package-lock.json").read_text())["packages"]
    for name in ("miniflare", "workerd"):
        assert [place for place in packages if place.endswith(f"node_modules/{name}")] == [f"node_modules/{name}"]


def test_the_go_modules_match_the_pinned_engine() -> None:
    engine = (pins.ENGINE_MOD / "go.mod").read_text()
    assert f"tool {pins.ENGINE_MODULE}\n" in engine
    assert f"github.com/pulumi/pulumi/pkg/v3 v{pins.ENGINE} " in engine
    assert f"{pins.SDK_MODULE} v{pins.ENGINE} " in engine
    assert f"tool {pins.LANGUAGE_HOST_MODULE}\n" in (pins.LANGHOST_MOD / "go.mod").read_text()
