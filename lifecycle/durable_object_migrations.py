"""Migrations of a Worker's Durable Objects that have yet to be applied.

Cloudflare applies each once: an upload has to name the tag that the Worker has (`old_tag`), or it is refused with 10079
(412). The provider sends what is declared with every upload, so only what is left is declared: after a migration, the
next update uploads the Worker once more, without one.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from clients.workers_api import Workers, WorkersApiError
from lifecycle.naming import owner
from provider_sdks import cloudflare
from settings import Migration, cloudflare_endpoint


def pending(account: str, script: str, declared: Sequence[Migration]) -> cloudflare.WorkersScriptMigrationsArgs | None:
    """The steps behind the tag that the Worker has; None when there are none. Raises pulumi.RunError when Cloudflare
    does not tell the tag, or tells one that is not declared.
    """
    if not declared:
        return None
    try:
        with Workers(cloudflare_endpoint(), account) as workers:
            tag = workers.migration_tag(script)
    except WorkersApiError as error:
        raise pulumi.RunError(str(error)) from None
    tags = [step.tag for step in declared]
    if tag is not None and tag not in tags:
        raise pulumi.RunError(
            f"The Worker {script} has had the migration {tag} of its Durable Objects, which its `migrations` do not "
            f"name; add the entry {{tag: {tag}, …}} to them, then: pulumi up -s {owner().stack}"
        )
    left = declared[tags.index(tag) + 1 if tag else 0 :]
    return _steps(tag, left) if left else None


def _steps(tag: str | None, left: Sequence[Migration]) -> cloudflare.WorkersScriptMigrationsArgs:
    return cloudflare.WorkersScriptMigrationsArgs(
        old_tag=tag,
        new_tag=left[-1].tag,
        steps=[
            cloudflare.WorkersScriptMigrationsStepArgs(
                new_sqlite_classes=list(step.new_sqlite_classes) or None,
                deleted_classes=list(step.deleted_classes) or None,
            )
            for step in left
        ],
    )
