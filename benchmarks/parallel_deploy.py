"""Benchmark of one deploy of four services against four deploys: `python -m benchmarks.parallel_deploy`.

Copies this project, starts it on a local cloud of its own, changes the sources of all four services and deploys them
together; changes them again and deploys one after another. Each deploy builds, previews and updates, like a person's.
Prints the seconds and their ratio, and the timeline of the joint deploy. `--seconds N` makes every build take that long
and the backend's deployment three times that, to imitate real ones; 0 by default.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from pathlib import Path

from tests.live.project import Project

SERVICES = ("backend", "api", "web", "universe")
MARKED = {
    "backend": ("services/backend/entrypoint.sh", "\n# {mark}\n"),
    "api": ("services/api/src/worker.js", "\n// {mark}\n"),
    "web": ("services/web/public/index.html", "\n<!-- {mark} -->\n"),
    "universe": ("services/universe/public/index.html", "\n<!-- {mark} -->\n"),
}


def change(project: Project, mark: str) -> None:
    """Change the sources of all four services."""
    for name, text in MARKED.values():
        with (project.root / name).open("a") as file:
            file.write(text.format(mark=mark))


def slow_down(project: Project, seconds: float) -> None:
    """Slow down builds and deployments."""
    text = project.stack_file.read_text()
    for service in SERVICES:
        text = re.sub(
            rf"^( +)path: services/{service}\n", rf"\g<0>\1build: sleep {seconds}\n", text, flags=re.MULTILINE
        )
    project.stack_file.write_text(text)
    for number in (2, 3):
        project.fault(app=f"jellyfish-app-g1-r{number}", step="deploy", delay=3 * seconds, count=1)


def deploy(project: Project, *services: str) -> tuple[float, str]:
    """Deploy; return the wall-clock seconds and the run. Exits when one of the services was not deployed."""
    began = time.monotonic()
    document = json.loads(project.oracle("deploy", *services, "--yes", "--json").well().output)
    seconds = time.monotonic() - began
    done = {row["service"] for row in document["services"] if row["change"] in ("updated", "new app")}
    if done != set(services or SERVICES):
        sys.exit(f"That deployed {', '.join(sorted(done))}, and should have deployed {', '.join(services or SERVICES)}")
    return seconds, str(document["run"])


def main() -> None:
    """Measure both in one run and print the ratio."""
    slow = float(sys.argv[sys.argv.index("--seconds") + 1]) if "--seconds" in sys.argv else 0.0
    with tempfile.TemporaryDirectory() as folder:
        project = Project.copied(Path(folder) / "project")
        try:
            project.oracle("up").well()
            if slow:
                slow_down(project, slow)
            change(project, "at once")
            together, run = deploy(project)
            print(project.oracle("timeline", run).well().output)
            change(project, "one after another")
            alone = [deploy(project, service)[0] for service in SERVICES]
        finally:
            project.stop()
    print(f"at once            {together:6.1f} s")
    for service, seconds in zip(SERVICES, alone, strict=True):
        print(f"{service:18} {seconds:6.1f} s")
    print(f"one after another  {sum(alone):6.1f} s   {sum(alone) / together:.1f} x at once")


if __name__ == "__main__":
    main()
