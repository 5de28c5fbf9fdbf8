"""Back up an app before it is deleted or redeployed. Resource hooks, so they run no matter who triggers the change.

The engine deletes a replaced app after everything else, so the traffic has moved when the hook runs. The hook

1. refuses an app or an api Worker of another owner
2. refuses while the api Worker still sends its requests to the app
3. freezes the app for good, so that the backup has every write that the app acknowledged
4. takes a verified backup
5. refuses if the app has records that were written after its data was migrated
6. refuses if the app's log shows requests since the freeze: something still uses the app

If the hook fails, the app is not deleted. It stays in the state as pending deletion, and the next `up` tries again.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pulumi

from clients.http import client, httpx
from clients.pocketbase import AdminError, backend_time, freeze, record_requests, requests_since
from errors import STACK, First, Fix, Remedy, UserError
from lifecycle.alert_destinations import destinations_hook
from lifecycle.audit_entries import record_backup, written_since
from lifecycle.backend_disk import find_lost
from lifecycle.bootstrap import Target, bootstrap_hook, changed_by_hand
from lifecycle.context import BackendContext, Source, Traffic, app_with_traffic
from lifecycle.data_log import log
from lifecycle.errors import describe, guarded, in_thread
from lifecycle.migration import Origin, back_up, session_of
from lifecycle.ownership import refuse_existing_app, refuse_other
from stack_outputs import LATE_WRITES, WITHOUT_BACKUP, owner_of_app

if TYPE_CHECKING:
    from storage.backups import Backup
    from storage.backups.manifest import Reason

Hook = Callable[[pulumi.ResourceHookArgs], Awaitable[None]]
SOCKET_SECONDS = 2.0
"""Time in which the write gate closes the open WebSockets of older Worker versions (LEASE_MS in write_gate.js)."""


class BackupBeforeDelete:
    """The app's hooks: `before_create`, `before_update` and `before_delete` refuse changes that would lose data,
    `after_create` and `after_update` make the app usable, `carry_alerts` copies alert destinations.
    """

    def __init__(self, context: BackendContext, app: pulumi.Output[str]) -> None:
        self._context = context
        self._guard = DataGuard(context)
        self._app = app
        always = pulumi.ResourceHookOptions(on_dry_run=True)
        self.before_create = pulumi.ResourceHook("backend-before-create", guarded(self._check_name), always)
        self.after_create: Hook = bootstrap_hook(context.clouds, context.expected, fresh=True)
        self.carry_alerts: Hook = destinations_hook(context)
        self.after_update: Hook = bootstrap_hook(context.clouds, context.expected, fresh=False)
        self.before_delete = pulumi.ResourceHook("backup-before-delete", guarded(self._back_up_hook))

    async def before_update(self, args: pulumi.ResourceHookArgs) -> None:
        """Refuse a deployment over a running backend."""
        await in_thread(self._guard.refuse_deployment, args.id)

    async def _check_name(self, _: pulumi.ResourceHookArgs) -> None:
        if name := await self._app.future():  # unknown in a preview that changes it; then BackendGeneration checks it
            await in_thread(self._guard.refuse_taken, str(name))

    async def _back_up_hook(self, args: pulumi.ResourceHookArgs) -> None:
        await in_thread(self._guard.back_up, await self._context.expected.at(args.id))


class DataGuard:
    """The checks and the backup of these hooks. The methods raise UserError."""

    def __init__(self, context: BackendContext) -> None:
        self._context = context
        self._clouds = context.clouds

    def refuse_taken(self, name: str) -> None:
        """Refuse to create an app whose name another app has."""
        with self._clouds.app_platform(self._context.expected.endpoint) as platform:
            refuse_existing_app(platform, name, self._context.expected.owner)

    def refuse_deployment(self, app_id: str) -> None:
        """Refuse a deployment over an app that runs or has another owner."""
        with self._clouds.app_platform(self._context.expected.endpoint) as platform:
            app = platform.known(app_id)
        if app is not None:
            self._refuse_other_owner(app)
            if app.get("active_deployment"):
                raise changed_by_hand(app["spec"]["name"])

    def _refuse_other_owner(self, app: Mapping[str, Any]) -> None:
        refuse_other(f"The app {app['spec']['name']}", owner_of_app(app["spec"]), self._context.expected.owner)

    def back_up(self, target: Target) -> None:
        """Back up an app before its deletion, or refuse the deletion (see above)."""
        with self._clouds.app_platform(target.endpoint) as platform:
            app = platform.known(target.app_id)
            if app is None:
                return
            self._refuse_other_owner(app)
            self._refuse_destroy(app["spec"]["name"])
            source = Source.of(app, target.service)
            if not source.running:
                print(f"{source.name} has never run: there is nothing to back up", flush=True)
                return
            if os.environ.get(WITHOUT_BACKUP) == source.name:
                record_backup(self._context.backup_config, source, None, ["without a backup, as asked for"])
                return
            replaced = self._has_successor(source)
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
        """Raises UserError if a protected stack would be left without a backend.

        Pulumi's `protect` would refuse every successor too, since each successor replaces an app.
        """
        if self._context.locked and app_with_traffic(self._clouds, self._context.traffic) is None:
            raise UserError(
                f"{name} is not deleted: the stack is protected (oracle-net:protect), and no other app would serve.",
                Fix(f"oracle unlock {STACK}", "to allow the deletion"),
            )

    def _has_successor(self, source: Source) -> bool:
        """Return whether another app serves. Raises UserError while this app serves."""
        serving = app_with_traffic(self._clouds, self._context.traffic)
        if serving == source.name:
            raise UserError(
                f"{source.name} is not deleted: the api Worker still sends its requests to it.", Remedy.RETRY
            )
        return serving is not None

    def _freeze(self, origin: Origin, source: Source) -> datetime:
        """Freeze the app for good and wait for running writes to end. Return the time by the app's clock."""
        try:
            freeze(origin.url, origin.login, "moved")
            record_requests(origin.url, origin.login)
            log(f"{source.name} refuses writes from now on; it is backed up before it is deleted")
            self._clouds.sleep(max(self._context.policy.drain, SOCKET_SECONDS))
            return backend_time(origin.url)
        except AdminError as error:
            raise UserError(f"{source.name} is not deleted, because it could not be frozen.", cause=error) from None

    def _late_writes(self, source: Source, backup: Backup) -> list[str]:
        """Return notes about writes after the data was migrated. Raises UserError unless somebody accepted them."""
        late = written_since(self._context.backup_config, source, backup)
        if late is None:
            return []
        if os.environ.get(LATE_WRITES) == source.name:
            return [f"written after its data was migrated: {late}"]
        raise UserError(
            f"{source.name} is not deleted: it was written to after its data was migrated ({late}). These records are "
            f"in the backup {backup.id}, but not in the serving backend.",
            Fix(
                f"{LATE_WRITES}={source.name} pulumi up --stack {STACK}",
                f"to delete {source.name}",
                first="enter the records that are needed in the serving backend",
            ),
        )

    def _refuse_used(self, origin: Origin, source: Source, frozen: datetime) -> None:
        """Raises UserError if the app got requests since it was frozen."""
        health = self._context.expected.health_path
        try:
            _send_requests(self._context.traffic)
            rest = self._context.policy.drain - (backend_time(origin.url) - frozen).total_seconds()
            self._clouds.sleep(max(0.0, rest))
            requests = requests_since(origin.url, origin.login, frozen, health)
        except AdminError as error:
            raise UserError(
                f"{source.name} is not deleted, because its log of requests cannot be read.", cause=error
            ) from None
        if requests:
            raise UserError(
                f"{source.name} is not deleted: it still gets requests, such as {requests[0]}. A client has its "
                f"address {origin.url} in place of POCKETBASE_URL.",
                First("find the client, let it use the binding or the API, and deploy it", Remedy.RETRY),
            )

    def _reason(self, source: Source) -> Reason:
        if app_with_traffic(self._clouds, self._context.traffic) is None:
            return "delete"
        if source.generation == self._context.generation:
            return "release"
        return "restore" if self._context.restore_from else "wipe"

    def _prune(self, newest: str) -> None:
        backup_config, needed = self._context.backup_config, {newest, self._context.restore_from or newest}
        try:
            deleted = backup_config.catalog().prune(backup_config.keep_count, backup_config.keep_days, needed)
        except UserError as error:
            print(describe(UserError("Old backups were not deleted.", cause=error)), flush=True)
            return
        if deleted:
            print(f"{len(deleted)} old backups deleted", flush=True)


def _send_requests(traffic: Traffic) -> None:
    """Send requests to the API. If it uses another address than its binding's, they appear in that backend's log."""
    with client(timeout=10) as http:
        for path in {"/", traffic.health}:
            with suppress(httpx.HTTPError):
                http.get(f"{traffic.url}{path}")
