"""The Oracle network.

Deploys:
- admin: the backend's superusers, the team's and the program's own
- generation: which app runs the backend; the gate that refuses what is not this stack's, before anything else
- backend: PocketBase on App Platform, its image pinned by digest; deleted after a verified backup only
- data: what the new app starts with: nothing, the data of the app before, or a backup's
- backend ready: the declared release runs, is healthy, and its admin has logged in; its address goes on from here
- storage and Workers: api, which knows the backend by secret bindings; sites, which get the API's address at run time
- uptime: checks and alerts
- kept release: the deployed bytes, kept beside the backups for promotion and rollback
"""

from pathlib import Path

import pulumi

import settings
from components.admin import Admin
from components.backend import Backend, BackendArgs
from components.configured import Bindings
from components.data import BackendData, DataArgs
from components.deploylog import DeployLog
from components.generation import BackendGeneration
from components.image import available_image
from components.keeping import Keeping
from components.kept import KeptRelease
from components.monitoring import monitor
from components.ready import BackendReady, ReadyArgs
from components.sources import read_sources
from components.storage import Storage, StorageArgs
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
        secrets={**config.secret_variables, **admin.variables},
        keeping=Keeping(care, generation.app),
        log=DeployLog(care.expected.endpoint, generation.app),
    ),
)
data = BackendData("backend-data", DataArgs(care=care, app_id=backend.app_id, app=generation.app))
ready = BackendReady("backend-ready", ReadyArgs(care=care, app=backend, url=data.url))
storage = Storage("storage", StorageArgs(settings=config, gate=generation), kept)
login = {"POCKETBASE_URL": ready.url, **admin.variables}
bound = Bindings(settings=config, api=login, app=generation.app, address=account.address(config.api), storage=storage)
workers: dict[str, Worker] = {}
for name in (each for each in config.made_in_order() if each in sources.modules):
    args = WorkerArgs(
        account=account,
        settings=config.workers[name],
        module=sources.modules[name],
        bindings=bound.of(name, workers),
        queue_id=storage.queue_id,
        assets=sources.assets.get(name),
        after=dismissal(care) if name == settings.API else None,
    )
    workers[name] = Worker(name, args, kept)
urls = {"backend": ready.url, **{name: workers[name].url for name in config.workers if name in workers}}

monitor("uptime", config, urls, account.ownership, kept)
KeptRelease("kept-release", config, sources.release, generation.app, backend.app_id, [*urls.values()], kept)
outputs = {"backendApp": generation.app, "backendAppId": backend.app_id, "adminEmail": admin.email}
outputs |= {"adminPassword": admin.password, "generation": config.generation, "release": sources.release}
for name, value in {**{f"{service}Url": url for service, url in urls.items()}, **outputs}.items():
    pulumi.export(name, value)
