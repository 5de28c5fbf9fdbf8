"""The container registries of a DigitalOcean account, and their logins.

Shapes and scopes: https://docs.digitalocean.com/reference/api/, `registries_list` (registry:read) and
`registries_get_dockerCredentials` (registry:read and registry:update).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from artifacts.images.errors import ImageError
from artifacts.images.repository import DOCR
from clients.app_platform.client import ADDRESS_KEY
from clients.cloud_api import Api, ApiError
from errors import First, Fix, Help, Remedy, SetKey

T = TypeVar("T")
VARIABLE = "DIGITALOCEAN_TOKEN"
LOG_IN = Fix("doctl registry login", "to log in to the registry")
LOGIN_SECONDS = 3600
"""How long a login is valid: longer than any push takes."""


@dataclass(frozen=True)
class Account:
    """The account whose API is at `endpoint`."""

    endpoint: str
    token: str

    def registry(self) -> str:
        """Return the name of the account's only registry. Raises ImageError if it has none or several."""
        names = self._get("/v2/registries", lambda answer: [str(each["name"]) for each in answer["registries"] or []])
        if len(names) == 1:
            return names[0]
        if not names:
            create = Fix("doctl registries create NAME", "to create one")
            raise ImageError("DigitalOcean's account has no container registry.", create)
        raise ImageError(
            f"DigitalOcean's account has several container registries ({', '.join(names)}).",
            SetKey("oracle-net:backend.image.registry", "NAME"),
        )

    def login(self, registry: str, *, write: bool) -> tuple[str, str]:
        """Return a user and a password for one of the account's registries. Raises ImageError.

        To read, the login is the token itself, which needs only the scope registry:read. To write, the login is a
        temporary one for an hour, so that a builder never gets the token.
        """
        self._require_token()
        if not write:
            return self.token, self.token
        query = f"read_write=true&expiry_seconds={LOGIN_SECONDS}"
        encoded = self._get(
            f"/v2/registries/{registry}/docker-credentials?{query}", lambda answer: str(answer["auths"][DOCR]["auth"])
        )
        user, _, password = base64.b64decode(encoded).decode().partition(":")
        return user, password

    def _get(self, path: str, read: Callable[[Any], T]) -> T:
        self._require_token()
        try:
            api = Api("DigitalOcean", self.endpoint, self.token, VARIABLE, address_key=ADDRESS_KEY)
        except ApiError as error:
            raise _image_error(error) from None
        try:
            return api.ask("GET", path, read)
        except ApiError as error:
            raise _image_error(error) from None
        finally:
            api.close()

    def _require_token(self) -> None:
        if not self.token:
            problem = f"{VARIABLE} is not set, and there is no login of {DOCR} on this machine."
            raise ImageError(problem, LOG_IN, Remedy.LOAD_ENVIRONMENT)


def _image_error(error: ApiError) -> ImageError:
    helps: tuple[Help, ...] = error.helps
    if error.status in (401, 403):
        scopes = First(f"set {VARIABLE} to a token with the scope registry:read, and registry:update for pushes")
        helps = (scopes, LOG_IN)
    return ImageError(error.problem, *helps, cause=error.cause)
