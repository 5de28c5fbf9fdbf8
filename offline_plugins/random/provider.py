"""The random plugin: no configuration, no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from offline_plugins import VERSIONS
from offline_plugins.api import Api
from offline_plugins.random.password import RandomPassword
from offline_plugins.resource import Checked, Props, Provider, Resource


class Random(Provider):
    """The provider, with RandomPassword only."""

    name = "random"
    version = VERSIONS["random"]
    accept_resources = True
    handshake = "Handshake is not yet implemented"
    resources: ClassVar[Mapping[str, Resource]] = {RandomPassword.token: RandomPassword()}

    def check_config(self, news: Props) -> Checked:
        return Checked(news)

    def configure(self, config: Props, api: Api) -> None:
        """Do nothing: it has no configuration."""


def make() -> Provider:
    return Random()
