"""A usable backend: the declared release runs, is healthy, and accepts the admin's login.

Everything downstream takes the backend's address from here, so traffic moves only to a backend that has its admin.
Every preview tries the live login. If the login fails (the platform replaced the container, somebody removed the
admin), the preview shows an update of this resource, and the update repairs the login.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, UpdateResult
from pulumi.runtime import rpc

from clients.app_platform import AppPlatformError
from clients.pocketbase import OPERATOR, AdminError, freeze_state, list_temporary_admins, login
from lifecycle.admin_rotation import remove_leftover_admins, rotate_with_temporary_admin
from lifecycle.bootstrap import Target, bootstrap, runs_declared_release
from lifecycle.clouds import Clouds
from lifecycle.context import BackendContext, MigrationPolicy, Traffic
from lifecycle.errors import Provider

TARGET = tuple(field.name for field in fields(Target))
KEYS = (*TARGET, "url", "declared")


@dataclass(frozen=True, kw_only=True)
class ReadyArgs:
    context: BackendContext
    """The logins and the release that the backend must have, and the api Worker that uses it."""
    app_id: pulumi.Input[str]
    """The app's id."""
    declared: pulumi.Input[Mapping[str, Any]]
    """The app's declared configuration, a secret. Stored in this resource for status, because no refresh overwrites
    it.
    """
    url: pulumi.Input[str]
    """The app's address, known once the app has its data."""


class ReadyProvider(Provider):
    """Checks and repairs the logins. Reads tokens from the environment at run time and stores none."""

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        changed = any(_olds.get(key) != _news.get(key) for key in KEYS)
        return DiffResult(changes=changed or not _is_ready(self.clouds, _news))

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(id_="ready", outs=_make_ready(self.clouds, props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        target, traffic, policy = _target(_news), Traffic(**_news["traffic"]), MigrationPolicy(**_news["policy"])
        remove_leftover_admins(self.clouds, target, _olds["password"], traffic, policy.drain)
        if _olds["app_id"] == _news["app_id"] and _olds["email"] == _news["email"]:
            rotate_with_temporary_admin(self.clouds, target, _olds["password"], traffic, policy.drain)
        return UpdateResult(outs=_make_ready(self.clouds, _news))


class BackendReady(Resource, name="BackendReady"):
    """Produces `url`, the address of a backend whose admin has just logged in."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: ReadyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {
            **vars(args.context.expected),
            "app_id": args.app_id,
            "url": args.url,
            "declared": args.declared,
            "traffic": asdict(args.context.traffic),
            "policy": asdict(args.context.policy),
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["password", "operator", "declared"])
        super().__init__(ReadyProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))


def _make_ready(clouds: Clouds, props: dict[str, Any]) -> dict[str, Any]:
    with clouds.app_platform(props["endpoint"]) as platform:
        bootstrap(platform, _target(props))
    return {key: props[key] for key in KEYS}


def _target(props: dict[str, Any]) -> Target:
    return Target(**{key: props[key] for key in TARGET})


def _is_ready(clouds: Clouds, props: dict[str, Any]) -> bool:
    """Return whether the live backend satisfies the inputs; False when this is unknown."""
    if any(props[key] == rpc.UNKNOWN for key in KEYS):
        return False
    target = _target(props)
    try:
        with clouds.app_platform(target.endpoint, timeout=10) as platform:
            if not runs_declared_release(platform, target):
                return False
        session = login(props["url"], target.email, target.password, timeout=5, seconds=0)
        if session is None or list_temporary_admins(props["url"], session):
            return False
        if not target.adopted and login(props["url"], OPERATOR, target.operator, timeout=5, seconds=0) is None:
            return False  # a new disk: the image made only the admin
        return freeze_state(props["url"]) is None
    except (AppPlatformError, AdminError):
        return False
