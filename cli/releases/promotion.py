"""Conditions on two stacks for a promotion between them, and notes on the release."""

from __future__ import annotations

from collections.abc import Iterator

from cli.engine.workspace import Stack
from cli.ui.errors import CommandError
from errors import First, Fix, Remedy
from stack_outputs import Release, short_digest
from storage.releases import digests


def distinct(source: str, target: str) -> tuple[Stack, Stack]:
    """Return the two stacks. Raises CommandError when one of them does not exist, or both are the same."""
    here, there = existing(source), existing(target)
    if source == target:
        raise CommandError(
            f"{source} cannot be promoted to itself.", Fix(f"oracle promote {source} TO", "with another stack as TO")
        )
    return here, there


def existing(name: str) -> Stack:
    """Return the stack of this name. Raises CommandError, with the existing stacks' names."""
    stack = Stack(name)
    if not stack.file.is_file():
        raise stack.missing
    return stack


def refuse_other_kind(here: Stack, there: Stack) -> None:
    """Raise CommandError if one stack packs its image from a directory, and the other gets it from a registry."""
    one, other = (stack.settings().backend.image for stack in (here, there))
    if one.is_packed != other.is_packed:
        packs, pulls = (here, there) if one.is_packed else (there, here)
        raise CommandError(
            f"{packs.name} packs its backend's image from a directory, and {pulls.name} pulls it from a registry, so "
            "neither can run the other's image.",
            First(
                f"replace `path` by `digest` or `build` in oracle-net:backend.image of {packs.file.name}", Remedy.RETRY
            ),
        )


def refuse_other_workers(here: Stack, there: Stack) -> None:
    """Raise CommandError if one stack has a Worker that the other lacks: the release would lack the Worker's bytes."""
    one, other = ({*stack.settings().workers} for stack in (here, there))
    for name, has, lacks in ((min(one - other, default=""), here, there), (min(other - one, default=""), there, here)):
        if name:
            raise CommandError(
                f"{has.name} has a Worker {name} and {lacks.name} has none, so neither can run the other's release.",
                First(f"add an entry `{name}` to oracle-net:workers in {lacks.file.name}", Remedy.RETRY),
            )


def refuse_adopted(here: Stack, there: Stack) -> None:
    """Raise CommandError if a service of either stack runs as it was made by hand: its bytes are unknown."""
    for stack in (here, there):
        if adopted := stack.settings().adopted:
            raise CommandError(
                f"{', '.join(adopted)} of {stack.name} still run as they were made by hand, so no receipt can name "
                "their bytes.",
                Fix(f"oracle deploy --stack {stack.name}", "to release them for the first time"),
            )


def notes(release: Release) -> Iterator[str]:
    """Yield the versions and commits of a release, with a warning for files that are in no commit."""
    for service, commit in release["commits"].items():
        if commit.endswith("-dirty"):
            yield f"Attention: {service} was built from files that are in no commit (after {commit[:7]})."
    commits = {name: commit[:7] for name, commit in release["commits"].items() if commit}
    versions = digests(release)
    yield ", ".join(
        f"{name} {short_digest(digest)}" + (f" (commit {commits[name]})" if name in commits else "")
        for name, digest in versions.items()
    )
