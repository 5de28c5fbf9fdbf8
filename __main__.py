"""The Oracle network.

Deploys:
- admin: the backend's superusers: the team's admin and the program's operator
- generation: the name of the app that runs the backend; fails first if a resource belongs to another stack
- backend: PocketBase on App Platform, its image pinned by digest; deleted only after a verified backup
- data: an empty database, the data of the previous app, or a backup
- backend ready: the declared release runs, is healthy, and accepts the admin's login; passes the address on
- storage and Workers: api, which gets the backend's address in a secret; sites, which get the API's address at run time
- uptime: checks and alerts
- release archive: the deployed bytes, stored beside the backups for promotion and rollback
"""

from pathlib import Path

import pulumi

import settings
from components.admin import Admin
from components.backend import Backend, BackendArgs
from components.backend_data import BackendData, DataArgs
from components.backend_generation import BackendGeneration
from components.backend_ready import BackendReady, ReadyArgs
from components.monitoring import monitor
from components.pushed_image import available_image
from components.release_archive import ReleaseArchive
from components.storage import Storage, StorageArgs
from components.worker import Account, Worker, WorkerArgs
from components.worker_bindings import Bindings
from lifecycle.admin_rotation import remove_temporary_admins_hook
from lifecycle.delete_guard import BackupBeforeDelete
from lifecycle.deploy_log import DeployLog
from lifecycle.errors import shown_as_text
from lifecycle.migration import BackendContext
from sources.release import read_sources

with shown_as_text():
    config = settings.load()
    sources = read_sources(config, Path.cwd())
protected = pulumi.ResourceOptions(protect=config.locked)
admin = Admin("admin", config)
context = BackendContext.of(config, sources.digest, admin)
generation = BackendGeneration("backend-generation", config, sources.digest, context)
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
        delete_guard=BackupBeforeDelete(context, generation.app),
        log=DeployLog(context.expected.endpoint, generation.app),
    ),
)
data = BackendData("backend-data", DataArgs(context=context, app_id=backend.app_id, app=generation.app))
ready = BackendReady("backend-ready", ReadyArgs(context=context, app=backend, url=data.url))
storage = Storage("storage", StorageArgs(settings=config, gate=generation), protected)
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
        after=remove_temporary_admins_hook(context) if name == settings.API else None,
    )
    workers[name] = Worker(name, args, protected)
urls = {"backend": ready.url, **{name: workers[name].url for name in config.workers if name in workers}}

monitor("uptime", config, urls, account.ownership, protected)
ReleaseArchive("release-archive", config, sources.release, generation.app, backend.app_id, [*urls.values()], protected)
outputs = {"backendApp": generation.app, "backendAppId": backend.app_id, "adminEmail": admin.email}
outputs |= {"adminPassword": admin.password, "generation": config.generation, "release": sources.release}
for name, value in {**{f"{service}Url": url for service, url in urls.items()}, **outputs}.items():
    pulumi.export(name, value)
