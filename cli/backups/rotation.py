"""Rotation of the admin's password or GitHub's token: the configuration to change, and the check of the result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cli.backups.stack_backups import StackBackups
from cli.engine.pulumi import Engine
from cli.ui.errors import CommandError
from clients.pocketbase import Login, login, remove_temporary_admins
from clients.workers_api import Workers
from errors import First, Fix, Remedy
from settings import PASSWORD_BYTES, PASSWORD_CHARACTERS

ADMIN, VERSION, GITHUB = "oracle-net:adminPassword", "oracle-net:adminPasswordVersion", "oracle-net:githubToken"
ADMIN_ONLY = ("admin", "admin-*", "backend-ready", "api-script", "api-declared")
GITHUB_ONLY = ("api-script", "api-declared")
"""The resources that a rotation changes; sources that were not deployed yet are not deployed with it."""
LEAST = 10
"""The minimum length of a chosen password, as in settings/."""


@dataclass(frozen=True)
class Change:
    """Configuration to set: plain values, and secret ones."""

    values: dict[str, str | None] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


def password(engine: Engine) -> str:
    """Return the admin's declared password."""
    return engine.login()[1]


def new_password(version: int, chosen: str | None) -> Change:
    """Return the change to another generated password, or to the chosen one. Raises CommandError."""
    if chosen is None:
        return Change(values={VERSION: str(version + 1)})
    if len(chosen) < LEAST:
        raise CommandError(
            f"A password needs at least {LEAST} characters, so nothing was changed.",
            First("choose a longer one", Remedy.RETRY),
        )
    if len(chosen) > PASSWORD_CHARACTERS or len(chosen.encode()) > PASSWORD_BYTES:
        raise CommandError(
            f"PocketBase accepts passwords of at most {PASSWORD_CHARACTERS} characters and {PASSWORD_BYTES} bytes, so "
            "nothing was changed.",
            First("choose a shorter one", Remedy.RETRY),
        )
    return Change(secrets={ADMIN: chosen})


def verified(engine: Engine, before: str) -> Iterator[str]:
    """Verify that the backend accepts the new password and rejects the old one; yield a line for each result.

    Raises CommandError when a check fails, and AdminError.
    """
    outputs, now = engine.login()
    check = Fix(f"oracle status {engine.stack.name}", "to see the cause", then=engine.stack.update)
    if now == before:
        raise CommandError("The password has not changed.", check)
    session = _login(outputs.backend_url, outputs.admin_email, now)
    if session is None:
        raise CommandError(f"{outputs.backend_app} refuses the new password.", check)
    yield f"{outputs.backend_app} accepts the new password."
    if _login(outputs.backend_url, outputs.admin_email, before) is not None:
        raise CommandError(f"{outputs.backend_app} still accepts the old password too.", check)
    yield f"{outputs.backend_app} refuses the old password."
    remove_temporary_admins(outputs.backend_url, session)


def bound(engine: Engine, name: str) -> bool:
    """Return whether the api Worker has a secret of that name. Raises WorkersApiError."""
    settings, token = engine.stack.settings(), engine.environment.get("CLOUDFLARE_API_TOKEN")
    with Workers(engine.stack.cloudflare, settings.account_id, token) as workers:
        binding = (workers.bindings(settings.api.script) or {}).get(name) or {}
    return binding.get("type") == "secret_text"


def opened_backups(engine: Engine) -> StackBackups:
    """Open the stack's backups after its admin has logged in with the declared password. Raises CommandError."""
    stack_backups = StackBackups(engine)
    stack_backups.backend()
    return stack_backups


def _login(url: str, email: str, password: str) -> Login | None:
    return login(url, email, password, seconds=5)
