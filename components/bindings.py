"""What a Worker gets to see at run time. A binding's kind is its type, and a secret fits only the secret kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pydantic import SecretStr

from components.providers import cloudflare


@dataclass(frozen=True, kw_only=True)
class SecretText:
    """A value that Cloudflare never shows again and that the state keeps encrypted."""

    name: str
    value: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class PlainText:
    """A value that everybody with access to the account may read: only what is public anyway."""

    name: str
    value: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class Assets:
    """The Worker's own static files."""

    name: str = "ASSETS"


Binding = SecretText | PlainText | Assets


def optional_secret(name: str, value: SecretStr | None) -> list[SecretText]:
    """The binding, when the configuration has a value for it."""
    return [SecretText(name=name, value=pulumi.Output.secret(value.get_secret_value()))] if value else []


def render(bindings: Sequence[Binding]) -> list[cloudflare.WorkersScriptBindingArgs]:
    """The provider's arguments, sorted by name: the provider compares bindings as an ordered list."""
    return [_argument(binding) for binding in sorted(bindings, key=lambda each: each.name)]


def _argument(binding: Binding) -> cloudflare.WorkersScriptBindingArgs:
    match binding:
        case SecretText():
            return cloudflare.WorkersScriptBindingArgs(
                name=binding.name, type="secret_text", text=pulumi.Output.secret(binding.value)
            )
        case PlainText():
            return cloudflare.WorkersScriptBindingArgs(name=binding.name, type="plain_text", text=binding.value)
        case Assets():
            return cloudflare.WorkersScriptBindingArgs(name=binding.name, type="assets")
