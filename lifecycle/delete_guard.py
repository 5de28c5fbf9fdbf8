"""Protect the data of an app that is to be deleted, or deployed over: hooks of the app, so they hold whoever asks.

The engine deletes a replaced app after everything else, so the traffic has moved when the hook runs. The hook

1. refuses an app, or an api Worker, that carries another stack's mark
2. refuses while the api Worker still names the app
3. freezes the app for good, so that every write it has acknowledged is in the backup that follows
4. takes a verified backup
5. refuses when the app holds records that were written after its data was carried
6. refuses when the app's own log shows requests of others since it was frozen: somebody still uses it

A hook that fails keeps the app: it stays in the state as pending deletion, and the next `up` tries again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pulumi

from clients.app_platform import AppPlatform
from clients.http import client, httpx
from clients.pocketbase import AdminError, backend_time, freeze, record_requests, requests_since
from lifecycle.alert_destinations import destinations_hook
from lifecycle.audit_entries import record_backup, written_since
from lifecycle.backend_disk import find_lost
from lifecycle.bootstrap import Target, bootstrap_hook, changed_by_hand
from lifecycle.errors import UserError, guarded, in_thread
from lifecycle.migration import BackendContext, Origin, Source, Traffic, app_with_traffic, back_up, log, session_of
from lifecycle.ownership import refuse_existing_app, refuse_other
from stack_outputs import LATE_WRITES, WITHOUT_BACKUP, owner_of_app

if TYPE_CHECKING:
    from storage.backups import Backup
    from storage.backups.manifest import Reason

Hook = Callable[[pulumi.ResourceHookArgs], Awaitable[None]]
SOCKET_SECONDS = 2.0
"""In which our front closes the WebSockets of older versions that are in use (LEASE_MS in write_gate.js)."""


class BackupBeforeDelete:
    """Produces the app's hooks: `before_create`, `before_update` and `before_delete`, which refuse what would harm, and
    `after_create` and `after_update`, which make it usable, and `carry_alerts`.
    """

    def __init__(self, context: BackendContext, app: pulumi.Output[str]) -> None:
        self._context = context
        self._app = app
        always = pulumi.ResourceHookOptions(on_dry_run=True)
        self.before_create = pulumi.ResourceHook("backend-before-create", guarded(self._create), always)
        self.after_create: Hook = bootstrap_hook(context.expected, fresh=True)
        self.carry_alerts: Hook = destinations_hook(context)
        self.after_update: Hook = bootstrap_hook(context.expected, fresh=False)
        self.before_delete = pulumi.ResourceHook("backup-before-delete", guarded(self._delete))

    async def before_update(self, args: pulumi.ResourceHookArgs) -> None:
        """Refuses a deployment over a backend that runs."""
        await in_thread(self._refuse, args.id)

    async def _create(self, _: pulumi.ResourceHookArgs) -> None:
        if name := await self._app.future():  # not known in a preview in which it changes; the gate looks at it then
            await in_thread(self._refuse_taken, str(name))

    async def _delete(self, args: pulumi.ResourceHookArgs) -> None:
        await in_thread(self._keep, await self._context.expected.at(args.id))

    def _refuse_taken(self, name: str) -> None:
        with AppPlatform(self._context.expected.endpoint) as platform:
            refuse_existing_app(platform, name, self._context.expected.owner)

    def _refuse(self, app_id: str) -> None:
        with AppPlatform(self._context.expected.endpoint) as platform:
            app = platform.known(app_id)
        if app is not None:
            self._refuse_other(app)
            if app.get("active_deployment"):
                raise UserError(changed_by_hand(app["spec"]["name"]))

    def _refuse_other(self, app: Mapping[str, Any]) -> None:
        refuse_other(f"The app {app['spec']['name']}", owner_of_app(app["spec"]), self._context.expected.owner)

    def _keep(self, target: Target) -> None:
        with AppPlatform(target.endpoint) as platform:
            app = platform.known(target.app_id)
            if app is None:
                return
            self._refuse_other(app)
            self._refuse_destroy(app["spec"]["name"])
            source = Source.of(app, target.service)
            if not source.running:
                print(f"{source.name} has never run: there is nothing to back up", flush=True)
                return
            if os.environ.get(WITHOUT_BACKUP) == source.name:
                record_backup(self._context.backup_config, source, None, ["without a backup, as asked for"])
                return
            replaced = self._replaced(source)
            restored = self._context.restore_from or ""
            lost = find_lost(platform, source, vars(target), self._context.backup_config, restored)
            origin = session_of(platform, source, target)
        frozen = self._freeze(origin, source)
        backup = back_up(source, origin, self._context.backup_config, self._reason(source))
        notes = self._late_writes(source, backup)
        if lost is not None:
            log(f"{lost.summary}; its last backup {backup.id} is of the new disk")
            notes.append(lost.summary)
        if replaced:
            self._refuse_used(origin, source, frozen)
        record_backup(self._context.backup_config, source, backup, notes)
        self._prune(backup.id)

    def _refuse_destroy(self, name: str) -> None:
        """Raises Sentence where a locked stack would be left without a backend: nothing else serves the traffic.

        The engine's own protection would refuse every successor too, since each of them replaces an app.
        """
        if self._context.locked and app_with_traffic(self._context.traffic) is None:
            raise UserError(
                f"{name} stays: the stack is protected (oracle-net:protect), and nothing would serve in its place. "
                "When it really is to go: oracle unlock STACK"
            )

    def _replaced(self, source: Source) -> bool:
        """Whether another app serves; False when none does. Raises Sentence while this one does."""
        at = app_with_traffic(self._context.traffic)
        if at == source.name:
            raise UserError(f"The api Worker still sends its requests to {source.name}; it stays. Try again: pulumi up")
        return at is not None

    def _freeze(self, origin: Origin, source: Source) -> datetime:
        """The app takes no writes any more, and those under way have ended; returns the moment, by its clock."""
        try:
            freeze(origin.url, origin.login, "moved")
            record_requests(origin.url, origin.login)
            log(f"{source.name} takes no writes any more; it is backed up before it is deleted")
            time.sleep(max(self._context.policy.drain, SOCKET_SECONDS))
            return backend_time(origin.url)
        except AdminError as error:
            raise UserError(f"{source.name} stays, since it could not be frozen: {error}") from None

    def _late_writes(self, source: Source, backup: Backup) -> list[str]:
        """What to note of writes after the data was carried. Raises Sentence unless somebody has dealt with them."""
        late = written_since(self._context.backup_config, source, backup)
        if late is None:
            return []
        if os.environ.get(LATE_WRITES) == source.name:
            return [f"written after its data was carried: {late}"]
        raise UserError(
            f"{source.name} stays: it was written to after its data was carried ({late}). These records are in the "
            f"backup {backup.id}, and not in the backend that serves. Enter those that are needed there; then delete "
            f"{source.name}: {LATE_WRITES}={source.name} pulumi up"
        )

    def _refuse_used(self, origin: Origin, source: Source, frozen: datetime) -> None:
        """Raises Sentence when somebody has asked the app for something since it was frozen."""
        health = self._context.expected.health_path
        try:
            _ask_api(self._context.traffic)
            rest = self._context.policy.drain - (backend_time(origin.url) - frozen).total_seconds()
            time.sleep(max(0.0, rest))
            found = requests_since(origin.url, origin.login, frozen, health)
        except AdminError as error:
            raise UserError(f"{source.name} stays, since its log of requests cannot be read: {error}") from None
        if found:
            raise UserError(
                f"{source.name} stays: it still gets requests, such as {found[0]}. Something has its address "
                f"{origin.url} and not POCKETBASE_URL; find it, let it use the binding or the API, deploy it, then: "
                "pulumi up"
            )

    def _reason(self, source: Source) -> Reason:
        if app_with_traffic(self._context.traffic) is None:
            return "delete"
        if source.generation == self._context.generation:
            return "release"
        return "restore" if self._context.restore_from else "wipe"

    def _prune(self, newest: str) -> None:
        from storage.backups import BackupsError

        backup_config, needed = self._context.backup_config, {newest, self._context.restore_from or newest}
        try:
            gone = backup_config.catalog().prune(backup_config.keep_count, backup_config.keep_days, needed)
        except BackupsError as error:
            print(f"Old backups were not cleared away: {error}", flush=True)
            return
        if gone:
            print(f"{len(gone)} old backups cleared away", flush=True)


def _ask_api(traffic: Traffic) -> None:
    """Some requests, so that an API that uses another address than its binding's shows itself in that one's log."""
    with client(timeout=10) as http:
        for path in {"/", traffic.health}:
            with suppress(httpx.HTTPError):
                http.get(f"{traffic.url}{path}")
