"""The services' own checkouts in a rehearsal: which there are, their clones, and the stack's file that runs them.

A stack's file names the checkout of each service, beside this repository as a rule (`path: ../oracle-universe-api`).
One that is there is cloned, and the rehearsal runs it with what that file says of it: its build, its entry or assets,
its health. For any other service the rehearsal runs this repository's stand-in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import yaml_text
from cli.engine import stack_file
from cli.engine.revisions import Revisions, git, revisions
from cli.engine.stacks import TEMPLATE
from cli.engine.workspace import Stack
from cli.ui.errors import CommandError
from settings import PROJECT

FOLDER = "checkouts"
"""Where the clones are, beside the rehearsal's clone of this repository."""
COMMITTED = "HEAD..HEAD"
EVERY = "every service"
WORKERS = "workers"
NOT_REHEARSED = frozenset({"script", "path", "domain", "workersDev", "adopted"})
"""What a Worker keeps of the rehearsal's own stack: who it is, and where it answers."""
OF_THE_IMAGE = ("path", "run")
OF_THE_BACKEND = ("build", "port", "healthPath", "console", "env")
"""What the backend takes over when its image is a directory of its checkout."""


@dataclass(frozen=True)
class Checkout:
    """A service's checkout, and the revisions of it that are rehearsed."""

    service: str
    path: str
    """As the stack's file names it."""
    top: Path
    """Of the git repository that it is in."""
    below: str
    """Where in that repository the service is; empty for its top."""
    revisions: Revisions

    @property
    def line(self) -> str:
        """What the rehearsal runs, in words."""
        base, head = self.revisions.base[:10], self.revisions.head[:10]
        left_out = "" if _is_clean(self.top) else "; what is not committed there is left out"
        return f"{self.service}: {self.path} at {base if base == head else f'{base}, then {head}'}{left_out}"


@dataclass(frozen=True)
class Services:
    """What a rehearsal runs for each service: its checkout, or a stand-in for the reason that is given."""

    project: Path
    like: str
    """The stack whose file names the checkouts."""
    checkouts: Mapping[str, Checkout]
    stand_ins: Mapping[str, str]

    @property
    def lines(self) -> list[str]:
        """For each service what runs."""
        instead = [self._instead(service, why) for service, why in self.stand_ins.items()]
        return [*(checkout.line for checkout in self.checkouts.values()), *instead]

    @property
    def changed(self) -> list[Checkout]:
        """The checkouts that are rehearsed at two revisions."""
        return [each for each in self.checkouts.values() if each.revisions.base != each.revisions.head]

    def clone(self, folder: Path) -> None:
        """Clones the checkouts into `folder`. Raises CommandError."""
        for service, checkout in self.checkouts.items():
            target = folder / FOLDER / service
            git(checkout.top, "clone", "--quiet", "--shared", "--no-checkout", "--", str(checkout.top), str(target))

    def place(self, folder: Path, stack: Stack, *, head: bool) -> None:
        """Checks out the clones in `folder` at their base's or head's revision, and has the stack run them, as the file
        of the stack's own revision says. Raises CommandError.
        """
        if not self.checkouts:
            return
        document = yaml_text.load(stack.file.read_text())
        own = dict(_sections(document))
        told = dict(_sections(_document(self.like, stack.project) or _document(self.like, self.project) or {}))
        for service, checkout in self.checkouts.items():
            commit = checkout.revisions.head if head else checkout.revisions.base
            git(folder / FOLDER / service, "checkout", "--quiet", "--force", "--detach", commit, hooks=False)
            if service in told and _is_runnable(told[service]):
                _run_from(checkout, own.get(service) or _added(document, service, told[service]), told[service])
        comments = (line for line in stack.file.read_text().splitlines(keepends=True) if line.startswith("#"))
        text = "".join(comments) + yaml.safe_dump(document, sort_keys=False, width=200)
        stack_file.replace(stack.file, text.encode())

    def _instead(self, service: str, why: str) -> str:
        if service == EVERY or service in dict(_sections(_parsed(self.project / TEMPLATE) or {})):
            return f"{service}: this repository's stand-in, since {why}"
        return f"{service}: nothing, since {why}, and this repository has no stand-in of it"


