"""The repositories that the account may build from, and the deployments that a push to one of them starts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from localcloud.digitalocean.errors import invalid
from localcloud.digitalocean.models import App
from localcloud.repositories import Repositories, Repository, RepositoryError, identity, source_name

FORMAT = "%H%n%an%n%s"
ADD = "oracle cloud repository {name} CHECKOUT"


def check_access(spec: Mapping[str, Any], repositories: Repositories) -> None:
    """Raise ApiError 400 for a repository that the account has no access to, in the real API's words and ours.

    The real words are "GitHub user does not have access to OWNER/REPO" (squarecat/doc-buddy#1), with status 400
    (digitalocean/terraform-provider-digitalocean#547).
    """
    for service in spec["services"]:
        repository, name = repositories.of(service), source_name(service)
        if name is None:
            continue
        add = ADD.format(name=name if service.get("github") else "OWNER/REPO")
        if service.get("github") and repository is None:
            raise invalid(f"GitHub user does not have access to {name}; give the local cloud a checkout of it: {add}")
        if service.get("dockerfile_path") and (repository is None or not repository.run):
            raise invalid(
                f"the local cloud builds no Dockerfiles; say what does the work of the one in {name}: {add} "
                "--build COMMAND --run COMMAND"
            )


def deploys(app: App, repository: Repository, branch: str) -> bool:
    """Return whether a push to this branch deploys the app."""
    sources = [service.get("github") or {} for service in app.spec["services"]]
    return not app.pinned_id and any(
        github.get("deploy_on_push")
        and github["branch"] == branch
        and identity(github["repo"]) == identity(repository.name)
        for github in sources
    )


def cause_of(push: Mapping[str, str], app: App) -> tuple[str, dict[str, Any]]:
    """Return a deployment's `cause` and `cause_details` (godo's DeploymentCauseDetailsGitPush)."""
    github = app.spec["services"][0]["github"]
    details = {"git_push": {"github": github, **push}, "type": "DEPLOY_ON_PUSH"}
    return f"commit {push['commit_sha'][:7]} pushed to github/{github['repo']}", details


async def head_of(repository: Repository, branch: str) -> dict[str, str]:
    """Return the newest commit of a branch, as in a deployment's `cause_details`. Raises RepositoryError."""
    command = ["git", "-C", repository.checkout, "log", "-1", f"--format={FORMAT}", f"refs/heads/{branch}", "--"]
    program = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await program.communicate()
    lines = out.decode(errors="replace").splitlines()
    if program.returncode or len(lines) < len(FORMAT.split("%n")):
        raise RepositoryError(f"The checkout of {repository.name} has no branch {branch}.")
    return {"commit_sha": lines[0], "commit_author": lines[1], "username": lines[1], "commit_message": lines[2]}
