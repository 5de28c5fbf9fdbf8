"""The backend's superusers: the admin, with a configured or a random password, and the program's operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from provider_sdks import random

if TYPE_CHECKING:
    from settings import Settings


@dataclass(frozen=True, kw_only=True)
class AdminArgs:
    email: pulumi.Input[str]
    """The email address that the admin logs in with."""
    password: pulumi.Input[str] | None = None
    """The admin's password. Without it, a random password is made."""
    password_version: pulumi.Input[int] = 1
    """The version of the random password. Another number makes another password."""

    @classmethod
    def of(cls, settings: Settings) -> AdminArgs:
        password = settings.admin_password
        return cls(
            email=settings.admin_email,
            password=pulumi.Output.secret(password.get_secret_value()) if password else None,
            password_version=settings.admin_password_version,
        )


class Admin(pulumi.ComponentResource):
    """Produces `email` and `password` of the admin, and `operator`, the operator's password; passwords are secrets.

    Without a configured password the admin gets a random one of 32 letters and digits. It is renewed when its version
    changes. The operator's password never changes, so that the operator can log in to a backup of any age.
    """

    email: pulumi.Output[str]
    password: pulumi.Output[str]
    operator: pulumi.Output[str]

    def __init__(self, name: str, args: AdminArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("oracle-net:index:Admin", name, None, opts)
        self.email = pulumi.Output.from_input(args.email)
        self.password = (
            pulumi.Output.secret(args.password)
            if args.password is not None
            else self._random(f"{name}-password", args.password_version)
        )
        self.operator = self._random(f"{name}-operator", 1)
        self.variables: dict[str, pulumi.Input[str]] = {
            "PB_ADMIN_EMAIL": self.email,
            "PB_ADMIN_PASSWORD": self.password,
        }
        """The admin's login, as environment variables of the backend and the api."""
        self.register_outputs({"email": self.email, "password": self.password, "operator": self.operator})

    def _random(self, name: str, version: pulumi.Input[int]) -> pulumi.Output[str]:
        password = random.RandomPassword(
            name,
            length=32,
            special=False,
            keepers={"version": pulumi.Output.from_input(version).apply(str)},
            opts=pulumi.ResourceOptions(parent=self),
        )
        return pulumi.Output.secret(password.result)
