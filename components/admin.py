"""The backend's admin: a declared address, and a password from the configuration or made here."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.providers import random


@dataclass(frozen=True, kw_only=True)
class AdminArgs:
    email: str
    password: str | None
    """None: a random one of 32 letters and digits, renewed when `version` changes."""
    version: int


class Admin(pulumi.ComponentResource):
    """Produces `email` and `password`, the latter always a secret."""

    email: str
    password: pulumi.Output[str]

    def __init__(self, name: str, args: AdminArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("oracle-net:index:Admin", name, None, opts)
        self.email = args.email
        self.password = pulumi.Output.secret(args.password) if args.password else self._made(name, args.version)
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
