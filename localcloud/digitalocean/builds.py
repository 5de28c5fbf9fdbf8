"""The build phase: an image by digest is looked up, a git source is cloned, built, and packed as an image."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.cloud import Cloud
from localcloud.digitalocean.models import Deployment, Shelf
from localcloud.images import ImageError
from localcloud.logs import LogFile
from localcloud.processes import Processes
from localcloud.registry import is_registry


class StepFailed(Exception):
    """A deployment's step failed; `code` as App Platform names the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass
class Builder:
    """Makes sure that a deployment's image is in the store, and writes its digest (and commit) into the deployment."""

    cloud: Cloud
    shelf: Shelf
    processes: Processes

    async def build(self, deployment: Deployment, env: dict[str, str], log: LogFile) -> None:
        """Raises StepFailed, with the reason in the log too."""
        service = deployment.service
        if "image" in service:
            deployment.digest = await self._pull(service["image"], log)
        else:
            await self._from_git(deployment, env, log)

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
            raise StepFailed("ImagePullFailed", f"image {name}@{digest} is not in the image store; push it first")
        return str(digest)

    async def _from_registry(self, image: dict[str, Any], digest: str) -> None:
        host, _, namespace = image["registry"].partition("/")
        path = "/".join(part for part in (namespace, image["repository"]) if part)
        try:
            await asyncio.to_thread(self.cloud.images.pull, host, path, digest, image["repository"])
        except ImageError as error:
            raise StepFailed("ImagePullFailed", str(error)) from None

    async def _from_git(self, deployment: Deployment, env: dict[str, str], log: LogFile) -> None:
        service = deployment.service
        if service.get("dockerfile_path"):
            raise StepFailed("BuildFailed", "the local cloud builds no Dockerfiles: set build_command and run_command")
        if not service.get("run_command"):
            raise StepFailed("BuildFailed", "a git source needs a run_command here")
        work = self.cloud.root / "builds" / deployment.id
        shutil.rmtree(work, ignore_errors=True)
        try:
            await self._clone(deployment, work, log)
            key = _key(service, deployment.commit, env)
            known = None if deployment.force_build else self.shelf.built(key)
            if known and self.cloud.images.has(known):
                log.line(f"nothing changed since an earlier build: using {known}")
                deployment.digest = known
            else:
                deployment.digest = await self._make(service, work, env, log)
                self.shelf.remember_build(key, deployment.digest)
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)

    async def _clone(self, deployment: Deployment, work: Path, log: LogFile) -> None:
        git = deployment.service["git"]
        log.line(f"cloning branch {git['branch']} of the repository")
        clone = ["git", "clone", "--quiet", "--branch", git["branch"], "--", git["repo_clone_url"], str(work)]
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

    async def _make(self, service: dict[str, Any], work: Path, env: dict[str, str], log: LogFile) -> str:
        source = _source(work, service.get("source_dir", ""))
        if command := service.get("build_command"):
            log.line(f"running {command}")
            await self._run(["/bin/sh", "-c", command], source, env, log, "the build command failed")
        await asyncio.to_thread(shutil.rmtree, source / ".git", ignore_errors=True)
        packed = self.cloud.images.keep
        return await asyncio.to_thread(packed, source, ["/bin/sh", "-c", service["run_command"]], "builds")

    async def _run(self, command: list[str], cwd: Path, env: dict[str, str], log: LogFile, problem: str) -> None:
        program = await self.processes.start(command, cwd, _base(cwd) | env, log.line)
        try:
            status = await asyncio.shield(program.exited)
        except asyncio.CancelledError:
            await program.stop(1)
            raise
        if status != 0:
            raise StepFailed("BuildFailed", f"{problem} (status {status})")


def _source(work: Path, given: str) -> Path:
    source = (work / given.strip("/")).resolve()
    if not source.is_dir() or not source.is_relative_to(work.resolve()):
        raise StepFailed("BuildFailed", f"source_dir {given!r} is not in the repository")
    return source


def _base(home: Path) -> dict[str, str]:
    """A build's environment: never the local cloud's own, and git must not ask for passwords."""
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}


def _key(service: dict[str, Any], commit: str, env: dict[str, str]) -> str:
    inputs = [service["git"]["repo_clone_url"], commit, service.get("source_dir", ""), service.get("build_command", "")]
    return hashlib.sha256(json.dumps([inputs, service["run_command"], sorted(env.items())]).encode()).hexdigest()
