"""The Oracle network.

Deploys:
- admin: the backend's superusers, the team's and the program's own
- generation: which app runs the backend; the gate that refuses what is not this stack's, before anything else
- backend: PocketBase on App Platform, its image pinned by digest; deleted after a verified backup only
- data: what the new app starts with: nothing, the data of the app before, or a backup's
- backend ready: the declared release runs, is healthy, and its admin has logged in; its address goes on from here
- api: a Worker that knows the backend by secret bindings
- web, universe: Workers with static files, which get the API's address at run time, and wait for the gate only
- uptime: checks and alerts
- kept release: the deployed bytes, kept beside the backups for promotion and rollback
"""

from pathlib import Path

import pulumi

import settings
from components.admin import Admin
from components.backend import Backend, BackendArgs
from components.bindings import Assets, Binding, PlainText, SecretText, optional_secret
from components.data import BackendData, DataArgs
from components.deploylog import DeployLog
from components.generation import BackendGeneration
from components.image import available_image
from components.keeping import Keeping
from components.kept import KeptRelease
from components.monitoring import monitor
from components.ready import BackendReady, ReadyArgs
from components.sources import read_sources
from components.succession import dismissal
from components.transfer import Care
from components.worker import Account, Worker, WorkerArgs

config = settings.load()
sources = read_sources(config, Path.cwd())
kept = pulumi.ResourceOptions(protect=config.locked)
admin = Admin("admin", config)
care = Care.of(config, sources.digest, admin)
generation = BackendGeneration("backend-generation", config, sources.digest, care)
account = Account.of(config, generation)
backend = Backend(
    "backend",
    BackendArgs(
        settings=config.backend,
        app=generation.app,
        generation=config.generation,
        release=sources.digest,
        digest=available_image("backend-image", config.backend.image, sources.digest),
        secrets={**config.secret_variables, "PB_ADMIN_EMAIL": admin.email, "PB_ADMIN_PASSWORD": admin.password},
        keeping=Keeping(care, generation.app),
        log=DeployLog(care.expected.endpoint, generation.app),
    ),
)
data = BackendData("backend-data", DataArgs(care=care, app_id=backend.app_id, app=generation.app))
ready = BackendReady("backend-ready", ReadyArgs(care=care, app=backend, url=data.url))

knows: list[Binding] = [
    SecretText(name="POCKETBASE_URL", value=ready.url),
    SecretText(name="PB_ADMIN_EMAIL", value=admin.email),
    SecretText(name="PB_ADMIN_PASSWORD", value=admin.password),
    *optional_secret("GITHUB_TOKEN", config.github_token),
    PlainText(name="BACKEND", value=generation.app),
]
served = WorkerArgs(account=account, settings=config.api, module=sources.api, bindings=knows, after=dismissal(care))
api = Worker("api", served, kept)
urls = {"backend": ready.url, "api": api.url}
for name, site, assets in (("web", config.web, sources.web), ("universe", config.universe, sources.universe)):
    run_time: list[Binding] = [Assets(), PlainText(name="API_URL", value=api.address)]
    args = WorkerArgs(account=account, settings=site, module=sources.static[name], bindings=run_time, assets=assets)
    urls[name] = Worker(name, args, kept).url

monitor("uptime", config, urls, account.ownership, kept)
KeptRelease("kept-release", config, sources.release, generation.app, backend.app_id, [*urls.values()], kept)

outputs = {"backendApp": generation.app, "backendAppId": backend.app_id, "adminEmail": admin.email}
outputs |= {"adminPassword": admin.password, "generation": config.generation, "release": sources.release}
for name, value in {**{f"{service}Url": url for service, url in urls.items()}, **outputs}.items():
    pulumi.export(name, value)
