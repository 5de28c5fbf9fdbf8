"""The backend's superusers: the admin, with a configured or a random password, and the program's operator."""

from __future__ import annotations

import pulumi

from provider_sdks import random
from settings import Settings, revealed


class Admin(pulumi.ComponentResource):
    """Produces `email` and `password` of the admin, and `operator`, the operator's password; passwords are secrets.

    Without a configured password the admin gets a random one of 32 letters and digits. It is renewed when its version
    changes. The operator's password never changes, so that the operator can log in to a backup of any age.
    """

    email: str
    password: pulumi.Output[str]
    operator: pulumi.Output[str]

    def __init__(self, name: str, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("oracle-net:index:Admin", name, None, opts)
        self.email = settings.admin_email
        configured = revealed(settings.admin_password)
        self.password = (
            pulumi.Output.secret(configured)
            if configured
            else self._random(f"{name}-password", settings.admin_password_version)
        )
        self.operator = self._random(f"{name}-operator", 1)
        self.variables: dict[str, pulumi.Input[str]] = {
            "PB_ADMIN_EMAIL": self.email,
            "PB_ADMIN_PASSWORD": self.password,
        }
        """The admin's login, as environment variables of the backend and the api."""
        self.register_outputs({"email": self.email, "password": self.password, "operator": self.operator})

    def _random(self, name: str, version: int) -> pulumi.Output[str]:
        password = random.RandomPassword(
            name,
            length=32,
            special=False,
            keepers={"version": str(version)},
            opts=pulumi.ResourceOptions(parent=self),
        )
        return pulumi.Output.secret(password.result)
