"""The addresses that a branch is pushed to. A remote may have several, and others than the one it is fetched from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from programs import quoted
from repositories.failures import Stopped, git_sentence, without_credentials
from repositories.git import Git

REMOTE_SECONDS = 60.0
USER = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True)
class Address:
    """Where one push goes: `url` is what git is told."""

    url: str

    def __str__(self) -> str:
        return quoted(without_credentials(self.url))

    @property
    def named_by_git(self) -> str:
        """As git's own output names it: without a user and a password."""
        return USER.sub("", self.url)


def push_addresses(git: Git, remote: str) -> tuple[Address, ...]:
    """Where `git push` sends the branch; the remote's name alone when that is where it is fetched from."""
    pushed = git.run("remote", "get-url", "--push", "--all", "--", remote).names.splitlines()
    fetched = git.run("remote", "get-url", "--", remote).names.splitlines()
    urls = list(dict.fromkeys(pushed))
    return tuple(Address(url) for url in urls) if urls and urls != fetched else (Address(remote),)


def tip(git: Git, address: Address, ref: str) -> str:
    """The commit that a ref is at; empty where there is no such ref. Raises Stopped when it cannot be asked."""
    asked = git.run("ls-remote", "--quiet", "--", address.url, ref, seconds=REMOTE_SECONDS)
    if asked.status != 0:
        raise Stopped(git_sentence(asked.errors, git.path, f"Asking {address}"))
    lines = (line.partition("\t") for line in asked.text.splitlines())
    return next((commit for commit, _, name in lines if name == ref), "")


def has(git: Git, address: Address, ref: str, commit: str) -> bool | None:
    """Whether the ref is at the commit there; None when it does not answer."""
    try:
        return tip(git, address, ref) == commit
    except Stopped:
        return None
