"""What a Worker gets to see at run time. A binding's kind is its type, and a secret fits only the secret kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:  # dynamic providers import this module, in a process of their own: it costs them nothing more
    from pydantic import SecretStr


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
