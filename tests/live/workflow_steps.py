"""GitHub's part of a workflow, for the tests: the steps of a job run one after another, with real git remotes on disk.

An expression that is not in `expressions` is an error, and so is an action other than the checkout: a workflow that
learns something new makes its test learn it too.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.live.project import PROJECT, Done

EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")
SECONDS = 900


@dataclass
class Job:
    """A job of a workflow, on a machine of its own, which is the folder `workspace`.

    `remotes` has a repository `<owner>/<name>.git` for each that the job checks out; `own` is the commit of the
    repository for which the job runs, where that is not the workflow's own.
    """

    workflow: str
    name: str
    workspace: Path
    remotes: Path
    repository: str
    own: str
    expressions: Mapping[str, str]
    secrets: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the machine itself has."""

    def run(self, *leaves_out: str) -> Iterator[tuple[str, Done]]:
        """Each command with how it ended, up to the first that failed; those that begin so are left out."""
        self.workspace.mkdir()
        for step in self.definition["steps"]:
            if "uses" in step:
                if self._is_wanted(step):
                    self._checkout(step["with"])
            elif not step["run"].startswith(leaves_out):
                done = self.execute(step)
                yield step["run"], done
                if done.status != 0:
                    return

    @property
    def definition(self) -> dict[str, Any]:
        text = (PROJECT / ".github/workflows" / f"{self.workflow}.yml").read_text()
        return dict(yaml.safe_load(text)["jobs"][self.name])

    def value(self, text: str) -> str:
        """The text with its expressions' values."""
        return EXPRESSION.sub(lambda found: self._known(found[1]), str(text))

    def _known(self, expression: str) -> str:
        name = expression.removeprefix("secrets.")
        if name != expression and name.isidentifier():
            return self.secrets.get(name, "")
        return self.expressions[expression]

    def _is_wanted(self, step: Mapping[str, Any]) -> bool:
        if "if" not in step:
            return True
        left, _, right = step["if"].partition(" != ")
        return bool(self.expressions[left.strip("()")] != right.strip("'"))

    def _checkout(self, given: Mapping[str, Any]) -> None:
        repository = self.value(given.get("repository", self.repository))
        target = self.workspace / self.value(given.get("path", "."))
        own = "repository" not in given
        url = (self.remotes / f"{repository}.git").as_uri()
        depth = str(given.get("fetch-depth", 1))
        for words in (
            ["init", "-q", str(target)],
            ["-C", str(target), "fetch", "-q", f"--depth={depth}", url, self.own if own else "HEAD"],
            ["-C", str(target), "checkout", "-q", "--detach", "FETCH_HEAD"],
        ):
            subprocess.run(["git", *words], check=True)
        if (target / "toolchain").is_dir():  # `make tools` takes a minute to make the same
            (target / ".venv").symlink_to(sys.prefix)

    def execute(self, step: Mapping[str, Any]) -> Done:
        """A step's command, as the job runs it."""
        job = self.definition
        folder = job.get("defaults", {}).get("run", {}).get("working-directory", ".")
        variables = {**job.get("env", {}), **step.get("env", {})}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.workspace / folder,
            env={**self.environment, **{name: self.value(text) for name, text in variables.items()}},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Done(done.returncode, done.stdout)
