"""What a component of an app spec is built from, and whether a push to it deploys the app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HOSTS = {"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org"}
"""Keys of a component with a git source that DigitalOcean is told of pushes to, and where it is."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """`origin` is `github.com/OWNER/REPO`, or an image's name; `branch` is empty for an image."""

    origin: str
    branch: str = ""
    deployed_on_push: bool = False

    @property
    def built(self) -> bool:
        """Whether App Platform builds it itself."""
        return bool(self.branch)

    def __str__(self) -> str:
        return f"{self.origin}, branch {self.branch}" if self.built else self.origin

    @classmethod
    def of(cls, component: Mapping[str, Any]) -> Source | None:
        """The source of a component as DigitalOcean's API shows it (godo's AppServiceSpec); None when it has none."""
        for key, host in HOSTS.items():
            if found := component.get(key):
                on_push = bool(found.get("deploy_on_push"))
                return cls(origin=f"{host}/{found['repo']}", branch=_branch(found), deployed_on_push=on_push)
        if found := component.get("git"):
            address = str(found["repo_clone_url"]).partition("://")[2] or str(found["repo_clone_url"])
            return cls(origin=address.rpartition("@")[2].removesuffix(".git"), branch=_branch(found))
        if image := component.get("image"):
            on_push = bool((image.get("deploy_on_push") or {}).get("enabled"))
            names = (image.get("registry"), image.get("repository"))
            return cls(origin="/".join(each for each in names if each), deployed_on_push=on_push)
        return None


def _branch(found: Mapping[str, Any]) -> str:
    return str(found.get("branch") or "main")
