"""Environment variables of a spec. SECRET values are stored and shown as EV[1:…], and decrypted only for a process."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from localcloud.digitalocean.field_checks import wrong
from localcloud.vault import Vault, VaultError

EV = re.compile(r"EV\[1:([^:\]]*):([^\]]*)\]")
BUILD = ("BUILD_TIME", "RUN_AND_BUILD_TIME", "UNSET")
RUN = ("RUN_TIME", "RUN_AND_BUILD_TIME", "UNSET")
NONCE_CHARACTERS = 16
SHORTEST_MASKED = 4


def seal_all(spec: dict[str, Any], app_id: str, vault: Vault) -> None:
    """Replace every SECRET value of the spec by its EV[1:…]; an EV[1:…] sent back stays unchanged.

    Raises ApiError 400 for an EV[…] that this app's key did not make, as App Platform does for one of another app.
    """
    for field, env in _each(spec):
        value = env.get("value", "")
        sealed = value.startswith("EV[")
        if env.get("type") != "SECRET":
            if sealed:
                raise wrong(f"{field}.value", f"{env['key']} holds an encrypted value but is not of type SECRET")
        elif sealed:
            _open(f"{field}.value", env, app_id, vault)
        else:
            env["value"] = _seal(value, app_id, vault)
    for service in spec.get("services", []):
        _seal_credentials(service.get("image", {}), app_id, vault)


def _seal_credentials(image: dict[str, Any], app_id: str, vault: Vault) -> None:
    """Seal the login of a private registry, which is a secret too."""
    if credentials := image.get("registry_credentials"):
        if credentials.startswith("EV["):
            _open("services.image.registry_credentials", {"key": "the registry", "value": credentials}, app_id, vault)
        else:
            image["registry_credentials"] = _seal(credentials, app_id, vault)


def environment(spec: Mapping[str, Any], app_id: str, vault: Vault, scopes: tuple[str, ...]) -> dict[str, str]:
    """Return the plain values by name for these scopes; a component's own variables override the app's."""
    plain: dict[str, str] = {}
    for field, env in _each(spec):
        if env.get("scope", "RUN_AND_BUILD_TIME") in scopes:
            secret = env.get("type") == "SECRET"
            plain[env["key"]] = _open(f"{field}.value", env, app_id, vault) if secret else env.get("value", "")
    return plain


def secrets(spec: Mapping[str, Any], app_id: str, vault: Vault) -> list[str]:
    """Return the plain SECRET values, which captured logs must not show, longest first."""
    values = [_open(field, env, app_id, vault) for field, env in _each(spec) if env.get("type") == "SECRET"]
    return sorted({value for value in values if len(value) >= SHORTEST_MASKED}, key=len, reverse=True)


def _each(spec: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for env in spec.get("envs", []):
        yield "envs", env
    for service in spec.get("services", []):
        for env in service.get("envs", []):
            yield "services.envs", env


def _purpose(app_id: str) -> str:
    return f"env of app {app_id}"


def _seal(value: str, app_id: str, vault: Vault) -> str:
    sealed = vault.seal(value, _purpose(app_id))
    return f"EV[1:{sealed[:NONCE_CHARACTERS]}:{sealed[NONCE_CHARACTERS:]}]"


def _open(field: str, env: Mapping[str, Any], app_id: str, vault: Vault) -> str:
    found = EV.fullmatch(env["value"])
    try:
        return vault.open(found[1] + found[2] if found else "", _purpose(app_id))
    except VaultError as error:
        raise wrong(field, f"the encrypted value of {env['key']} was not made for this app") from error