def find(project: Path, like: str, changes: Mapping[str, str]) -> Services:
    """The checkouts that the stack `like` names; `changes` has the revisions for a service that is to change, as
    `BASE..HEAD`. Raises CommandError.
    """
    absent = f"there is no Pulumi.{like}.yaml that names its checkout"
    sections = dict(_sections(_document(like, project) or {}))
    checkouts: dict[str, Checkout] = {}
    stand_ins: dict[str, str] = {} if sections else {EVERY: absent}
    for service, section in sections.items():
        found = _checkout(project, service, section, changes.get(service, COMMITTED))
        if isinstance(found, Checkout):
            checkouts[service] = found
        else:
            stand_ins[service] = found
    for service, asked in changes.items():
        if service not in checkouts:
            why = stand_ins.get(service, f"Pulumi.{like}.yaml names no such service" if sections else absent)
            raise CommandError(
                f"The change {asked} of {service} cannot be rehearsed, since {why}. Without it: oracle rehearse"
            )
    return Services(project, like, checkouts, stand_ins)


def _checkout(project: Path, service: str, section: Mapping[str, Any], asked: str) -> Checkout | str:
    """The service's checkout, or why there is none to run. Raises CommandError for revisions that it does not have."""
    path = str(section["path"])
    folder = (project / path).resolve()
    if folder.is_relative_to(project.resolve()):
        return f"{path} is in this repository"
    if not folder.is_dir():
        return f"there is no checkout {path}"
    if not _is_runnable(section):
        return "its image is a container's, which a rehearsal does not run"
    try:
        top = Path(git(folder, "rev-parse", "--show-toplevel"))
    except CommandError:
        return f"{path} is no checkout of git"
    below = os.path.relpath(folder, top)
    return Checkout(service, path, top, "" if below == "." else below, revisions(top, asked))


def _run_from(checkout: Checkout, own: dict[str, Any], told: Mapping[str, Any]) -> None:
    """Has a section of the rehearsal's stack run the checkout's clone, as the section of the other stack runs it."""
    clone = str(Path("..", FOLDER, checkout.service, checkout.below))
    if "image" in own:
        there = os.path.relpath(told["image"]["path"], checkout.path)
        own |= {key: told[key] for key in OF_THE_BACKEND if key in told} | {"path": clone}
        own["image"] |= {key: told["image"][key] for key in OF_THE_IMAGE if key in told["image"]}
        own["image"]["path"] = os.path.normpath(Path(clone, there))
        return
    script, taken = own["script"], {key: value for key, value in told.items() if key not in NOT_REHEARSED}
    own.clear()
    own |= {"script": script, "path": clone, **taken}


def _added(document: dict[str, Any], service: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """A section for a Worker that the rehearsal's stack does not have by itself."""
    section = {"script": told["script"]}
    document["config"].setdefault(f"{PROJECT}:{WORKERS}", {})[service] = section
    return section


def _is_runnable(section: Mapping[str, Any]) -> bool:
    """Whether it runs on this machine; a backend does when its image is a directory."""
    return "image" not in section or "path" in section["image"]


def _sections(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The services' sections of a stack's file, by service."""
    for key, value in (document.get("config") or {}).items():
        name = key.removeprefix(f"{PROJECT}:")
        if name == WORKERS and isinstance(value, dict):
            yield from ((service, each) for service, each in value.items() if _is_section(each))
        elif _is_section(value):
            yield name, value


def _is_section(value: Any) -> bool:
    return isinstance(value, dict) and "path" in value


def _document(stack: str, project: Path) -> dict[str, Any] | None:
    """A stack's file; None where there is none. Raises CommandError where it is none."""
    file = Stack(stack, project).file
    try:
        return _parsed(file)
    except (OSError, ValueError, yaml.YAMLError):
        raise CommandError(
            f"{file.name} cannot be read; see where it is wrong: oracle doctor --stack {stack}"
        ) from None


def _parsed(file: Path) -> dict[str, Any] | None:
    found = yaml_text.load(file.read_text()) if file.is_file() else None
    return found if isinstance(found, dict) else None


def _is_clean(top: Path) -> bool:
    return not git(top, "status", "--porcelain")
