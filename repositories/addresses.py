"""The addresses that a branch is pushed to. A remote may have several push addresses, and another fetch address."""

from __future__ import annotations

import re
from dataclasses import dataclass

from programs import quoted
from repositories.failures import Stopped, git_failure, without_credentials
from repositories.git import Git

REMOTE_SECONDS = 60.0
USER = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True)
class Address:
    """One push address. `url` is a URL or a remote's name, as git takes it."""

    url: str

    def __str__(self) -> str:
        return quoted(without_credentials(self.url))

    @property
    def named_by_git(self) -> str:
        """The address in git's own output, where it has no user and no password."""
        return USER.sub("", self.url)


def push_addresses(git: Git, remote: str) -> tuple[Address, ...]:
    """Return the push addresses of a remote; only the remote's name if it is pushed to its fetch address."""
    pushed = git.run("remote", "get-url", "--push", "--all", "--", remote).names.splitlines()
    fetched = git.run("remote", "get-url", "--", remote).names.splitlines()
    urls = list(dict.fromkeys(pushed))
    return tuple(Address(url) for url in urls) if urls and urls != fetched else (Address(remote),)


def tip(git: Git, address: Address, ref: str) -> str:
    """Return the commit of a ref at an address; empty if there is no such ref. Raises Stopped without an answer."""
    listing = git.run("ls-remote", "--quiet", "--", address.url, ref, seconds=REMOTE_SECONDS)
    if listing.status != 0:
        raise git_failure(listing.errors, git.path, f"Asking {address}")
    lines = (line.partition("\t") for line in listing.text.splitlines())
    return next((commit for commit, _, name in lines if name == ref), "")


def has(git: Git, address: Address, ref: str, commit: str) -> bool | None:
    """Return whether the ref is at the commit at this address; None without an answer."""
    try:
        return tip(git, address, ref) == commit
    except Stopped:
        return None
