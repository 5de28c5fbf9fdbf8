"""Two revisions of this repository, as `git` names them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cli.ui.errors import CommandError
from errors import First, Fix, Remedy
from programs import OutOfTime, quoted
from programs import git as program


@dataclass(frozen=True)
class Revisions:
    """From `base` to `head`, both full commit ids; `asked` is the text that the user typed."""

    asked: str
    base: str
    head: str


def revisions(project: Path, asked: str) -> Revisions:
    """Resolve `BASE..HEAD`, `BASE...HEAD` (from their merge base) or `BASE` (up to HEAD). Raises CommandError."""
    from_merge_base = "..." in asked
    base, _, head = asked.partition("..." if from_merge_base else "..")
    head = _commit(project, head or "HEAD")
    base = _commit(project, base)
    if from_merge_base:
        base = git(project, "merge-base", base, head)
    return Revisions(asked, base, head)


def git(folder: Path, *arguments: str, hooks: bool = True) -> str:
    """Run git and return its output. Raises CommandError with the last line of its errors."""
    options = () if hooks else ("-c", "core.hooksPath=/dev/null")
    try:
        done = program.git(folder, *options, *arguments)
    except OutOfTime as error:
        raise CommandError(f"`git {arguments[0]}` did not end within {error.timeout:.0f} s.", Remedy.RETRY) from None
    except OSError as error:
        raise CommandError(f"Git does not start ({error.strerror}).", First("install git", Remedy.RETRY)) from None
    if done.status != 0:
        if distrusted := program.distrusted(done.errors):
            trust = Fix(f"git config --global --add safe.directory {distrusted}", "if you trust it")
            raise CommandError(f"The checkout {folder} belongs to another user.", trust)
        last = (done.errors.strip().splitlines() or ["it printed nothing"])[-1].removeprefix("fatal: ")
        look = Fix(f"git -C {quoted(folder)} status", "to see the state of the checkout")
        raise CommandError(f"`git {arguments[0]}` failed.", look, cause=last)
    return done.text.strip()


def _commit(project: Path, name: str) -> str:
    try:
        return git(project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except CommandError:
        raise CommandError(
            f"There is no revision {name or '(nothing)'}.", Fix("git log --oneline", "to see the revisions")
        ) from None
