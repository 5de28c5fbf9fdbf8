"""The cloudflare plugin: its configuration and its resources."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import ClassVar

from offline_plugins import VERSIONS
from offline_plugins.api import Api, Retries, loopback
from offline_plugins.cloudflare.attributes import clean
from offline_plugins.cloudflare.d1_database import D1Database
from offline_plugins.cloudflare.queue import Queue
from offline_plugins.cloudflare.queue_consumer import QueueConsumer
from offline_plugins.cloudflare.r2_bucket import R2Bucket
from offline_plugins.cloudflare.workers_cron_trigger import WorkersCronTrigger
from offline_plugins.cloudflare.workers_custom_domain import WorkersCustomDomain
from offline_plugins.cloudflare.workers_kv_namespace import WorkersKvNamespace
from offline_plugins.cloudflare.workers_script import WorkersScript
from offline_plugins.cloudflare.workers_script_subdomain import WorkersScriptSubdomain
from offline_plugins.resource import UNKNOWN, Checked, Failure, Props, Provider, ProviderError, Resource, Secret

_TOKEN = re.compile(r"[0-9A-Za-z_-]{40,80}")
_TOKEN_RULE = "API tokens must only contain characters a-z, A-Z, 0-9, hyphens and underscores"
_SECRETS = ("apiToken", "apiKey")
_KEYS = ("apiToken", "apiKey", "email", "baseUrl", "version")
_ENVIRONMENT = {
    "apiToken": "CLOUDFLARE_API_TOKEN",
    "apiKey": "CLOUDFLARE_API_KEY",
    "email": "CLOUDFLARE_EMAIL",
    "baseUrl": "CLOUDFLARE_BASE_URL",
}
_OFFICIAL_URL = "https://api.cloudflare.com/client/v4"
# As recorded: ten more tries for these statuses. The official plugin waits 186 seconds in all, this one about ten.
_RETRIES = Retries(more=10, first=0.05, longest=1.5, statuses=frozenset({408, 409, 429}))


class Cloudflare(Provider):
    name = "cloudflare"
    version = VERSIONS["cloudflare"]
    accept_resources = True
    handshake = "Handshake is not yet implemented"
    resources: ClassVar[Mapping[str, Resource]] = {
        WorkersScript.token: WorkersScript(),
        WorkersScriptSubdomain.token: WorkersScriptSubdomain(),
        WorkersCustomDomain.token: WorkersCustomDomain(),
        WorkersKvNamespace.token: WorkersKvNamespace(),
        WorkersCronTrigger.token: WorkersCronTrigger(),
        R2Bucket.token: R2Bucket(),
        D1Database.token: D1Database(),
        Queue.token: Queue(),
        QueueConsumer.token: QueueConsumer(),
    }

    def check_config(self, news: Props) -> Checked:
        config = clean(news)
        secret = {key: Secret(config[key]) for key in _SECRETS if config.get(key, UNKNOWN) is not UNKNOWN}
        return Checked(config | secret, [Failure(reason) for reason in _config_failures(config)])

    def configure(self, config: Props, api: Api) -> None:
        settings = clean(config)
        values = {key: settings.get(key) or os.environ.get(variable, "") for key, variable in _given(settings)}
        api.retries = _RETRIES
        api.headers = {"Accept": "application/json", "User-Agent": f"offline-plugin/{self.name} {self.version}"}
        if values.get("apiToken"):
            if not _TOKEN.fullmatch(values["apiToken"]):
                raise ProviderError(f"CLOUDFLARE_API_TOKEN is no API token: {_TOKEN_RULE}, 40 to 80 of them.")
            api.headers["Authorization"] = f"Bearer {values['apiToken']}"
        if values.get("apiKey"):
            api.headers |= {"X-Auth-Email": values.get("email", ""), "X-Auth-Key": values["apiKey"]}
        if "baseUrl" in values:
            api.endpoint = loopback(values["baseUrl"] or _OFFICIAL_URL, "cloudflare:baseUrl")


def _given(config: Props) -> list[tuple[str, str]]:
    """Return the known settings with their environment variables; a computed one is known only in the update itself."""
    return [(key, variable) for key, variable in _ENVIRONMENT.items() if config.get(key) is not UNKNOWN]


def _config_failures(config: Props) -> list[str]:
    found = [
        f"`cloudflare:{key}` is not a valid configuration key for the cloudflare provider. If the referenced key is "
        "not intended for the provider, please choose a different namespace from `cloudflare:`."
        for key in config
        if key not in _KEYS
    ]
    token = config.get("apiToken")
    if token is not None and token is not UNKNOWN and not _TOKEN.fullmatch(token):
        found.append(_refused("Invalid Attribute Value. Attribute api_token " + _TOKEN_RULE, "apiToken"))
    if "apiKey" in config and "email" not in config:
        reason = 'Invalid Attribute Combination. Attribute "email" must be specified when "api_key" is specified'
        found.append(_refused(reason, "apiKey"))
    return found


def _refused(reason: str, key: str) -> str:
    return f"could not validate provider configuration: {reason}. Check `pulumi config get cloudflare:{key}`."


def make() -> Provider:
    return Cloudflare()
