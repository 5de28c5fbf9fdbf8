"""App Platform's operations on apps and deployments. No HTTP here."""

from __future__ import annotations

import asyncio
import copy
import uuid
from typing import Any

from localcloud.cloud import Cloud
from localcloud.digitalocean import envs
from localcloud.digitalocean.builds import Builder
from localcloud.digitalocean.deployments import Deployer
from localcloud.digitalocean.errors import ApiError, invalid, not_found
from localcloud.digitalocean.models import App, Deployment, Shelf, new_app, new_deployment
from localcloud.digitalocean.progress import now
from localcloud.digitalocean.pushes import cause_of, check_access, deploys, head_of
from localcloud.digitalocean.runtime import Runtime
from localcloud.digitalocean.spec import checked
from localcloud.digitalocean.streams import Streams
from localcloud.leftovers import Leftovers
from localcloud.processes import Processes
from localcloud.repositories import RepositoryError

ACCOUNT = {
    "droplet_limit": 25,
    "floating_ip_limit": 5,
    "reserved_ip_limit": 5,
    "volume_limit": 100,
    "email": "local@oracle.localhost",
    "name": "Local Cloud",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "email_verified": True,
    "status": "active",
    "status_message": "",
    "team": {"name": "Local", "uuid": "00000000-0000-4000-8000-000000000002"},
}
DEFAULT_PROJECT = "00000000-0000-4000-8000-000000000003"
UPDATED, CREATED, MANUAL, RESTARTED = "app spec updated", "initial deployment", "manual", "restart"
ROLLED_BACK, REVERTED = "rollback", "revert rollback"
ACTIONS = {
    UPDATED: "UPDATE_SPEC",
    CREATED: "UPDATE_SPEC",
    MANUAL: "CREATE_DEPLOYMENT",
    RESTARTED: "RESTART",
    ROLLED_BACK: "ROLLBACK_APP",
    REVERTED: "REVERT_APP_ROLLBACK",
}


