"""The services' own checkouts in a rehearsal: find them, clone them, and write the stack's file that runs them.

A stack's file names the checkout of each service, usually beside this repository (`path: ../oracle-universe-api`). An
existing checkout is cloned, and the rehearsal runs it with the settings of that file: its build, its entry or assets,
its health. For any other service the rehearsal runs this repository's reference service.
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
from errors import Fix, UserError
from settings import PROJECT

FOLDER = "checkouts"
"""The folder of the clones, beside the rehearsal's clone of this repository."""
COMMITTED = "HEAD..HEAD"
EVERY = "every service"
WORKERS = "workers"
NOT_REHEARSED = frozenset({"script", "path", "domain", "workersDev", "adopted"})
"""Keys of a Worker that are not copied, so that its name and address are the rehearsal's own."""
OF_THE_IMAGE = ("path", "run")
OF_THE_BACKEND = ("build", "port", "healthPath", "console", "env")
"""Keys of the backend that are copied if its image is a directory of its checkout."""


@dataclass(frozen=True)
class Checkout:
    """A service's checkout and its rehearsed revisions."""

    service: str
    path: str
    """The path in the stack's file."""
    top: Path
    """The top folder of its git repository."""
    below: str
    """The service's folder in that repository, empty for the top."""
    revisions: Revisions

    @property
    def line(self) -> str:
        """Describe the rehearsed revisions."""
        base, head = self.revisions.base[:10], self.revisions.head[:10]
        left_out = "" if _is_clean(self.top) else "; its uncommitted changes are left out"
        return f"{self.service}: {self.path} at {base if base == head else f'{base}, then {head}'}{left_out}"


@dataclass(frozen=True)
class Services:
    """The source of each service in a rehearsal: its checkout, or a reference service, with the reason."""

    project: Path
    like: str
    """The stack whose file names the checkouts."""
    checkouts: Mapping[str, Checkout]
    references: Mapping[str, str]

    @property
    def lines(self) -> list[str]:
        """A line for each service: its checkout or its reference service."""
        references = [self._reference_line(service, why) for service, why in self.references.items()]
        return [*(checkout.line for checkout in self.checkouts.values()), *references]

    @property
    def changed(self) -> list[Checkout]:
        """The checkouts with two different revisions."""
        return [each for each in self.checkouts.values() if each.revisions.base != each.revisions.head]

    def clone(self, folder: Path) -> None:
        """Clone the checkouts into `folder`. Raises CommandError."""
        for service, checkout in self.checkouts.items():
            target = folder / FOLDER / service
            git(checkout.top, "clone", "--quiet", "--shared", "--no-checkout", "--", str(checkout.top), str(target))

    def place(self, folder: Path, stack: Stack, *, head: bool) -> None:
        """Check out the clones in `folder` at their base or head, and write the stack's file that runs them.

        The settings come from the file at the stack's own revision. Raises CommandError.
        """
        if not self.checkouts:
            return
        document = yaml_text.load(stack.file.read_text())
        own = dict(_sections(document))
        source = dict(_sections(_document(self.like, stack.project) or _document(self.like, self.project) or {}))
        for service, checkout in self.checkouts.items():
            commit = checkout.revisions.head if head else checkout.revisions.base
            git(folder / FOLDER / service, "checkout", "--quiet", "--force", "--detach", commit, hooks=False)
            if service in source and _is_runnable(source[service]):
                _run_from(
                    checkout, own.get(service) or _add_section(document, service, source[service]), source[service]
                )
        comments = (line for line in stack.file.read_text().splitlines(keepends=True) if line.startswith("#"))
        text = "".join(comments) + yaml.safe_dump(document, sort_keys=False, width=200)
        stack_file.replace(stack.file, text.encode())

    def _reference_line(self, service: str, why: str) -> str:
        if service == EVERY or service in dict(_sections(_parsed(self.project / TEMPLATE) or {})):
            return f"{service}: this repository's reference service, because {why}"
        return f"{service}: nothing, because {why}, and this repository has no reference service for it"


