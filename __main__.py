"""The Oracle network.

Deploys:
- admin: the backend's superuser
- backend: PocketBase on App Platform, one app for each generation, its image pinned by digest
- backend ready: the declared release runs, is healthy, and its admin has logged in; its address goes on from here
- api: a Worker that knows the backend by secret bindings
- web, universe: Workers with static files, which get the API's address at run time
- uptime: checks and alerts
"""

from pathlib import Path

import pulumi

import settings
from components.admin import Admin
from components.backend import Backend, BackendArgs
from components.bindings import Assets, Binding, PlainText, SecretText, optional_secret
from components.bootstrap import Expected, bootstrap_hook
from components.deploylog import DeployLog
from components.image import available_image
from components.monitoring import Monitoring, MonitoringArgs
from components.naming import RELEASE_VARIABLE, app_name
from components.ready import BackendReady, ReadyArgs
from components.sources import read_sources
from components.worker import Account, Worker, WorkerArgs

config = settings.load()
sources = read_sources(config, Path.cwd())
account = Account(id=config.account_id, workers_url=config.workers_url)

admin = Admin("admin", config)
expected = Expected.of(settings.digitalocean_endpoint(), config, sources.digest, admin.password)
log = DeployLog(expected.endpoint, app_name(config.backend.app_name, config.generation))
backend = Backend(
    "backend",
    BackendArgs(
        settings=config.backend,
        generation=config.generation,
        release=sources.digest,
        digest=available_image("backend-image", config.backend.image, sources.digest),
        secrets={"PB_ADMIN_EMAIL": admin.email, "PB_ADMIN_PASSWORD": admin.password},
        before=log.start,
        after=log.then(bootstrap_hook(expected)),
        failed=log.failed,
    ),
)
ready = BackendReady("backend-ready", ReadyArgs(expected=expected, app_id=backend.app_id, url=backend.url))

api_bindings: list[Binding] = [
    SecretText(name="POCKETBASE_URL", value=ready.url),
    SecretText(name="PB_ADMIN_EMAIL", value=admin.email),
    SecretText(name="PB_ADMIN_PASSWORD", value=admin.password),
    *optional_secret("GITHUB_TOKEN", config.github_token),
    PlainText(name=RELEASE_VARIABLE, value=sources.release["workers"]["api"]),
]
api = Worker("api", WorkerArgs(account=account, settings=config.api, module=sources.api, bindings=api_bindings))
sites = {}
for name, site, assets in (("web", config.web, sources.web), ("universe", config.universe, sources.universe)):
    run_time = (PlainText(name="API_URL", value=api.url), PlainText(name=RELEASE_VARIABLE, value=assets.digest))
    args = WorkerArgs(
        account=account, settings=site, module=sources.static, bindings=[Assets(), *run_time], assets=assets
    )
    sites[name] = Worker(name, args).url

urls = {"backend": backend.url, "api": api.url, **sites}
if config.monitoring:
    Monitoring("uptime", MonitoringArgs(settings=config.monitoring, urls=urls, health_path=config.backend.health_path))

for name, url in urls.items():
    pulumi.export(f"{name}Url", url)
pulumi.export("backendAppId", backend.app_id)
pulumi.export("generation", config.generation)
pulumi.export("release", sources.release)
pulumi.export("adminEmail", admin.email)
pulumi.export("adminPassword", admin.password)
