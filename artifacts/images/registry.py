"""A client of a container registry: find and set the tags of a repository.

API: https://github.com/opencontainers/distribution-spec/blob/main/spec.md. Login protocol:
https://distribution.github.io/distribution/spec/auth/token/. A login is sent only to the registry, and to its address
for tokens, if this address is encrypted or on this machine.
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
from errors import First, Fix, Remedy
from settings import ImageSettings

SECONDS = 20.0
"""The timeout of each step of a request."""
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
    """Return the registry of a stack's image. `endpoint` is the API of the DOCR's account. Raises ImageError."""
    account = Account(endpoint, environment.get("DIGITALOCEAN_TOKEN", ""))
    host = image.host or HOSTS[image.registry_type]
    registry = account.registry() if image.registry is None and host == DOCR else image.registry
    path = "/".join(part for part in (registry, image.repository) if part)
    return Registry(Repository(host=host, path=path), Logins(environment, account))


class Registry:
    """One repository in a registry. Methods raise ImageError if the registry does not answer, or refuses the login."""

    def __init__(self, repository: Repository, logins: Logins) -> None:
        self.repository, self._logins = repository, logins
        self._authorization: dict[str, str] = {}

    def login(self) -> Login | None:
        """Return the login for pushes."""
        return self._logins.of(self.repository, write=True)

    def digest(self, reference: str) -> str | None:
        """Return the digest of a tag or digest; None if the repository does not have it."""
        answer = self._request("HEAD", reference, PULL)
        if answer.status_code == 404:
            return None
        digest_header = answer.headers.get("docker-content-digest", "")
        if not DIGEST.fullmatch(digest_header):
            raise ImageError(
                f"The registry at {self.repository.host} returned no digest for {reference} (status "
                f"{answer.status_code}).",
                self._see_answer(reference),
            )
        return str(digest_header)

    def tag(self, digest: str, tag: str) -> None:
        """Add a tag to an existing manifest, so that garbage collection does not delete it."""
        manifest = self._request("GET", digest, PULL)
        kind = {"content-type": manifest.headers.get("content-type", "")}
        if manifest.status_code == 200:
            self._request("PUT", tag, PUSH, kind, manifest.content)

    def _request(
        self, method: str, reference: str, scope: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> httpx.Response:
        address = f"{self.repository.address}/manifests/{reference}"
        base_headers = {"accept": ", ".join(MANIFESTS), **(headers or {})}
        try:
            with client(SECONDS) as http:
                answer = http.request(
                    method, address, headers={**base_headers, **self._authorization_header(scope)}, content=body
                )
                if answer.status_code == 401:
                    self._authorization[scope] = self._authorize(http, answer, scope)
                    answer = http.request(
                        method, address, headers={**base_headers, **self._authorization_header(scope)}, content=body
                    )
        except httpx.HTTPError as error:
            raise ImageError(
                f"The registry at {self.repository.host} does not answer ({str(error) or type(error).__name__}).",
                self._see_answer(reference),
            ) from None
        return self._checked(answer, scope)

    def _checked(self, answer: httpx.Response, scope: str) -> httpx.Response:
        if answer.status_code in (401, 403):
            raise self._refused(scope)
        if answer.status_code >= 300 and answer.status_code != 404:
            raise ImageError(
                f"The registry at {self.repository.host} failed at a request for {self.repository.path} (status "
                f"{answer.status_code}).",
                First("wait a minute", Remedy.RETRY),
            )
        return answer

    def _authorization_header(self, scope: str) -> dict[str, str]:
        known = self._authorization.get(scope)
        return {"authorization": known} if known else {}

    def _authorize(self, http: httpx.Client, answer: httpx.Response, scope: str) -> str:
        """Return the authorization that the registry's challenge requires."""
        challenge = answer.headers.get("www-authenticate", "")
        login = self._logins.of(self.repository, write=scope == PUSH)
        if challenge.lower().startswith("basic"):
            if login is None:
                raise self._refused(scope)
            return f"Basic {login.basic}"
        parameters = dict(PARAMETER.findall(challenge))
        realm = parameters.get("realm", "")
        if not _is_safe(realm):
            raise self._refused(scope)
        query = {"service": parameters.get("service", ""), "scope": f"repository:{self.repository.path}:{scope}"}
        headers = {"authorization": f"Basic {login.basic}"} if login else {}
        response = http.get(f"{realm}?{urlencode(query)}", headers=headers)
        try:
            token = response.json()
            return f"Bearer {token.get('token') or token['access_token']}"
        except (ValueError, LookupError, AttributeError):
            raise self._refused(scope) from None

    def _refused(self, scope: str) -> ImageError:
        what = "read" if scope == PULL else "written to"
        host = self.repository.host
        how = "doctl registry login" if host == DOCR else f"docker login {host}"
        return ImageError(f"{self.repository} may not be {what} with the login on this machine.", Fix(how))

    def _see_answer(self, reference: str) -> Fix:
        return Fix(f"curl -sSI {self.repository.address}/manifests/{reference}", "to see what answers there")


def _is_safe(address: str) -> bool:
    """Return whether a login may be sent to the address."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    )
