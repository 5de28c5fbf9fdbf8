"""The backend's admin: a declared address, and a password from the configuration or made here."""

from __future__ import annotations

import pulumi

from components.providers import random
from settings import Settings, revealed


class Admin(pulumi.ComponentResource):
    """Produces `email` and `password`, the latter always a secret.

    A password that is not configured is a random one of 32 letters and digits, renewed when its version changes.
    """

    email: str
    password: pulumi.Output[str]

    def __init__(self, name: str, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("oracle-net:index:Admin", name, None, opts)
        self.email = settings.admin_email
        chosen = revealed(settings.admin_password)
        self.password = pulumi.Output.secret(chosen) if chosen else self._made(name, settings.admin_password_version)
        self.register_outputs({"email": self.email, "password": self.password})

    def _made(self, name: str, version: int) -> pulumi.Output[str]:
        made = random.RandomPassword(
            f"{name}-password",
            length=32,
            special=False,
            keepers={"version": str(version)},
            opts=pulumi.ResourceOptions(parent=self),
        )
        return pulumi.Output.secret(made.result)
