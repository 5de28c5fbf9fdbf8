"""Read the configuration from the running stack or from its file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr, ValidationError

import yaml_text
from errors import First, Fix, Remedy, UserError
from settings.errors import SettingsError, plain_secret, problems, template_values
from settings.model import PLACEHOLDER, SECRET_KEYS, Settings
from settings.section import PROJECT

DIGITALOCEAN = "https://api.digitalocean.com"
CLOUDFLARE = "https://api.cloudflare.com/client/v4"
EMPTY: tuple[Any, ...] = ("", {})
"""Defaults in Pulumi.yaml that mean "no value"."""


def load() -> Settings:
    """Read the running program's settings. Raises SettingsError."""
    from pulumi.runtime import config as engine_config

    raw = {**engine_config.get_config_env(), **engine_config.CONFIG.get()}
    prefix = f"{PROJECT}:"
    values = given({key.removeprefix(prefix): decoded(value) for key, value in raw.items() if key.startswith(prefix)})
    plain = [key for key in SECRET_KEYS if key in values and not _is_secret(prefix + key)]
    settings = parse(values, plain_secrets=plain)
    if unset := settings.left_as_in_the_template:
        raise SettingsError([template_values(key) for key in unset])
    return settings


def from_file(path: Path) -> Settings:
    """Read the settings in a `Pulumi.<stack>.yaml`. Encrypted values become placeholders. Raises SettingsError."""
    try:
        document = yaml_text.load(path.read_text())
    except FileNotFoundError:
        missing = UserError(f"{path.name} does not exist.", Fix("ls Pulumi.*.yaml", "to see the stacks that exist"))
        raise SettingsError([missing]) from None
    except yaml.YAMLError as error:
        cause = " ".join(str(error).split())
        broken = UserError(f"{path.name} is not YAML.", First(f"correct {path.name}", Remedy.RETRY), cause=cause)
        raise SettingsError([broken]) from None
    config = document.get("config") if isinstance(document, dict) else None
    prefix = f"{PROJECT}:"
    values = given({k.removeprefix(prefix): v for k, v in (config or {}).items() if str(k).startswith(prefix)})
    plain = [key for key in SECRET_KEYS if key in values and not _all_encrypted(values[key])]
    return parse(_without_encrypted(values), plain_secrets=plain)


def parse(values: Mapping[str, Any], plain_secrets: list[str] | None = None) -> Settings:
    """Parse decoded values, by key without the project's prefix. Raises SettingsError with all problems."""
    found: list[UserError] = [plain_secret(key) for key in sorted(plain_secrets or [])]
    filled = {"accountId": os.environ.get("CLOUDFLARE_ACCOUNT_ID"), **values}
    if filled["accountId"] is None:
        del filled["accountId"]
    try:
        settings = Settings.model_validate(filled)
    except ValidationError as error:
        raise SettingsError([*found, *problems(error)]) from None
    if found:
        raise SettingsError(found)
    return settings


def digitalocean_endpoint() -> str:
    """Return the origin of DigitalOcean's API for the running stack, the same as its provider's."""
    from pulumi import Config

    return Config("digitalocean").get("apiEndpoint") or DIGITALOCEAN


def cloudflare_endpoint() -> str:
    """Return the URL of Cloudflare's API for the running stack with its whole prefix, the same as its provider's."""
    from pulumi import Config

    return Config("cloudflare").get("baseUrl") or CLOUDFLARE


def revealed(value: SecretStr | None) -> str | None:
    """Return the text of a secret setting. Pass it only to `pulumi.Output.secret`."""
    return value.get_secret_value() if value else None


def given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in EMPTY}


def decoded(value: Any) -> Any:
    """Decode a section, which the engine passes as JSON text. Return any other value unchanged."""
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _encrypted(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}


def _all_encrypted(value: Any) -> bool:
    if isinstance(value, dict) and not _encrypted(value):
        return all(map(_all_encrypted, value.values()))
    return _encrypted(value)


def _without_encrypted(value: Any) -> Any:
    """Return the value with a placeholder for each encrypted part."""
    if _encrypted(value):
        return PLACEHOLDER
    return {key: _without_encrypted(part) for key, part in value.items()} if isinstance(value, dict) else value


def _is_secret(key: str) -> bool:
    from pulumi.runtime import config as engine_config

    return engine_config.is_config_secret(key) or key in engine_config.get_config_secret_keys_env()
