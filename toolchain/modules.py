"""The engine built from its Go modules, for machines that reach package registries but not Pulumi's own downloads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from toolchain import cache, pins
from toolchain.errors import DiskFull, ToolError
from toolchain.golang import Go, go
from toolchain.progress import Step
from toolchain.run import Command, output

# The language host's scripts, by their paths in the SDK's module.
SCRIPTS = ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python")
# The measured need of a build from nothing, on 2 cores.
ROOM = 5 * 1024**3
ABOUT = "5 to 8 minutes, once"


def build(folder: Path) -> None:
    """Build the engine, its Python language host and the host's scripts into `folder`."""
    _check_room(folder)
    scratch = folder.parent
    with Step(f"Pulumi engine {pins.ENGINE} from its Go modules ({ABOUT})") as step, go(scratch) as tool:
        _compile(tool, pins.ENGINE_MOD, pins.ENGINE_MODULE, folder / "pulumi", step)
        _compile(tool, pins.LANGHOST_MOD, pins.LANGUAGE_HOST_MODULE, folder / "pulumi-language-python", step)
        step.detail = "its scripts"
        _copy_scripts(tool, folder)


def _check_room(folder: Path) -> None:
    if shutil.disk_usage(folder).free < ROOM:
        raise DiskFull(cache.root(), f"building the engine needs {ROOM // 1024**3} GB for a while")


def _compile(tool: Go, module: Path, package: str, program: Path, step: Step) -> None:
    counter = _Counter(step, program.name, tool, module, package)
    doing = f"building {program.name}"
    tool.run(
        "build", "-v", "-ldflags", pins.ENGINE_FLAGS, "-o", program, package, doing=doing, cwd=module, line=counter.line
    )


class _Counter:
    """Counts the lines of `go build -v`: one per downloaded module, then one per compiled package."""

    def __init__(self, step: Step, name: str, tool: Go, module: Path, package: str) -> None:
        self._step, self._name = step, name
        self._list: Command = [tool.program, "-C", module, "list", "-deps", package]
        self._env = tool.env
        self._downloaded = self._compiled = self._total = 0
        step.detail = name

    def line(self, text: str) -> None:
        """Count one line of output."""
        if text.startswith("go: "):
            self._downloaded += text.startswith("go: downloading")
            self._step.detail = f"{self._name}, {self._downloaded} modules downloaded"
            return
        if not self._compiled:
            listed = output(self._list, env=self._env)
            self._total = len((listed or "").splitlines())
        self._compiled += 1
        most = f" of at most {self._total}" if self._total else ""
        self._step.detail = f"{self._name}, package {self._compiled}{most}"


def _copy_scripts(tool: Go, folder: Path) -> None:
    """Copy the scripts from the SDK module of the engine's version, which the build has put into the module cache."""
    about = output([tool.program, "-C", pins.ENGINE_MOD, "list", "-m", "-json", pins.SDK_MODULE], env=tool.env)
    source = json.loads(about or "{}").get("Dir")
    if not source:
        raise ToolError(f"The Go module {pins.SDK_MODULE} is not in the module cache after the build.")
    for script in SCRIPTS:
        target = folder / Path(script).name
        shutil.copyfile(Path(source) / script, target)
        target.chmod(0o755)
