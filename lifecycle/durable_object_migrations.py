"""Pending migrations of a Worker's Durable Objects.

Cloudflare applies each migration once: an upload must name the Worker's current tag (`old_tag`), or Cloudflare refuses
it with 10079 (412). The provider sends the declared migrations with every upload, so the program declares only pending
ones. After a migration, the next update uploads the Worker once more, without migrations.
"""

from __future__ import annotations

from collections.abc import Sequence

from errors import First, Remedy, UserError
from lifecycle.clouds import Clouds
from lifecycle.errors import shown_as_text
from provider_sdks import cloudflare
from settings import Migration, cloudflare_endpoint


@shown_as_text()
def pending(
    account: str, script: str, declared: Sequence[Migration], clouds: Clouds
) -> cloudflare.WorkersScriptMigrationsArgs | None:
    """Return the migrations after the Worker's current tag; None if none is pending. Raises pulumi.RunError if the tag
    cannot be read or is not declared.
    """
    if not declared:
        return None
    with clouds.workers(cloudflare_endpoint(), account) as workers:
        tag = workers.migration_tag(script)
    tags = [step.tag for step in declared]
    if tag is not None and tag not in tags:
        raise UserError(
            f"The Worker {script} has applied the migration {tag} of its Durable Objects, but its `migrations` do not "
            "name it.",
            First(f"add the entry {{tag: {tag}, …}} to them", Remedy.RETRY),
        )
    remaining = declared[tags.index(tag) + 1 if tag else 0 :]
    return _steps(tag, remaining) if remaining else None


def _steps(tag: str | None, remaining: Sequence[Migration]) -> cloudflare.WorkersScriptMigrationsArgs:
    return cloudflare.WorkersScriptMigrationsArgs(
        old_tag=tag,
        new_tag=remaining[-1].tag,
        steps=[
            cloudflare.WorkersScriptMigrationsStepArgs(
                new_sqlite_classes=list(step.new_sqlite_classes) or None,
                deleted_classes=list(step.deleted_classes) or None,
            )
            for step in remaining
        ],
    )
