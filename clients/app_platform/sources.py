"""The source of a component of an app spec: a git repository or an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HOSTS = {"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org"}
"""Git hosts that notify DigitalOcean of pushes, by the component's key."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """The source of a component. `origin` is `github.com/OWNER/REPO`, or an image's name without a `branch`.

    `deployed_on_push` is true if a push to the source deploys the app.
    """

    origin: str
    branch: str = ""
    deployed_on_push: bool = False

    @property
    def built(self) -> bool:
        """Return whether App Platform builds the source."""
        return bool(self.branch)

    def __str__(self) -> str:
        return f"{self.origin}, branch {self.branch}" if self.built else self.origin

    @classmethod
    def of(cls, component: Mapping[str, Any]) -> Source | None:
        """Read the source of a component in the API's form (godo's AppServiceSpec); None if it has none."""
        for key, host in HOSTS.items():
            if repository := component.get(key):
                on_push = bool(repository.get("deploy_on_push"))
                return cls(origin=f"{host}/{repository['repo']}", branch=_branch(repository), deployed_on_push=on_push)
        if repository := component.get("git"):
            address = str(repository["repo_clone_url"]).partition("://")[2] or str(repository["repo_clone_url"])
            return cls(origin=address.rpartition("@")[2].removesuffix(".git"), branch=_branch(repository))
        if image := component.get("image"):
            on_push = bool((image.get("deploy_on_push") or {}).get("enabled"))
            names = (image.get("registry"), image.get("repository"))
            return cls(origin="/".join(each for each in names if each), deployed_on_push=on_push)
        return None


def _branch(repository: Mapping[str, Any]) -> str:
    return str(repository.get("branch") or "main")
