"""The dependencies of a build: which lock file is used, when it is installed, and the errors."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.builds.builds import Build, run_builds
from cli.ui.errors import CommandError
from tests.support import npm
from tests.support.errors import refused

LOCKS = {
    "bun": "bun.lock",
    "pnpm": "pnpm-lock.yaml",
    "yarn": "yarn.lock",
    "npm": "package-lock.json",
}
TRACES = {"pnpm": ".modules.yaml", "yarn": ".yarn-integrity", "npm": ".package-lock.json"}
# A double of a package manager: it notes its words and what it sees, and leaves what the real one leaves.
STUB = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
env > "$CALLS.environment"
test ! -e refuse || { echo "lockfile had changes, but lockfile is frozen"; exit 1; }
mkdir -p node_modules
"""


@dataclass(frozen=True)
class Checkout:
    folder: Path

    @property
    def log(self) -> Path:
        return self.folder.parent / "build.log"

    @property
    def calls(self) -> list[str]:
        """What the package managers were asked, each call once."""
        calls = self.folder.parent / "calls"
        said = calls.read_text().splitlines() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return said

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def dated(self, name: str, seconds: int) -> None:
        os.utime(self.folder / name, (seconds, seconds))

    def build(self, command: str = "echo built") -> list[str]:
        wanted = Build("web", self.folder, command, self.log, records=self.folder.parent / "records")
        [done] = run_builds([wanted])
        return list(done.report("prod"))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A checkout with a manifest, and doubles of all package managers on PATH."""
    made = Checkout(tmp_path / "checkout")
    made.write("package.json", "{}")
    for name in LOCKS:
        stub = tmp_path / "bin" / name
        stub.parent.mkdir(exist_ok=True)
        trace = f"touch node_modules/{TRACES[name]}\n" if name in TRACES else ""
        stub.write_text(STUB + trace)
        stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return made


@pytest.mark.parametrize(
    "lock, content, command",
    [
        ("bun.lock", "", "bun install --frozen-lockfile"),
        ("bun.lockb", "", "bun install --frozen-lockfile"),
        ("pnpm-lock.yaml", "", "pnpm install --frozen-lockfile"),
        ("yarn.lock", "# yarn lockfile v1\n", "yarn install --frozen-lockfile"),
        ("yarn.lock", "__metadata:\n  version: 8\n", "yarn install --immutable"),
        ("package-lock.json", "{}", "npm ci --include=dev --no-audit --no-fund"),
        ("npm-shrinkwrap.json", "{}", "npm ci --include=dev --no-audit --no-fund"),
    ],
)
def test_each_lock_file_is_installed_once_by_its_own_manager(
    checkout: Checkout, lock: str, content: str, command: str
) -> None:
    checkout.write(lock, content)
    assert checkout.build() == [f"Dependencies of web installed: {command} ({lock})", "Built: web"]
    assert checkout.log.read_text() == f"{command} ({lock})\nbuilt\n"
    assert checkout.build() == ["Built: web"]
    assert checkout.calls == [command]


def changed(checkout: Checkout) -> None:
    checkout.write("bun.lock", "another")


def gone(checkout: Checkout) -> None:
    (checkout.folder / "node_modules").rmdir()


def other(checkout: Checkout) -> None:
    """Somebody has installed something else in the same place."""
    checkout.write("node_modules/other/package.json", "{}")
    checkout.dated("node_modules", 7)


@pytest.mark.parametrize("change", [changed, gone, other])
def test_missing_or_outdated_packages_are_installed_again(
    checkout: Checkout, change: Callable[[Checkout], object]
) -> None:
    checkout.write("bun.lock", "one")
    checkout.build()
    change(checkout)
    checkout.build()
    checkout.build()
    assert len(checkout.calls) == 2


@pytest.mark.parametrize("name", sorted(TRACES))
def test_a_developers_own_install_counts_when_newer_than_the_lock_file(checkout: Checkout, name: str) -> None:
    checkout.write(LOCKS[name], "one")
    checkout.write(f"node_modules/{TRACES[name]}", "")
    checkout.dated(LOCKS[name], 1000)
    checkout.dated(f"node_modules/{TRACES[name]}", 1001)
    checkout.build()
    assert checkout.calls == []
    checkout.dated(LOCKS[name], 1002)
    checkout.build()
    assert len(checkout.calls) == 1


def test_packages_installed_from_another_lock_file_are_accepted(checkout: Checkout) -> None:
    """A team's lock files may be of several managers, of which only one is on this machine."""
    checkout.write("bun.lock", "")
    checkout.write("package-lock.json", "{}")
    checkout.write("node_modules/.package-lock.json", "{}")
    checkout.build()
    assert checkout.calls == []


def test_the_manifest_chooses_between_several_lock_files(checkout: Checkout) -> None:
    for lock in LOCKS.values():
        checkout.write(lock, "")
    checkout.write("package.json", json.dumps({"packageManager": "pnpm@10.1.0+sha512.abc"}))
    checkout.build()
    assert checkout.calls == ["pnpm install --frozen-lockfile"]


def test_a_lock_file_that_lacks_a_package_of_the_manifest_is_skipped(checkout: Checkout) -> None:
    for lock in LOCKS.values():
        checkout.write(lock, "vite")
    checkout.write("pnpm-lock.yaml", "vite\nthree\n")
    checkout.write("package.json", json.dumps({"dependencies": {"three": "1"}, "devDependencies": {"vite": "1"}}))
    checkout.build()
    assert checkout.calls == ["pnpm install --frozen-lockfile"]


