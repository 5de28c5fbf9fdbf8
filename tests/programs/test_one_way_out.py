"""Only `programs` starts other programs: it has the environment, the time limits and the reading of output."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support.sources import PROJECT, sources, text

BARE = {
    "subprocess": {"Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput"},
    "os": {"system", "popen", "fork", "forkpty"},
    "pty": {"fork", "spawn"},
    "asyncio": {"create_subprocess_exec", "create_subprocess_shell"},
}
BEGINNINGS = {"os": ("spawn", "posix_spawn", "exec")}
MODULES = re.compile(rf"\b(?:{'|'.join(BARE)})\b")
"""What a text has in it somewhere that starts a program; to read the others as Python takes seconds."""
ELSEWHERE = {
    "programs/process.py": "the one place",
    "localcloud/processes.py": "the local cloud's services, on asyncio",
    "localcloud/edge_process.py": "the edge, which is spoken to by its pipes for as long as the local cloud runs",
    "localcloud/digitalocean/pushes.py": "git, asked for a branch's last commit; nothing of ours is imported there",
    "localcloud/digitalocean/console.py": "a shell on a terminal of its own, as App Platform's console gives one",
    "offline_plugins/warm.py": "forks plugins, and executes itself again: isolated, or with newer code",
    "offline_plugins/launch.py": "becomes the plugin where there is nobody to fork it",
    "benchmarks/commit_all.py": "measures a command from the outside, as a person's shell would start it",
    "benchmarks/quiet_up.py": "measures a command from the outside, as a person's shell would start it",
}


def bare(source: str) -> Iterator[str]:
    """What starts programs in a module: calls, functions handed on, names imported. A type's name does not."""
    if not MODULES.search(source):
        return
    nodes = list(ast.walk(ast.parse(source)))
    types = {id(node.value) for node in nodes if isinstance(node, ast.Subscript)}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and id(node) not in types:
            yield from _known(node.value.id, node.attr)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield from _known(node.module or "", alias.name)


def _known(module: str, name: str) -> Iterator[str]:
    if name in BARE.get(module, ()) or name.startswith(BEGINNINGS.get(module, ("\0",))):
        yield f"{module}.{name}"


def test_programs_are_started_only_in_this_package() -> None:
    found = {
        f"{path.relative_to(PROJECT)}: {name}"
        for path in sources()
        if str(path.relative_to(PROJECT)) not in ELSEWHERE
        for name in bare(text(path))
    }
    assert not found


@pytest.mark.parametrize("file", sorted(ELSEWHERE))
def test_every_exception_is_needed(file: str) -> None:
    assert list(bare(text(PROJECT / file)))


@pytest.mark.parametrize(
    "line",
    [
        "subprocess.run(['x'])",
        "subprocess.Popen(['x'])",
        "partial(subprocess.check_output, ['x'])",
        "from subprocess import run as r",
        "os.system('x')",
        "os.spawnlp(0, 'x')",
        "os.execv('x', [])",
        "await asyncio.create_subprocess_exec('x')",
    ],
)
def test_a_started_program_is_detected(line: str) -> None:
    assert list(bare(line))


@pytest.mark.parametrize("line", ["x: subprocess.Popen[bytes]", "subprocess.TimeoutExpired", "os.path", "run(['x'])"])
def test_code_that_starts_nothing_is_not_reported(line: str) -> None:
    assert not list(bare(line))
