"""A new admin password, or a new token for GitHub: what is to be changed, and whether it has come to work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cli.backups.stack_backups import StackBackups
from cli.engine.pulumi import Engine
from cli.ui.errors import CommandError
from clients.pocketbase import AdminError, Login, login, remove_temporary_admins
from clients.workers_api import Workers, WorkersApiError
from settings import PASSWORD_BYTES, PASSWORD_CHARACTERS

ADMIN, VERSION, GITHUB = "oracle-net:adminPassword", "oracle-net:adminPasswordVersion", "oracle-net:githubToken"
ADMIN_ONLY = ("admin", "admin-*", "backend-ready", "api-script", "api-declared")
GITHUB_ONLY = ("api-script", "api-declared")
"""The resources that a rotation changes; no source that waits to be deployed goes along."""
LEAST = 10
"""Characters of a chosen password, as settings/ wants them."""


@dataclass(frozen=True)
class Change:
    """Configuration to be set: plain values, and secret ones."""

    values: dict[str, str | None] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


def password(engine: Engine) -> str:
    """The admin's declared password."""
    return engine.login()[1]


def new_password(version: int, chosen: str | None) -> Change:
    """Another made password, or the chosen one. Raises CommandError."""
    if chosen is None:
        return Change(values={VERSION: str(version + 1)})
    if len(chosen) < LEAST:
        raise CommandError(
            f"A password needs {LEAST} characters at least; nothing was changed. Again: oracle rotate admin"
        )
    if len(chosen) > PASSWORD_CHARACTERS or len(chosen.encode()) > PASSWORD_BYTES:
        raise CommandError(
            f"PocketBase takes a password of {PASSWORD_CHARACTERS} characters and {PASSWORD_BYTES} bytes at most; "
            "nothing was changed. Again: oracle rotate admin"
        )
    return Change(secrets={ADMIN: chosen})


def verified(engine: Engine, before: str) -> Iterator[str]:
    """Says what was seen of the new password and of the one before.

    Raises CommandError when either is not as it should.
    """
    (outputs, now), stack = engine.login(), engine.stack.name
    again = f"see what is wrong: oracle status --stack {stack}; then: pulumi up -s {stack}"
    if now == before:
        raise CommandError(f"The password is the one that it was before; {again}")
    session = _login(outputs.backend_url, outputs.admin_email, now)
    if session is None:
        raise CommandError(f"{outputs.backend_app} refuses the new password; {again}")
    yield f"{outputs.backend_app} takes the new password."
    if _login(outputs.backend_url, outputs.admin_email, before) is not None:
        raise CommandError(f"{outputs.backend_app} still takes the old password too; {again}")
    yield f"{outputs.backend_app} refuses the old password."
    try:
        remove_temporary_admins(outputs.backend_url, session)
    except AdminError as error:
        raise CommandError(str(error)) from None


def bound(engine: Engine, name: str) -> bool:
    """Whether the api Worker has a secret of that name. Raises CommandError."""
    settings, token = engine.stack.settings(), engine.environment.get("CLOUDFLARE_API_TOKEN")
    try:
        with Workers(engine.stack.cloudflare, settings.account_id, token) as workers:
            found = (workers.bindings(settings.api.script) or {}).get(name) or {}
    except WorkersApiError as error:
        raise CommandError(str(error)) from None
    return found.get("type") == "secret_text"


def opened_backups(engine: Engine) -> StackBackups:
    """The stack's backups, opened once its admin has logged in with what is declared now. Raises CommandError."""
    found = StackBackups(engine)
    found.backend()
    return found


def _login(url: str, email: str, password: str) -> Login | None:
    try:
        return login(url, email, password, seconds=5)
    except AdminError as error:
        raise CommandError(str(error)) from None