@pytest.mark.parametrize(
    "manifest", ["{}", "[]", "no JSON", '{"dependencies": {"in none of them": "1"}}', '{"packageManager": "deno@2"}']
)
def test_without_a_hint_the_first_lock_file_is_used(checkout: Checkout, manifest: str) -> None:
    for lock in LOCKS.values():
        checkout.write(lock, "")
    checkout.write("package.json", manifest)
    checkout.build()
    assert checkout.calls == ["bun install --frozen-lockfile"]


@pytest.mark.parametrize(
    "command", ["npm ci && true", "true; pnpm --silent install; true", "yarn --version; yarn && true", "bun i; true"]
)
def test_a_build_that_installs_its_own_packages_gets_none(checkout: Checkout, command: str) -> None:
    checkout.write("bun.lock", "")
    checkout.build(command)
    assert "bun install --frozen-lockfile" not in checkout.calls


@pytest.mark.parametrize("command", ["npm run install:none || true", "bun run build", "yarn build; npm --version"])
def test_a_build_that_does_not_install_gets_its_packages_before(checkout: Checkout, command: str) -> None:
    checkout.write("package-lock.json", "{}")
    checkout.build(command)
    assert checkout.calls[0] == "npm ci --include=dev --no-audit --no-fund"


def test_a_source_without_lock_file_or_manifest_gets_no_packages(checkout: Checkout) -> None:
    checkout.build()
    (checkout.folder / "package.json").unlink()
    checkout.write("yarn.lock", "")
    checkout.build()
    assert checkout.calls == []


@pytest.mark.parametrize("name", sorted(LOCKS))
def test_the_error_of_a_missing_package_manager_says_how_to_get_it(
    checkout: Checkout, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.write(LOCKS[name], "")
    (checkout.folder.parent / "bin" / name).unlink()
    monkeypatch.setenv("PATH", str(checkout.folder.parent / "bin"))
    with refused(
        rf"^{name} is not on PATH, and web needs it to install {LOCKS[name]}\. "
        r"Fix: (run `npm install|install Node) .*, "
        r"then run `oracle build web --stack prod`\.$"
    ):
        checkout.build()


def test_a_failed_install_is_reported_and_tried_again(checkout: Checkout) -> None:
    checkout.write("pnpm-lock.yaml", "")
    checkout.write("refuse", "")
    with refused(
        r"is frozen\nThe dependencies of web were not installed: pnpm install .* ended with status 1\. Fix: correct"
    ):
        checkout.build("touch built")
    assert not (checkout.folder / "built").exists()
    (checkout.folder / "refuse").unlink()
    checkout.build()
    assert len(checkout.calls) == 2


def test_installs_and_builds_do_not_see_cloud_credentials(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DIGITALOCEAN_TOKEN", "CLOUDFLARE_API_TOKEN", "AWS_SECRET_ACCESS_KEY", "PULUMI_CONFIG_PASSPHRASE"):
        monkeypatch.setenv(name, "planted")
    monkeypatch.setenv("NODE_ENV", "production")
    monkeypatch.setenv("NODE_AUTH_TOKEN", "kept")
    checkout.write("package-lock.json", "{}")
    checkout.build("env > ../environment")
    seen = {name: (checkout.folder.parent / name).read_text() for name in ("calls.environment", "environment")}
    assert all("planted" not in each and "NODE_AUTH_TOKEN=kept" in each for each in seen.values())
    assert "NODE_ENV" not in seen["calls.environment"], "it would leave out what builds need"
    assert "CI=true" in seen["calls.environment"]


def test_two_services_in_one_folder_install_once(checkout: Checkout) -> None:
    checkout.write("bun.lock", "")
    records = checkout.folder.parent / "records"
    wanted = [
        Build(name, checkout.folder, "true", checkout.folder.parent / f"{name}.log", records=records)
        for name in ("web", "universe")
    ]
    assert [done.service for done in run_builds(wanted)] == ["web", "universe"]
    assert len(checkout.calls) == 1


def test_npm_installs_a_real_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is a file, so no registry is asked; it is a development dependency, which builds need."""
    monkeypatch.setenv("PATH", npm.path(tmp_path / "bin"))
    monkeypatch.setenv("NODE_ENV", "production")
    checkout = Checkout(tmp_path / "checkout")
    checkout.write("package.json", json.dumps({"devDependencies": {"greeting": "file:../greeting.tgz"}}))
    for version, said in (("1.0.0", "hello"), ("2.0.0", "hi")):
        manifest = json.dumps({"name": "greeting", "version": version})
        (tmp_path / "greeting.tgz").write_bytes(npm.package(manifest, f"module.exports = {said!r}"))
        lock(checkout, version)
        lines = checkout.build("node -e 'console.log(require(\"greeting\"))'")
        assert lines[0].startswith("Dependencies of web installed: npm ci ")
        assert checkout.log.read_text().splitlines()[-1] == said
        assert checkout.build("node -e 'console.log(require(\"greeting\"))'") == ["Built: web"]
    shutil.rmtree(checkout.folder / "node_modules")
    assert len(checkout.build("test -d node_modules/greeting")) == 2
    checkout.write("package.json", json.dumps({"dependencies": {"other": "1.0.0"}}))
    shutil.rmtree(checkout.folder / "node_modules")
    with pytest.raises(CommandError, match=r"npm error code EUSAGE(.|\n)*Missing: other@1.0.0 from lock file"):
        checkout.build()


def lock(checkout: Checkout, version: str) -> None:
    packages = {
        "": {"devDependencies": {"greeting": "file:../greeting.tgz"}},
        "node_modules/greeting": {"version": version, "resolved": "file:../greeting.tgz", "dev": True},
    }
    checkout.write("package-lock.json", json.dumps({"lockfileVersion": 3, "requires": True, "packages": packages}))
