"""Logins of container registries: those of `docker login`, `podman login` and `doctl registry login`, or made from
DigitalOcean's token.

The files and credential helpers are docker's: https://docs.docker.com/reference/cli/docker/login/. A login is never an
argument of a program: helpers get the registry's name by standard input, and builders get a file that only we can read.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from artifacts.images.digitalocean import Account
from artifacts.images.repository import DOCR, HUB, Repository
from programs import OutOfTime, run

HELPER_SECONDS = 20.0
HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io")
TOKEN_USER = "<token>"
"""The user name that marks an identity token, which is no password."""


@dataclass(frozen=True)
class Login:
    """A user and a password, or a token in place of the password."""

    user: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The login in the form of HTTP's Basic scheme and of docker's files."""
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(frozen=True)
class Logins:
    """The sources of logins. `environment` has the paths of docker's and podman's files."""

    environment: Mapping[str, str]
    account: Account

    def of(self, repository: Repository, *, write: bool) -> Login | None:
        """Return the login for a repository, or None. Raises ImageError."""
        for config in self._configs():
            if login := self._in(config, repository):
                return login
        if repository.host == DOCR:
            return Login(*self.account.login(repository.path.partition("/")[0], write=write))
        return None

    def _configs(self) -> Iterator[Mapping[str, Any]]:
        home = Path(self.environment.get("HOME") or Path.home())
        docker = Path(self.environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
        named = [Path(path) for path in [self.environment.get("REGISTRY_AUTH_FILE")] if path]
        runtime = [Path(path) / "containers/auth.json" for path in [self.environment.get("XDG_RUNTIME_DIR")] if path]
        for path in (*named, docker, *runtime, home / ".config/containers/auth.json"):
            with suppress(OSError, ValueError):
                config = json.loads(path.read_text())
                if isinstance(config, dict):
                    yield config

    def _in(self, config: Mapping[str, Any], repository: Repository) -> Login | None:
        keys = _keys(repository)
        helpers, auths = config.get("credHelpers") or {}, config.get("auths") or {}
        for key in keys:
            if key in helpers:
                return self._from_helper(str(helpers[key]), key)
        for key in keys:
            if login := _login(auths.get(key)):
                return login
        if store := config.get("credsStore"):
            return next((login for key in keys if (login := self._from_helper(str(store), key))), None)
        return None

    def _from_helper(self, helper: str, key: str) -> Login | None:
        """Ask a credential helper; None if it has no login, or is not installed."""
        with suppress(OSError, OutOfTime, ValueError, KeyError, TypeError):
            command = [f"docker-credential-{helper}", "get"]
            done = run(command, stdin=key.encode(), env=self.environment, seconds=HELPER_SECONDS)
            answer = json.loads(done.output) if done.status == 0 else {}
            if answer.get("Username") != TOKEN_USER:
                return Login(answer["Username"], answer["Secret"])
        return None


def _keys(repository: Repository) -> list[str]:
    """Return the keys of a login in a file, the closest first. Podman's keys may have a part of the path."""
    if repository.host == HUB:
        return list(HUB_KEYS)
    steps = str(repository).split("/")
    return ["/".join(steps[:count]) for count in range(len(steps), 0, -1)] + [f"https://{repository.host}"]


def _login(entry: Any) -> Login | None:
    if not isinstance(entry, dict):
        return None
    if entry.get("username") and entry.get("password"):
        return Login(str(entry["username"]), str(entry["password"]))
    with suppress(ValueError):
        user, colon, password = base64.b64decode(str(entry.get("auth") or "")).decode().partition(":")
        if colon and user and password:
            return Login(user, password.rstrip("\0"))
    return None