def find(project: Path, like: str, changes: Mapping[str, str]) -> Services:
    """Return the checkouts in the file of the stack `like`. Raises CommandError.

    `changes` has the revisions of each changed service, as `BASE..HEAD`.
    """
    absent = f"there is no Pulumi.{like}.yaml that names its checkout"
    sections = dict(_sections(_document(like, project) or {}))
    checkouts: dict[str, Checkout] = {}
    references: dict[str, str] = {} if sections else {EVERY: absent}
    for service, section in sections.items():
        checkout = _checkout(project, service, section, changes.get(service, COMMITTED))
        if isinstance(checkout, Checkout):
            checkouts[service] = checkout
        else:
            references[service] = checkout
    for service, asked in changes.items():
        if service not in checkouts:
            why = references.get(service, f"Pulumi.{like}.yaml names no such service" if sections else absent)
            raise CommandError(
                f"The change {asked} of {service} cannot be rehearsed, because {why}.",
                Fix("oracle rehearse", "to rehearse without it"),
            )
    return Services(project, like, checkouts, references)


def _checkout(project: Path, service: str, section: Mapping[str, Any], asked: str) -> Checkout | str:
    """Return the service's checkout, or the reason why it cannot run. Raises CommandError for unknown revisions."""
    path = str(section["path"])
    folder = (project / path).resolve()
    if folder.is_relative_to(project.resolve()):
        return f"{path} is in this repository"
    if not folder.is_dir():
        return f"there is no checkout {path}"
    if not _is_runnable(section):
        return "its image is a container image, which a rehearsal does not run"
    try:
        top = Path(git(folder, "rev-parse", "--show-toplevel"))
    except UserError:
        return f"{path} is not a git checkout"
    below = os.path.relpath(folder, top)
    return Checkout(service, path, top, "" if below == "." else below, revisions(top, asked))


def _run_from(checkout: Checkout, own: dict[str, Any], source: Mapping[str, Any]) -> None:
    """Make a section of the rehearsal's stack run the checkout's clone, with the settings of the other stack."""
    clone = str(Path("..", FOLDER, checkout.service, checkout.below))
    if "image" in own:
        image = os.path.relpath(source["image"]["path"], checkout.path)
        own |= {key: source[key] for key in OF_THE_BACKEND if key in source} | {"path": clone}
        own["image"] |= {key: source["image"][key] for key in OF_THE_IMAGE if key in source["image"]}
        own["image"]["path"] = os.path.normpath(Path(clone, image))
        return
    script, copied = own["script"], {key: value for key, value in source.items() if key not in NOT_REHEARSED}
    own.clear()
    own |= {"script": script, "path": clone, **copied}


def _add_section(document: dict[str, Any], service: str, source: Mapping[str, Any]) -> dict[str, Any]:
    """Add a section for a Worker that the rehearsal's stack does not have."""
    section = {"script": source["script"]}
    document["config"].setdefault(f"{PROJECT}:{WORKERS}", {})[service] = section
    return section


def _is_runnable(section: Mapping[str, Any]) -> bool:
    """Return whether the service can run on this machine. A backend can if its image is a directory."""
    return "image" not in section or "path" in section["image"]


def _sections(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the services' sections of a stack's file, by service."""
    for key, value in (document.get("config") or {}).items():
        name = key.removeprefix(f"{PROJECT}:")
        if name == WORKERS and isinstance(value, dict):
            yield from ((service, each) for service, each in value.items() if _is_section(each))
        elif _is_section(value):
            yield name, value


def _is_section(value: Any) -> bool:
    return isinstance(value, dict) and "path" in value


def _document(stack: str, project: Path) -> dict[str, Any] | None:
    """Return a stack's parsed file. None if it does not exist. Raises CommandError if it is invalid."""
    file = Stack(stack, project).file
    try:
        return _parsed(file)
    except (OSError, ValueError, yaml.YAMLError):
        see = Fix(f"oracle doctor --stack {stack}", "to see the error")
        raise CommandError(f"{file.name} cannot be read.", see) from None


def _parsed(file: Path) -> dict[str, Any] | None:
    document = yaml_text.load(file.read_text()) if file.is_file() else None
    return document if isinstance(document, dict) else None


def _is_clean(top: Path) -> bool:
    return not git(top, "status", "--porcelain")
