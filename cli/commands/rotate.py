"""`oracle rotate`: replace a secret everywhere it is used, without a failed login."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli.backups import rotation
from cli.commands.options import StackArgument
from cli.deploy.config_change import apply, ready
from cli.engine.pulumi import Engine
from cli.ui.errors import CommandError
from cli.ui.prompt import secret
from cli.ui.text import echo_wrapped
from errors import First, Fix, Remedy


class Secret(StrEnum):
    admin = "admin"
    github_token = "github-token"


def rotate(
    what: Annotated[Secret, typer.Argument(help="`admin` or `github-token`.", metavar="SECRET")],
    stack: StackArgument = "local",
    choose: Annotated[
        bool, typer.Option("--choose", help="Type the admin's password. Without it: the program generates one.")
    ] = False,
) -> None:
    """Replace the admin's password or the GitHub token. Typed secrets are hidden; standard input works too."""
    engine = ready(stack)
    if what is Secret.admin:
        _admin(engine, choose)
    else:
        _github_token(engine)


def _admin(engine: Engine, choose: bool) -> None:
    stack = engine.stack.name
    settings = rotation.opened_backups(engine).settings
    before = rotation.password(engine)
    typed = choose or settings.admin_password is not None
    chosen = secret(f"The new password of {settings.admin_email}") if typed else None
    if chosen == before:
        raise CommandError("The new password is the current one.", First("choose another", Remedy.RETRY))
    change = rotation.new_password(settings.admin_password_version, chosen)
    apply(engine, "rotate", change.values, secrets=change.secrets, only=rotation.ADMIN_ONLY)
    echo_wrapped("")
    for line in rotation.verified(engine, before):
        echo_wrapped(line)
    echo_wrapped(
        f"\nThe app's variable PB_ADMIN_PASSWORD has the old password until the next release or wipe. If the platform "
        f"replaces the container before that, the old password works again until the next update. If others know the "
        f"old password, migrate the data to another app now: run `pulumi config set oracle-net:replacement "
        f"{settings.replacement + 1} --stack {stack}`, then `{engine.stack.update}`."
    )
    echo_wrapped(f"To read the new password, run `pulumi stack output adminPassword --show-secrets --stack {stack}`.")


def _github_token(engine: Engine) -> None:
    stack = engine.stack.name
    token = secret("The new GitHub token")
    apply(engine, "rotate", {}, secrets={rotation.GITHUB: token}, only=rotation.GITHUB_ONLY)
    if not rotation.bound(engine, "GITHUB_TOKEN"):
        see = Fix(f"oracle status --stack {stack}", "to see why")
        raise CommandError("The api Worker has no secret GITHUB_TOKEN.", see)
    echo_wrapped("\nThe api Worker has the new token.")
    echo_wrapped("GitHub still accepts the old token. Delete it at https://github.com/settings/personal-access-tokens")
