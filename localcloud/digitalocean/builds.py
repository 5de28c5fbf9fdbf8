"""The build phase: find an image by its digest, or clone a repository, build it, and pack it as an image.

Dockerfiles are not read. A command in the repository's entry (localcloud/repositories.py) replaces the Dockerfile. The
Dockerfile must exist all the same, because the real build would fail without it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from localcloud.cloud import Cloud
from localcloud.digitalocean.models import Deployment, Shelf
from localcloud.images import ImageError
from localcloud.logs import LogFile
from localcloud.processes import Processes
from localcloud.registry import is_registry
from localcloud.repositories import Repositories, source_name


class StepFailed(Exception):
    """A step of a deployment failed; `code` is App Platform's name of the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Recipe:
    """The build of an image from a repository: the clone's source, and shell commands, "" for none."""

    address: str
    branch: str
    folder: str
    """The folder where both commands run and which is packed, below the clone: the spec's `source_dir`."""
    dockerfile: str
    """Below the clone."""
    build: str
    output: str
    """The folder that is packed, below `folder`."""
    run: str

    @classmethod
    def of(cls, service: dict[str, Any], repositories: Repositories) -> Recipe:
        """Read a service's recipe. Raises StepFailed when it has no start command."""
        repository = repositories.of(service)
        dockerfile = service.get("dockerfile_path", "")
        if dockerfile and (repository is None or not repository.run):
            raise StepFailed("BuildFailed", f"nothing here does the work of {dockerfile}; say what does: {HOW}")
        made, of_git = repository if dockerfile else None, service.get("github") or service["git"]
        recipe = cls(
            address=repository.checkout if repository else of_git["repo_clone_url"],
            branch=of_git["branch"],
            folder=service.get("source_dir", ""),
            dockerfile=dockerfile,
            build=made.build if made else service.get("build_command", ""),
            output=made.output if made else "",
            run=service.get("run_command") or (made.run if made else ""),
        )
        if not recipe.run:
            raise StepFailed("BuildFailed", "a git source needs a run_command here")
        return recipe

    def key(self, commit: str, env: dict[str, str]) -> str:
        """Return a text that is equal for all builds with the same result."""
        return hashlib.sha256(json.dumps([asdict(self), commit, sorted(env.items())]).encode()).hexdigest()


HOW = "oracle cloud repository OWNER/REPO CHECKOUT --build COMMAND --run COMMAND"


@dataclass
class Builder:
    """Ensures that a deployment's image is in the store, and writes its digest (and commit) into the deployment."""

    cloud: Cloud
    shelf: Shelf
    processes: Processes

    async def build(self, deployment: Deployment, env: dict[str, str], log: LogFile) -> None:
        """Build the image. Raises StepFailed, and writes the reason to the log."""
        service = deployment.service
        if "image" in service:
            deployment.digest = await self._pull(service["image"], log)
        else:
            await self._from_repository(deployment, env, log)

    async def _pull(self, image: dict[str, Any], log: LogFile) -> str:
        name = "/".join(part for part in (image.get("registry"), image["repository"]) if part)
        digest = image.get("digest")
        if not digest:
            tagged = f"{name}:{image.get('tag')}"
            raise StepFailed("ImagePullFailed", f"image {tagged} cannot be pulled: give its digest, not a tag")
        log.line(f"pulling {name}@{digest}")
        if is_registry(image.get("registry")):
            await self._from_registry(image, str(digest))
        elif not self.cloud.images.has(digest, image["repository"]):
            raise StepFailed("ImagePullFailed", f"image {name}@{digest} is not in the image store. Fix: push it first")
        return str(digest)

    async def _from_registry(self, image: dict[str, Any], digest: str) -> None:
        host, _, namespace = image["registry"].partition("/")
        path = "/".join(part for part in (namespace, image["repository"]) if part)
        try:
            await asyncio.to_thread(self.cloud.images.pull, host, path, digest, image["repository"])
        except ImageError as error:
            raise StepFailed("ImagePullFailed", str(error)) from None

    async def _from_repository(self, deployment: Deployment, env: dict[str, str], log: LogFile) -> None:
        recipe = Recipe.of(deployment.service, self.cloud.repositories)
        work = self.cloud.root / "builds" / deployment.id
        shutil.rmtree(work, ignore_errors=True)
        try:
            await self._clone(deployment, recipe, work, log)
            key = recipe.key(deployment.commit, env)
            known = None if deployment.force_build else self.shelf.built(key)
            if known and self.cloud.images.has(known):
                log.line(f"nothing changed since an earlier build: using {known}")
                deployment.digest = known
            else:
                deployment.digest = await self._make(recipe, work, env, log)
                self.shelf.remember_build(key, deployment.digest)
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)

    async def _clone(self, deployment: Deployment, recipe: Recipe, work: Path, log: LogFile) -> None:
        log.line(f"cloning branch {recipe.branch} of {source_name(deployment.service)}")
        clone = ["git", "clone", "--quiet", "--branch", recipe.branch, "--", recipe.address, str(work)]
        await self._run(clone, self.cloud.root, {}, log, "the repository cannot be cloned")
        if deployment.commit:
            checkout = ["git", "-C", str(work), "checkout", "--quiet", deployment.commit]
            await self._run(checkout, work, {}, log, f"commit {deployment.commit} is no longer in the repository")
        found: list[str] = []
        revision = ["git", "-C", str(work), "rev-parse", "HEAD"]
        head = await self.processes.start(revision, work, _base(work), found.append)
        await head.exited
        deployment.commit = found[0]
        log.line(f"at commit {deployment.commit}")

    async def _make(self, recipe: Recipe, work: Path, env: dict[str, str], log: LogFile) -> str:
        if recipe.dockerfile and not _below(work, recipe.dockerfile).is_file():
            raise StepFailed("BuildFailed", f"the Dockerfile {recipe.dockerfile!r} is not in the repository")
        source = _below(work, recipe.folder)
        if not source.is_dir():
            raise StepFailed("BuildFailed", f"source_dir {recipe.folder!r} is not in the repository")
        if recipe.build:
            log.line(f"running {recipe.build}")
            await self._run(["/bin/sh", "-c", recipe.build], source, env, log, "the build command failed")
        made = _below(source, recipe.output)
        if not made.is_dir():
            raise StepFailed("BuildFailed", f"the build made no folder {recipe.output!r}")
        await asyncio.to_thread(shutil.rmtree, made / ".git", ignore_errors=True)
        packed = self.cloud.images.keep
        return await asyncio.to_thread(packed, made, ["/bin/sh", "-c", recipe.run], "builds")

    async def _run(self, command: list[str], cwd: Path, env: dict[str, str], log: LogFile, problem: str) -> None:
        program = await self.processes.start(command, cwd, _base(cwd) | env, log.line)
        try:
            status = await asyncio.shield(program.exited)
        except asyncio.CancelledError:
            await program.stop(1)
            raise
        if status != 0:
            raise StepFailed("BuildFailed", f"{problem} (status {status})")


def _below(folder: Path, path: str) -> Path:
    """Return a path below a folder; a path that leads out of it counts as missing."""
    place = (folder / path.strip("/")).resolve()
    return place if place.is_relative_to(folder.resolve()) else folder / "is not here"


def _base(home: Path) -> dict[str, str]:
    """Return a build's environment: not the local cloud's own, and git must not ask for passwords."""
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}
