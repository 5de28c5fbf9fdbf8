"""A repository of a container registry, as in the names of images."""

from __future__ import annotations

from dataclasses import dataclass

from clients.http import is_loopback

DOCR = "registry.digitalocean.com"
HUB = "docker.io"
HUB_API = "registry-1.docker.io"


@dataclass(frozen=True, kw_only=True)
class Repository:
    """`host` may have a port; `path` has the namespace in front where the registry has one."""

    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"

    def tagged(self, tag: str) -> str:
        """Return the name of an image with this tag."""
        return f"{self}:{tag}"

    @property
    def is_local(self) -> bool:
        """True if the registry is on this machine. Then TLS is not used."""
        return is_loopback(self.host.rpartition(":")[0] or self.host)

    @property
    def address(self) -> str:
        """The repository's address in the registry's API (OCI distribution specification)."""
        scheme = "http" if self.is_local else "https"
        return f"{scheme}://{HUB_API if self.host == HUB else self.host}/v2/{self.path}"
