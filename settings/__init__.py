"""The configuration of a stack, read and checked once, and frozen.

`load()` reads the `oracle-net:*` keys of the running stack. `from_file()` reads the same keys from a
`Pulumi.<stack>.yaml` without an engine. A `SettingsError` has an error for each problem: the key, the problem, the
consequence, and its fixes. No other module reads configuration.
"""

# ruff: noqa: E402
import os

# pydantic searches every installed package for plugins, which takes as long as all models. This variable
# (pydantic/plugin/_loader.py) disables the search. It is reset below, so no child process inherits it.
_VARIABLE = "PYDANTIC_DISABLE_PLUGINS"
_before = os.environ.get(_VARIABLE)
os.environ[_VARIABLE] = "__all__"

from settings.backend import (
    APP_NAME_LIMIT,
    CONTAINER_RULES,
    GENERATION_SUFFIX,
    AlertSettings,
    BackendSettings,
    BuildSettings,
    ImageSettings,
    ReplicaSettings,
)
from settings.bindings import (
    BindingSettings,
    BucketBinding,
    ConsumerSettings,
    DatabaseBinding,
    DurableObjectBinding,
    KvBinding,
    Migration,
    QueueBinding,
    ServiceBinding,
    TextBinding,
)
from settings.consistency import OURS
from settings.errors import SettingsError, template_values
from settings.loading import (
    CLOUDFLARE,
    DIGITALOCEAN,
    cloudflare_endpoint,
    digitalocean_endpoint,
    from_file,
    load,
    parse,
    revealed,
)
from settings.model import (
    HISTORY_KEYS,
    PASSWORD_BYTES,
    PASSWORD_CHARACTERS,
    PLACEHOLDER,
    SECRET_KEYS,
    MonitoringSettings,
    ReceiptSettings,
    Settings,
)
from settings.other_stacks import OtherStacks, other_stacks
from settings.section import PROJECT
from settings.workers import (
    API,
    SCRIPT_NAME_LIMIT,
    AssetsSettings,
    DomainSettings,
    HealthSettings,
    ModuleSettings,
    StorageKind,
    WorkerSettings,
    given_by_the_program,
)

if _before is None:
    os.environ.pop(_VARIABLE, None)
else:
    os.environ[_VARIABLE] = _before

__all__ = [
    "API",
    "APP_NAME_LIMIT",
    "CLOUDFLARE",
    "CONTAINER_RULES",
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
    "AlertSettings",
    "AssetsSettings",
    "BackendSettings",
    "BindingSettings",
    "BucketBinding",
    "BuildSettings",
    "ConsumerSettings",
    "DatabaseBinding",
    "DomainSettings",
    "DurableObjectBinding",
    "HealthSettings",
    "ImageSettings",
    "KvBinding",
    "Migration",
    "ModuleSettings",
    "MonitoringSettings",
    "OtherStacks",
    "QueueBinding",
    "ReceiptSettings",
    "ReplicaSettings",
    "ServiceBinding",
    "Settings",
    "SettingsError",
    "StorageKind",
    "TextBinding",
    "WorkerSettings",
    "cloudflare_endpoint",
    "digitalocean_endpoint",
    "from_file",
    "given_by_the_program",
    "load",
    "other_stacks",
    "parse",
    "revealed",
    "template_values",
]
