"""Check this machine: the engine, the plugins, the runtimes of the local cloud, and free disk space."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from cli.doctor.model import Finding, Level
from cli.engine.plugins import MARK, NAMES
from cli.engine.workspace import Stack
from programs import OutOfTime, run
from toolchain import tools

SECONDS = 8.0
GIGABYTE = 1_000_000_000
ROOM_WARN, ROOM_FAIL = 2 * GIGABYTE, GIGABYTE // 2


def toolchain(stack: Stack) -> Iterator[Finding]:
    """Check that the engine runs, and for the local cloud also Node, workerd and PocketBase."""
    try:
        located = tools.locate()
    except tools.ToolMissing as error:
        yield Finding("engine", "fail", error.problem.rstrip("."), "make tools")
        return
    yield _runs(
        "engine", f"Pulumi {located.engine_version} ({located.engine_source})", located.engine_bin / "pulumi", "version"
    )
    if not tools.is_current():
        yield Finding("engine", "warn", "the installed tools are not the pinned versions", "make tools")
    if not stack.on_local_cloud:
        return
    yield _runs("node", "", located.node, "--version")
    yield _runs("pocketbase", "", located.pocketbase, "--version")
    # npm installs it below miniflare's own modules or beside them.
    places = [located.node_modules / "workerd", located.node_modules / "miniflare" / "node_modules" / "workerd"]
    if any((place / "package.json").is_file() for place in places):
        yield Finding("workerd", "ok", "is installed")
    else:
        yield Finding("workerd", "fail", "the Workers runtime is not installed any more", "make tools")


def plugins(stack: Stack, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check the provider plugins in the stack's Pulumi home: official ones, or the project's offline plugins."""
    home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    kinds = {name: _kind(home, name) for name in NAMES}
    missing = [name for name, kind in kinds.items() if kind == "missing"]
    offline = [name for name, kind in kinds.items() if kind == "offline"]
    if offline and not stack.on_local_cloud:
        what = f"{', '.join(offline)}: offline plugins of this project, which work against this machine only"
        yield Finding("plugins", "fail", what, f"pulumi plugin rm resource {offline[0]} --yes")
    elif missing:
        get = f"oracle up {stack.name}" if stack.on_local_cloud else "pulumi install"
        yield Finding("plugins", "warn", f"not installed yet: {', '.join(missing)}", get)
    elif offline:
        yield Finding(
            "plugins", "ok", "offline plugins" if len(offline) == len(NAMES) else "official and offline plugins"
        )
    else:
        yield Finding("plugins", "ok", "official")


def disk(stack: Stack, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check the free disk space for the state, for temporary copies of backups, and for the local cloud."""
    for name, place in {
        "the project": stack.project,
        "temporary files": Path(environment.get("TMPDIR") or "/tmp"),
    }.items():
        try:
            free = shutil.disk_usage(place).free
        except OSError as error:
            yield Finding("disk", "fail", f"the folder of {name} cannot be used ({error.strerror})", "df -h")
            continue
        level: Level = "fail" if free < ROOM_FAIL else "warn" if free < ROOM_WARN else "ok"
        remedy = "" if level == "ok" else "du -sh .oracle/*"
        yield Finding("disk", level, f"{free / GIGABYTE:.1f} GB free for {name}", remedy)


def _kind(home: Path, name: str) -> str:
    folder = home / f"resource-{name}-v{metadata.version(f'pulumi-{name}')}"
    if not (folder / f"pulumi-resource-{name}").exists():
        return "missing"
    return "offline" if (folder / MARK).exists() else "official"


def _runs(check: str, what: str, program: Path, *arguments: str) -> Finding:
    """Return whether the program starts. Without `what`, the finding shows the program's output."""
    try:
        environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
        done = run([program, *arguments], env=environment, seconds=SECONDS)
    except OSError as error:
        return Finding(check, "fail", f"does not start ({error.strerror})", "make clean && make tools")
    except OutOfTime:
        return Finding(check, "fail", f"did not start within {SECONDS:g} s", "make clean && make tools")
    if done.status != 0:
        return Finding(check, "fail", f"does not run (status {done.status})", "make clean && make tools")
    return Finding(check, "ok", what or (done.text.strip().splitlines() or ["it runs"])[0])
