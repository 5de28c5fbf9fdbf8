"""The digitalocean plugin: its configuration, from the program or the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import urlsplit

from offline_plugins import VERSIONS
from offline_plugins.api import Api, Retries, loopback
from offline_plugins.digitalocean.app import App
from offline_plugins.digitalocean.uptime import UptimeAlert, UptimeCheck
from offline_plugins.resource import UNKNOWN, Checked, Failure, Props, Provider, ProviderError, Resource

_DEFAULT_ENDPOINT = "https://api.digitalocean.com"
_TEXTS = ("apiEndpoint", "token", "spacesAccessId", "spacesEndpoint", "spacesSecretKey")
_NUMBERS = ("httpRetryMax", "httpRetryWaitMax", "httpRetryWaitMin", "requestsPerSecond")
_OTHERS = ("version", "pluginDownloadURL")
_TRIES = 4


class DigitalOcean(Provider):
    """Talks to `digitalocean:apiEndpoint` with a bearer token."""

    name = "digitalocean"
    version = VERSIONS["digitalocean"]
    names_step = True
    resources: ClassVar[Mapping[str, Resource]] = {
        resource.token: resource for resource in (App(), UptimeCheck(), UptimeAlert())
    }

    def check_config(self, news: Props) -> Checked:
        unknown = [key for key in news if key not in (*_TEXTS, *_NUMBERS, *_OTHERS)]
        if unknown:
            return Checked({}, [Failure(_refusal(key)) for key in unknown])
        for key in _NUMBERS:
            _number(news.get(key))
        return Checked(news)

    def configure(self, config: Props, api: Api) -> None:
        endpoint = config.get("apiEndpoint", os.environ.get("DIGITALOCEAN_API_URL", _DEFAULT_ENDPOINT))
        if endpoint is not UNKNOWN:
            # The official plugin's client joins absolute paths: of the address, only the origin counts.
            parts = urlsplit(loopback(endpoint, "digitalocean:apiEndpoint"))
            api.endpoint = f"{parts.scheme}://{parts.netloc}"
        token = config.get("token", _environment("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN"))
        bearer = f"Bearer {'' if token is UNKNOWN else token}".rstrip()
        api.headers = {"Authorization": bearer, "Accept": "application/json"}
        asked = _number(config.get("httpRetryMax"))
        api.retries = Retries(more=_TRIES if asked is None else int(asked))


def _environment(*names: str) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _refusal(key: str) -> str:
    return (
        f"`digitalocean:{key}` is not a valid configuration key for the digitalocean provider. If the referenced key "
        "is not intended for the provider, please choose a different namespace from `digitalocean:`."
    )


def _number(value: object) -> float | None:
    """Parse a config value, which is text. Raises ProviderError for one that is no number."""
    if value is None or value is UNKNOWN:
        return None
    try:
        return float(str(value))
    except ValueError:
        wrong = str(value)[:1]
        text = f"invalid character '{wrong}' looking for beginning of value"
        raise ProviderError(f"CheckConfig failed because of malformed resource inputs: {text}") from None


def make() -> Provider:
    return DigitalOcean()
