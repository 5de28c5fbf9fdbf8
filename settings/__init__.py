"""All configuration of a stack, read and checked once, frozen.

`load()` reads the `oracle-net:*` keys of the running stack; `from_file()` reads the same keys from a
`Pulumi.<stack>.yaml` without an engine. An error's text has one line for each problem: the key, what is wrong with it
and what that would cause, and the command that mends it. No other module reads configuration.
"""

from settings.complaints import still_the_templates
from settings.loading import (
    CLOUDFLARE,
    DIGITALOCEAN,
    SettingsError,
    cloudflare_endpoint,
    digitalocean_endpoint,
    from_file,
    load,
    parse,
    revealed,
)
from settings.model import (
    APP_NAME_LIMIT,
    GENERATION_SUFFIX,
    HISTORY_KEYS,
    OURS,
    PASSWORD_BYTES,
    PASSWORD_CHARACTERS,
    PLACEHOLDER,
    PROJECT,
    SCRIPT_NAME_LIMIT,
    SECRET_KEYS,
    AssetsSettings,
    BackendSettings,
    DomainSettings,
    HealthSettings,
    ImageSettings,
    ModuleSettings,
    MonitoringSettings,
    ReceiptSettings,
    Settings,
    WorkerSettings,
)

__all__ = [
    "APP_NAME_LIMIT",
    "CLOUDFLARE",
    "DIGITALOCEAN",
    "GENERATION_SUFFIX",
    "HISTORY_KEYS",
    "OURS",
    "PASSWORD_BYTES",
    "PASSWORD_CHARACTERS",
    "PLACEHOLDER",
    "PROJECT",
    "SCRIPT_NAME_LIMIT",
    "SECRET_KEYS",
    "AssetsSettings",
    "BackendSettings",
    "DomainSettings",
    "HealthSettings",
    "ImageSettings",
    "ModuleSettings",
    "MonitoringSettings",
    "ReceiptSettings",
    "Settings",
    "SettingsError",
    "WorkerSettings",
    "cloudflare_endpoint",
    "digitalocean_endpoint",
    "from_file",
    "load",
    "parse",
    "revealed",
    "still_the_templates",
]