class Platform:
    """Apps, deployments and containers of one local cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.shelf = Shelf(cloud)
        self.processes = Processes(Leftovers(cloud.root / "processes.json"))
        self.runtime = Runtime(cloud, self.shelf, self.processes)
        self.deployer = Deployer(self.runtime, Builder(cloud, self.shelf, self.processes))
        self.streams = Streams(cloud, self.runtime)

    async def start(self) -> None:
        """End leftovers of a killed run, start the serving apps on their disks, and restart interrupted deployments."""
        await asyncio.to_thread(self.processes.reap)
        apps = list(self.shelf.apps.values())
        self.runtime.sweep()
        for app in apps:
            await self.runtime.route(app, None)
        served = [(app, deployment) for app in apps if (deployment := self.shelf.active(app))]
        await asyncio.gather(*(self.runtime.resume(app, deployment) for app, deployment in served))
        for app in apps:
            for deployment in self.shelf.deployments(app.id):
                if deployment.unfinished:
                    deployment.restart()
                    self._line_up(app, deployment)

    async def stop(self) -> None:
        """End all programs; deployments in progress start again at the next start."""
        await self.deployer.stop()
        await self.runtime.stop()

    def app(self, app_id: str) -> App:
        """Return the app. Raises ApiError 404."""
        if app := self.shelf.apps.get(app_id):
            return app
        raise not_found("app")

    def deployment(self, app: App, deployment_id: str) -> Deployment:
        """Return one of the app's deployments. Raises ApiError 404."""
        if deployment := self.shelf.deployment(app.id, deployment_id):
            return deployment
        raise not_found("deployment")

    def checked(self, given: Any) -> dict[str, Any]:
        """Return the spec to store. Raises ApiError 400 when it is invalid, or names a repository without access."""
        spec = checked(given)
        check_access(spec, self.cloud.repositories)
        return spec

    async def create(self, given: Any, project_id: str | None) -> App:
        """Create an app and its first deployment. Raises ApiError 400 for the spec, 409 for a taken name."""
        spec = self.checked(given)
        self._check_free(spec, None)
        self._check_project(project_id)
        app_id = str(uuid.uuid4())
        envs.seal_all(spec, app_id, self.cloud.vault)
        app = new_app(app_id, spec, project_id or DEFAULT_PROJECT)
        self._save(app, self._plan(app, spec, CREATED))
        await self.runtime.route(app, None)
        self.deployer.wake(app)
        return app

    async def update(self, app: App, given: Any, update_sources: bool) -> App:
        """Change the spec and deploy it; a refused spec changes nothing."""
        self._check_unpinned(app)
        spec = self.checked(given)
        self._check_free(spec, app)
        envs.seal_all(spec, app.id, self.cloud.vault)
        before = set(app.hosts)
        deployment = self._plan(app, spec, UPDATED, keep_commit=not update_sources)
        app.spec, app.updated_at = spec, now()
        self._save(app, deployment)
        await self._move_hosts(app, before)
        self.deployer.wake(app)
        return app

    async def _move_hosts(self, app: App, before: set[str]) -> None:
        container = self.runtime.containers.get(app.id)
        for host in before - set(app.hosts):
            await self.cloud.edge.drop_app(host)
        await self.runtime.route(app, container if container and container.running else None)

    async def delete(self, app: App) -> None:
        """Delete the app at once, with its programs, disks and logs."""
        await self.deployer.stop(app)
        self.shelf.remove(app)
        await self.runtime.remove(app)

    def deploy(self, app: App, force_build: bool) -> Deployment:
        """Deploy the app's spec again, with the newest sources."""
        self._check_unpinned(app)
        return self._line_up(app, self._plan(app, app.spec, MANUAL, force_build=force_build))

    async def push(self, name: str, branch: str) -> list[Deployment]:
        """Deploy the apps that deploy on a push to this branch. Raises RepositoryError."""
        repository = self.cloud.repositories.named(name)
        if repository is None:
            raise RepositoryError(
                f"The local cloud has no repository {name}; add it: oracle cloud repository {name} CHECKOUT"
            )
        head = await head_of(repository, branch)
        apps = [app for app in self.shelf.apps.values() if deploys(app, repository, branch)]
        return [self._line_up(app, self._plan(app, app.spec, *cause_of(head, app))) for app in apps]

    def restart(self, app: App, components: list[str]) -> Deployment:
        """Deploy the serving version again, in a new container with an empty disk."""
        active = self.shelf.active(app)
        if active is None:
            raise ApiError(409, "the app has no active deployment to restart", "conflict")
        known = active.service["name"]
        if unknown := [name for name in components if name != known]:
            raise invalid(f"component {unknown[0]!r} does not exist")
        return self._line_up(app, self._plan(app, active.spec, RESTARTED, keep_commit=True))

    async def cancel(self, app: App, deployment: Deployment) -> Deployment:
        """Cancel a deployment. Raises ApiError 409 when it has finished."""
        if not deployment.unfinished:
            raise ApiError(409, f"the deployment is {deployment.phase} and cannot be canceled", "conflict")
        await self.deployer.cancel(app, deployment)
        return deployment

    def rollback(self, app: App, deployment_id: str, skip_pin: bool) -> Deployment:
        """Deploy an earlier spec again; unless `skip_pin`, the app is pinned to it until commit or revert."""
        target = self.deployment(app, deployment_id)
        if problem := self.rollback_problem(app, target):
            raise ApiError(409, problem["message"], "conflict")
        deployment = self._plan(app, target.spec, ROLLED_BACK, commit=target.commit, cloned_from=target.id)
        if skip_pin:
            app.spec = copy.deepcopy(target.spec)
        else:
            app.pinned_id = deployment.id
        return self._line_up(app, deployment)

    def rollback_problem(self, app: App, target: Deployment) -> dict[str, Any] | None:
        """Return the reason that forbids a rollback, {code, message, components}, or None."""
        if app.pinned_id:
            return _problem("app_pinned", "the app is pinned to a rollback already: commit or revert it first")
        if target.unfinished:
            return _problem("incompatible_phase", f"the deployment is {target.phase}")
        if not target.succeeded:
            return _problem("incompatible_result", f"the deployment ended {target.phase} and never served")
        if target.spec.get("region") != app.spec.get("region"):
            return _problem("region_conflict", "the deployment ran in another region")
        return None

    def commit_rollback(self, app: App) -> None:
        """Make the rollback's spec the app's own."""
        pinned = self._pinned(app)
        app.spec, app.pinned_id, app.updated_at = copy.deepcopy(pinned.spec), "", now()
        self.shelf.save(app)

    def revert_rollback(self, app: App) -> Deployment:
        """Deploy the app's own spec again."""
        self._pinned(app)
        app.pinned_id = ""
        return self._line_up(app, self._plan(app, app.spec, REVERTED, keep_commit=True))

    def _pinned(self, app: App) -> Deployment:
        pinned = self.shelf.deployment(app.id, app.pinned_id)
        if pinned is None:
            raise ApiError(409, "the app is not pinned to a rollback", "conflict")
        return pinned

    def _line_up(self, app: App, deployment: Deployment) -> Deployment:
        """Save a deployment and queue it; the answer still shows it as pending."""
        self._save(app, deployment)
        self.deployer.wake(app)
        return deployment

    def _save(self, app: App, deployment: Deployment) -> None:
        """Save both or none: an app's spec without its deployment would look like success."""
        self.shelf.save(app, deployment)
        self.runtime.expect_logs(deployment)

    def _plan(
        self,
        app: App,
        spec: dict[str, Any],
        cause: str,
        details: dict[str, Any] | None = None,
        *,
        force_build: bool = False,
        keep_commit: bool = False,
        commit: str = "",
        cloned_from: str = "",
    ) -> Deployment:
        """Create a deployment of this spec, not saved yet."""
        sequence = self.shelf.next_sequence(app.id)
        deployment = new_deployment(app, sequence, copy.deepcopy(spec), cause, details or _by_hand(cause))
        deployment.force_build, deployment.cloned_from = force_build, cloned_from
        deployment.commit = commit or (self._commit_of(app, spec) if keep_commit else "")
        return deployment

    def _commit_of(self, app: App, spec: dict[str, Any]) -> str:
        """Return the serving commit, if the source is still the same."""
        active = self.shelf.active(app)
        same = active and _source(active.service) == _source(spec["services"][0])
        return active.commit if active and same else ""

    def _check_free(self, spec: dict[str, Any], app: App | None) -> None:
        holder = self.shelf.named(spec["name"])
        if holder and holder is not app:
            raise ApiError(409, "App name already exists", "conflict")
        for domain in spec.get("domains", []):
            holder = self.shelf.holder(domain["domain"])
            if holder and holder is not app:
                raise ApiError(409, f"domain {domain['domain']} is in use by another app", "conflict")

    def _check_unpinned(self, app: App) -> None:
        if app.pinned_id:
            raise ApiError(409, "the app is pinned to a rollback: commit or revert that first", "conflict")

    def _check_project(self, project_id: str | None) -> None:
        if project_id and project_id != DEFAULT_PROJECT:
            raise not_found(f"project {project_id}")


def _by_hand(cause: str) -> dict[str, Any]:
    """Return the `cause_details` of a request by a person."""
    user = {"uuid": ACCOUNT["uuid"], "email": ACCOUNT["email"], "full_name": ACCOUNT["name"]}
    kind = "MANUAL_ROLLBACK" if cause == ROLLED_BACK else "MANUAL"
    return {"digitalocean_user_action": {"user": user, "name": ACTIONS[cause]}, "type": kind}


def _source(service: dict[str, Any]) -> tuple[Any, ...]:
    """Return the part of a service that selects its commits."""
    github = service.get("github") or {}
    return service.get("git"), github.get("repo"), github.get("branch")


def _problem(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "components": []}
