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

import pulumi

import settings
from components.admin import Admin, AdminArgs
from components.backend import Backend, BackendArgs
from components.backend_data import BackendData, DataArgs
from components.backend_generation import BackendGeneration, GenerationArgs
from components.backend_ready import BackendReady, ReadyArgs
from components.monitoring import Monitoring, MonitoringArgs
from components.pushed_image import ImageArgs, PushedImage
from components.release_archive import ArchiveArgs, ReleaseArchive
from components.storage import Storage, StorageArgs
from components.worker import Worker
from components.worker_args import WorkerArgs
from components.worker_bindings import Bindings
from lifecycle.admin_rotation import remove_temporary_admins_hook
from lifecycle.context import BackendContext
from lifecycle.delete_guard import BackupBeforeDelete
from lifecycle.deploy_log import DeployLog
from lifecycle.errors import shown_as_text
from lifecycle.ownership import Ownership
from sources.release import read_sources

with shown_as_text():
    config = settings.load()
    sources = read_sources(config)
protected = pulumi.ResourceOptions(protect=config.locked)
ownership = Ownership.of(config)
admin = Admin("admin", AdminArgs.of(config))
context = BackendContext.of(config, sources.digest, admin)
generation = BackendGeneration("backend-generation", GenerationArgs.of(config, sources.digest, context))
image = ImageArgs.of(config, sources.digest)
backend_args = BackendArgs.of(
    config,
    app=generation.app,
    release=sources.digest,
    digest=PushedImage("backend-image", image).digest if image else sources.digest,
    login=admin.variables,
    delete_guard=BackupBeforeDelete(context, generation.app),
    log=DeployLog(context.expected.endpoint, generation.app),
)
backend = Backend("backend", backend_args)
data = BackendData("backend-data", DataArgs(context=context, app_id=backend.app_id, app=generation.app))
ready_args = ReadyArgs(context=context, app_id=backend.app_id, declared=backend.declared, url=data.url)
ready = BackendReady("backend-ready", ready_args)
storage = Storage("storage", StorageArgs.of(config, generation), protected)
bound = Bindings(settings=config, url=ready.url, login=admin.variables, app=generation.app, storage=storage)
workers: dict[str, Worker] = {}
for name in (each for each in config.made_in_order() if each in sources.modules):
    after = remove_temporary_admins_hook(context) if name == settings.API else None
    args = WorkerArgs.of(
        config, name, sources, storage, bound.of(name, workers), ownership, gate=generation, after=after
    )
    workers[name] = Worker(name, args, protected)
urls = {"backend": ready.url, **{name: workers[name].url for name in config.workers if name in workers}}

if config.monitoring:
    Monitoring("uptime", MonitoringArgs.of(config.monitoring, config.health, urls, ownership), protected)
archive_args = ArchiveArgs.of(config, sources.release, generation.app, backend.app_id, after=[*urls.values()])
ReleaseArchive("release-archive", archive_args, protected)
outputs: dict[str, object] = {f"{service}Url": url for service, url in urls.items()}
outputs |= {"backendApp": generation.app, "backendAppId": backend.app_id, "adminEmail": admin.email}
outputs |= {"adminPassword": admin.password, "generation": config.generation, "release": sources.release}
for name, value in outputs.items():
    pulumi.export(name, value)
