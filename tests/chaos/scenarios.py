"""What is done to the network in a run: a wipe, a release, an undo."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.watch import Watch, databases, on_disk, titles
from tests.live.project import Project

GENERATION = re.compile(r'(oracle-net:generation: )"?(\d+)"?')
RESTORE = re.compile(r"^  oracle-net:restoreFrom: (.*)\n", re.MULTILINE)


@dataclass(frozen=True)
class Scenario:
    """`declare` changes what is declared; `pulumi up` carries it out. `command` does both, as a person would."""

    name: str
    declare: Callable[[Project], None]
    command: Callable[[Project], list[str]]
    carries: bool
    """Whether the data planted before is in the backend afterwards; otherwise it is in a backup."""

    def misplaced(self, watch: Watch) -> list[str]:
        """What is wrong with where the data is, once the change has been carried out."""
        where, _ = watch.look()
        if self.carries:
            return [] if where == "live" else [f"the data is not in the new backend but: {where}"]
        if not watch.backups():
            return ["the data is in no verified backup"]
        return [f"the data is still {where}"] if where != "backup" else _not_restored(watch.root)


def wipe(project: Project) -> None:
    _raise(project, None)


def release(project: Project) -> None:
    path = project.root / "services/backend/entrypoint.sh"
    path.write_text(path.read_text().replace("exec ", "echo released\nexec ", 1))


def undo(project: Project) -> None:
    newest = max(project.root.glob(".oracle/backups/*/*/*/*.json"), key=lambda path: path.stat().st_mtime)
    _raise(project, newest.stem)


def _not_restored(root: Path) -> list[str]:
    """What of the backup that the stack was restored from is in no backend."""
    restored = RESTORE.search((root / "Pulumi.local.yaml").read_text())
    if restored is None:
        return []
    (archive,) = root.glob(f".oracle/backups/*/*/*/{restored[1]}.zip")
    missing = [title for title in titles(archive) if not any(on_disk(each, title) for each in databases(root))]
    return [f"{title} was not restored" for title in missing]


def _command(declare: Callable[[Project], None]) -> Callable[[Project], list[str]]:
    def declared(project: Project) -> list[str]:
        declare(project)
        return ["up"]

    return declared


def _raise(project: Project, restore: str | None) -> None:
    text = RESTORE.sub("", project.stack_file.read_text())
    line = f"\n  oracle-net:restoreFrom: {restore}" if restore else ""
    raised = GENERATION.sub(lambda match: f'{match[1]}"{int(match[2]) + 1}"{line}', text)
    assert raised != text
    project.stack_file.write_text(raised)


SCENARIOS = {
    "wipe": Scenario("wipe", wipe, lambda _: ["wipe", "--yes"], carries=False),
    "release": Scenario("release", release, _command(release), carries=True),
    "undo": Scenario("undo", undo, _command(undo), carries=False),
}
