"""Benchmark of a `pulumi up` without changes, against an empty program: `python -m benchmarks.quiet_up`.

Both run on the same engine, language host and environment. They alternate in one run, so that the machine's speed
cancels out. Needs a running and unchanged local network (`make up`). Prints the medians of processor and wall-clock
seconds.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from cli.engine.workspace import LOCAL_PASSPHRASE, PROJECT, Stack, exports

ROUNDS = 3
EMPTY = {
    "Pulumi.yaml": "name: empty\nruntime: python\n",
    "Pulumi.empty.yaml": "config: {}\n",
    "__main__.py": "import pulumi\n",
}


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float


def measure(folder: Path, environment: dict[str, str], *arguments: str) -> Cost:
    """Run one `pulumi up` that has nothing to do. Raises CalledProcessError when it fails."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if "updated" in done.stdout or "created" in done.stdout:
        sys.exit(f"That was no quiet up; run it once more, then measure:\n{done.stdout[-2000:]}")
    return Cost(time.monotonic() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def empty_project(folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """Write the empty program and return the environment of its own state."""
    for name, text in EMPTY.items():
        (folder / name).write_text(text)
    own = {
        **environment,
        "PULUMI_BACKEND_URL": f"file://{folder}",
        "PULUMI_CONFIG_PASSPHRASE": LOCAL_PASSPHRASE,
        "PULUMI_STACK": "empty",
    }
    for arguments in (["stack", "init", "empty"], ["up", "--yes", "--skip-preview"]):
        command = ["pulumi", *arguments, "--non-interactive"]
        subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=True)
    return own


def main() -> None:
    """Measure both in turn and print the ratios."""
    ours = {**os.environ, **exports(Stack("local"))}
    runs: dict[str, list[Cost]] = {"empty program": [], "ours": [], "ours, --refresh=false": []}
    with tempfile.TemporaryDirectory() as folder:
        empty = empty_project(Path(folder), ours)
        for _ in range(ROUNDS):
            runs["empty program"].append(measure(Path(folder), empty, "--stack", "empty"))
            runs["ours"].append(measure(PROJECT, ours, "--stack", "local"))
            runs["ours, --refresh=false"].append(measure(PROJECT, ours, "--stack", "local", "--refresh=false"))
    floor = median(runs["empty program"])
    for name, costs in runs.items():
        cost = median(costs)
        ratios = f"{cost.wall / floor.wall:.1f} x wall, {cost.cpu / floor.cpu:.1f} x processor"
        print(f"{name:24} {cost.wall:5.1f} s wall {cost.cpu:5.1f} s processor   {ratios}")


def median(costs: list[Cost]) -> Cost:
    return Cost(statistics.median(each.wall for each in costs), statistics.median(each.cpu for each in costs))


if __name__ == "__main__":
    main()
