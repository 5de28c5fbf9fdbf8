"""No backend is deleted, or deployed over, before its data is safe: hooks of the app, so that it holds for whoever
asks.

The engine deletes what was replaced after everything else, so the traffic has gone when the hook runs. A hook that
fails keeps the app: it stays in the state as pending deletion, and the next `up` tries again.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pulumi

from appplatform import AppPlatform, AppPlatformError
from components.bootstrap import Target, bootstrap_hook, changed_by_hand
from components.dynamic import Sentence
from components.history import note_kept, written_since
from components.transfer import Care, Source, keep, served
from contract import WITHOUT_BACKUP

if TYPE_CHECKING:
    from backups.manifest import Reason


class Keeping:
    """Produces `before_delete`, which takes a verified backup of an app that is about to be deleted, and `after`, which
    makes a new app usable.
    """

    def __init__(self, care: Care) -> None:
        self._care = care
        self.after = bootstrap_hook(care.expected)
        self.before_delete = pulumi.ResourceHook("backup-before-delete", self._delete)

    async def before_update(self, args: pulumi.ResourceHookArgs) -> None:
        """Refuses a deployment over a backend that runs."""
        await _told(self._refuse, args.id)

    async def _delete(self, args: pulumi.ResourceHookArgs) -> None:
        known = {**vars(self._care.expected), "password": str(await self._care.expected.password.future())}
        await _told(self._keep, Target(app_id=args.id, **known))

    def _refuse(self, app_id: str) -> None:
        with AppPlatform(self._care.expected.endpoint) as platform:
            app = platform.known(app_id)
        if app is not None and app.get("active_deployment"):
            raise Sentence(changed_by_hand(app["spec"]["name"]))

    def _keep(self, target: Target) -> None:
        with AppPlatform(target.endpoint) as platform:
            app = platform.known(target.app_id)
            if app is None:
                return
            self._refuse_destroy(app["spec"]["name"])
            source = Source.of(app, target.service)
            if not source.running:
                print(f"{source.name} has never run: there is nothing to back up", flush=True)
                return
            if os.environ.get(WITHOUT_BACKUP) == source.name:
                note_kept(self._care.custody, source, None, ["without a backup, as asked for"])
                return
            self._drain(source)
            backup = keep(platform, source, target, self._care.custody, self._reason(source))
        late = written_since(self._care.custody, source, backup)
        if late:
            print(f"Attention: {late}", file=sys.stderr, flush=True)
        note_kept(self._care.custody, source, backup, [late] if late else [])
        self._prune(backup.id)

    def _refuse_destroy(self, name: str) -> None:
        """Raises Sentence where a locked stack would be left without a backend: nothing else serves the traffic.

        The engine's own protection would refuse every successor too, since each of them replaces an app.
        """
        if self._care.locked and served(self._care.traffic) is None:
            raise Sentence(
                f"{name} stays: the stack is protected (oracle-net:protect), and nothing would serve in its place. "
                "When it really is to go: oracle unlock STACK"
            )

    def _drain(self, source: Source) -> None:
        """Waits for requests that are under way. Raises Sentence while new ones still come."""
        at = served(self._care.traffic)
        if at == source.name:
            raise Sentence(f"The api Worker still sends its requests to {source.name}; it stays. Try again: pulumi up")
        if at is not None:
            time.sleep(self._care.policy.drain)

    def _reason(self, source: Source) -> Reason:
        if served(self._care.traffic) is None:
            return "delete"
        if source.generation == self._care.generation:
            return "release"
        return "restore" if self._care.restore_from else "wipe"

    def _prune(self, newest: str) -> None:
        from backups import BackupsError

        custody, needed = self._care.custody, {newest, self._care.restore_from or newest}
        try:
            gone = custody.shelf().prune(custody.keep_count, custody.keep_days, needed)
        except BackupsError as error:
            print(f"Old backups were not cleared away: {error}", flush=True)
            return
        if gone:
            print(f"{len(gone)} old backups cleared away", flush=True)


async def _told(work: Callable[..., None], *arguments: object) -> None:
    from workersapi import WorkersApiError

    try:
        await asyncio.to_thread(work, *arguments)
    except (Sentence, AppPlatformError, WorkersApiError) as error:
        raise pulumi.RunError(str(error)) from None
