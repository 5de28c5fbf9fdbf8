"""A repository in a container registry: which digest a tag has, and whether a digest is there.

API: https://github.com/opencontainers/distribution-spec/blob/main/spec.md; how a registry asks for a login:
https://distribution.github.io/distribution/spec/auth/token/. A login goes to the registry, and to the address that it
names for tokens, where both are encrypted or on this machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from artifacts.images.digitalocean import Account
from artifacts.images.errors import ImageError
from artifacts.images.logins import Login, Logins
from artifacts.images.repository import DOCR, HUB, Repository
from clients.http import client, httpx, is_loopback
from settings import ImageSettings

SECONDS = 20.0
"""For each step of a request."""
HOSTS = {"DOCR": DOCR, "GHCR": "ghcr.io", "DOCKER_HUB": HUB}
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
PARAMETER = re.compile(r'(\w+)="([^"]*)"')
PULL, PUSH = "pull", "pull,push"


def registry_of(image: ImageSettings, endpoint: str, environment: Mapping[str, str]) -> Registry:
    """The registry of a stack's image; `endpoint` is the API of the account that has the DOCR. Raises ImageError."""
    account = Account(endpoint, environment.get("DIGITALOCEAN_TOKEN", ""))
    host = image.host or HOSTS[image.registry_type]
    registry = account.registry() if image.registry is None and host == DOCR else image.registry
    path = "/".join(part for part in (registry, image.repository) if part)
    return Registry(Repository(host=host, path=path), Logins(environment, account))


class Registry:
    """Everything raises ImageError where the registry does not answer, or refuses the login."""

    def __init__(self, repository: Repository, logins: Logins) -> None:
        self.repository, self._logins = repository, logins
        self._authorization: dict[str, str] = {}

    def login(self) -> Login | None:
        """That with which images are pushed."""
        return self._logins.of(self.repository, write=True)

    def digest(self, reference: str) -> str | None:
        """The digest of a tag, or the digest itself; None where the repository does not have it."""
        answer = self._asked("HEAD", reference, PULL)
        if answer.status_code == 404:
            return None
        found = answer.headers.get("docker-content-digest", "")
        if not DIGEST.fullmatch(found):
            raise ImageError(
                f"The registry at {self.repository.host} names no digest for {reference} (status "
                f"{answer.status_code}); see what answers there: curl -sSI "
                f"{self.repository.address}/manifests/{reference}"
            )
        return str(found)

    def tag(self, digest: str, tag: str) -> None:
        """Gives a manifest that is there another tag, so that nothing clears it away."""
        manifest = self._asked("GET", digest, PULL)
        kind = {"content-type": manifest.headers.get("content-type", "")}
        if manifest.status_code == 200:
            self._asked("PUT", tag, PUSH, kind, manifest.content)

    def _asked(
        self, method: str, reference: str, scope: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> httpx.Response:
        address = f"{self.repository.address}/manifests/{reference}"
        sent = {"accept": ", ".join(MANIFESTS), **(headers or {})}
        try:
            with client(SECONDS) as http:
                answer = http.request(method, address, headers={**sent, **self._known(scope)}, content=body)
                if answer.status_code == 401:
                    self._authorization[scope] = self._authorized(http, answer, scope)
                    answer = http.request(method, address, headers={**sent, **self._known(scope)}, content=body)
        except httpx.HTTPError as error:
            raise ImageError(
                f"The registry at {self.repository.host} does not answer ({str(error) or type(error).__name__}); see: "
                f"curl -sSI {self.repository.address}/manifests/{reference}"
            ) from None
        return self._checked(answer, scope)

    def _checked(self, answer: httpx.Response, scope: str) -> httpx.Response:
        if answer.status_code in (401, 403):
            raise self._refused(scope)
        if answer.status_code >= 300 and answer.status_code != 404:
            raise ImageError(
                f"The registry at {self.repository.host} could not be asked for {self.repository.path} (status "
                f"{answer.status_code}); try again in a minute."
            )
        return answer

    def _known(self, scope: str) -> dict[str, str]:
        known = self._authorization.get(scope)
        return {"authorization": known} if known else {}

    def _authorized(self, http: httpx.Client, answer: httpx.Response, scope: str) -> str:
        """What the registry's own challenge asks for."""
        challenge = answer.headers.get("www-authenticate", "")
        login = self._logins.of(self.repository, write=scope == PUSH)
        if challenge.lower().startswith("basic"):
            if login is None:
                raise self._refused(scope)
            return f"Basic {login.basic}"
        named = dict(PARAMETER.findall(challenge))
        realm = named.get("realm", "")
        if not _is_safe(realm):
            raise self._refused(scope)
        query = {"service": named.get("service", ""), "scope": f"repository:{self.repository.path}:{scope}"}
        headers = {"authorization": f"Basic {login.basic}"} if login else {}
        given = http.get(f"{realm}?{urlencode(query)}", headers=headers)
        try:
            token = given.json()
            return f"Bearer {token.get('token') or token['access_token']}"
        except (ValueError, LookupError, AttributeError):
            raise self._refused(scope) from None

    def _refused(self, scope: str) -> ImageError:
        what = "read" if scope == PULL else "written to"
        host = self.repository.host
        how = "doctl registry login" if host == DOCR else f"docker login {host}"
        return ImageError(f"{self.repository} may not be {what} with the login that is here; log in: {how}")


def _is_safe(address: str) -> bool:
    """Whether a login may be sent there."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    )
