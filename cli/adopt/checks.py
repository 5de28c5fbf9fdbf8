"""Checks of an adoption: reasons to refuse it, the configuration to write, and later differences.

Pure functions: nothing here makes a request. A refusal prevents any write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cli.adopt.discover import LiveResources, LiveWorker
from cli.adopt.model import Adoption, Difference
from cli.adopt.source_builds import alert_differences, alerts_to_declare, push_refusals, source_differences, source_of
from errors import STACK, First, Fix, Remedy, RemoveKey, SetKey, UserError
from settings import API, ModuleSettings, Settings, given_by_the_program, template_values
from stack_outputs import OWNER_VARIABLE, Owner, key_of, owner_of_app, owner_of_worker

KINDS = frozenset({"plain_text", "secret_text", "assets", "service"})
"""The kinds of bindings that this program can give an existing Worker; it would lose others with its first release."""
ADMIN = frozenset({"PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD"})
SITE = frozenset({"ASSETS", "API_URL", "RELEASE", OWNER_VARIABLE})
UNREADABLE = (
    "its value cannot be read, so the first release runs without it, unless oracle-net:backendSecrets.{name} is set "
    "before"
)
RELEASE_TAKES_IT_AWAY = "which the first release would remove"
OTHER_COMPONENTS = ("workers", "jobs", "static_sites", "functions", "databases")
MOVING = ("pending_deployment", "in_progress_deployment")
# A key of oracle-net:backend, and its field in the running service.
SERVICE_KEYS = {"size": "instance_size_slug", "port": "http_port"}


def refusals(settings: Settings, live: LiveResources, services: tuple[str, ...], owner: Owner) -> Iterator[UserError]:
    """Yield an error for each reason why these services cannot be adopted as they run."""
    yield from _owner_refusals(settings, live, services, owner)
    if "backend" in services:
        yield from _app_refusals(settings, live)
    for name in services:
        if name != "backend":
            yield from _worker_refusals(name, settings, live)


def differences(settings: Settings, live: LiveResources, services: tuple[str, ...]) -> Iterator[Difference]:
    """Yield the changes that the first release of each service would make, beyond its code."""
    if "backend" in services and live.app:
        yield from _app_differences(settings, live.app)
    for name in services:
        worker = live.workers.get(name)
        if worker:
            yield from _worker_differences(name, settings, worker, live)


def adoption(settings: Settings, live: LiveResources, services: tuple[str, ...]) -> Adoption:
    """Return the configuration to write, for services without refusals."""
    values: dict[str, str] = {}
    descriptions: list[str] = []
    alerts: tuple[Mapping[str, object], ...] = ()
    if "backend" in services and live.app:
        active, alerts = live.app["active_deployment"]["id"], alerts_to_declare(settings.backend, live.app)
        values |= {"backend.adopted.app": live.app["id"], "backend.adopted.deployment": active}
        descriptions.append(_app_words(settings, live, live.app, alerts))
    for name, config in settings.workers.items():
        worker = live.workers.get(name)
        if name not in services or worker is None:
            continue
        values[f"{key_of(name)}.adopted.version"] = worker.version
        domain = live.domain(config.domain.hostname) if config.domain else None
        if domain:
            values[f"{key_of(name)}.adopted.domain"] = domain.id
        at = f", at {domain.hostname}" if domain else ""
        secrets = [each for each, binding in sorted(worker.bindings.items()) if binding["type"] == "secret_text"]
        holds = f", with its secrets {', '.join(secrets)}" if secrets else ""
        descriptions.append(f"{name}: the Worker {worker.script} as its version {worker.version} runs{at}{holds}")
    return Adoption(adopted=values, words=tuple(descriptions), alerts=alerts)


def _app_words(
    settings: Settings, live: LiveResources, app: Mapping[str, Any], alerts: Sequence[Mapping[str, object]]
) -> str:
    source, active = source_of(app), app["active_deployment"]["id"]
    built = f", built from {source}" if source and source.built else ""
    with_alerts = f", with its alerts {', '.join(str(each['rule']) for each in alerts)}" if alerts else ""
    name = settings.backend.app_name
    return f"backend: the app {name} at {live.url}, as its deployment {active} runs{built}{with_alerts}"


def _owner_refusals(
    settings: Settings, live: LiveResources, services: tuple[str, ...], owner: Owner
) -> Iterator[UserError]:
    """Yield a refusal for each resource that belongs to another stack."""
    worker_owners = {name: owner_of_worker(each.bindings) for name, each in live.workers.items() if each}
    app_owner = owner_of_app(live.app["spec"]) if live.app else None
    for name in services:
        backend = name == "backend"
        holder = app_owner if backend else worker_owners.get(name)
        if holder and holder != str(owner):
            resource = (
                f"The app {settings.backend.app_name}" if backend else f"The Worker {settings.workers[name].script}"
            )
            key = "backend.appName" if backend else f"{key_of(name)}.script"
            yield UserError(f"{resource} belongs to {holder}, not to {owner}.", SetKey(f"oracle-net:{key}", "NAME"))


def _app_refusals(settings: Settings, live: LiveResources) -> Iterator[UserError]:
    backend, app = settings.backend, live.app
    if app is None:
        there = f"its apps: {', '.join(live.apps)}" if live.apps else "it has no apps"
        name = SetKey("oracle-net:backend.appName", "NAME")
        yield UserError(f"The account has no app {backend.app_name} ({there}).", name)
        return
    if "backend.image.digest" in settings.left_as_in_the_template:
        unset = template_values("backend.image.digest")
        build = Fix(
            f"pulumi config rm --path oracle-net:backend.image.digest --stack {STACK}",
            then=f"pulumi config set --path oracle-net:backend.image.build.dockerfile Dockerfile --stack {STACK}",
        )
        yield UserError(unset.problem, *unset.helps, build)
    yield from _shape_refusals(backend.app_name, backend.service, app["spec"])
    yield from push_refusals(app)
    if any(app.get(each) for each in MOVING):
        wait = First("wait for its end", Remedy.RETRY)
        yield UserError(f"A deployment of {backend.app_name} is running.", wait)
    elif app.get("pinned_deployment"):
        yield UserError(
            f"{backend.app_name} was rolled back and is pinned, so nothing can be deployed in it.",
            First("commit or revert the rollback in DigitalOcean's console", Remedy.RETRY),
        )
    elif not app.get("active_deployment"):
        listed = Fix(f"doctl apps list-deployments {app['id']}", "to see its deployments")
        yield UserError(f"{backend.app_name} has no active deployment.", listed)


def _shape_refusals(name: str, service: str, spec: Mapping[str, Any]) -> Iterator[UserError]:
    services = [each["name"] for each in spec.get("services") or []]
    if len(services) != 1:
        yield UserError(
            f"{name} has {len(services)} services ({', '.join(services)}), and the first release would remove all but "
            "one.",
            First("move the other to an app of its own", Remedy.RETRY),
        )
    elif services != [service]:
        yield UserError(
            f"The service of {name} is called {services[0]}, but {service} is declared.",
            SetKey("oracle-net:backend.service", services[0]),
        )
    for kind in OTHER_COMPONENTS:
        if components := [str(each.get("name")) for each in spec.get(kind) or []]:
            yield UserError(
                f"{name} has components that cannot be declared ({kind}: {', '.join(components)}). The first release "
                "would remove them.",
                First("move them to an app of their own", Remedy.RETRY),
            )
    if hosts := [str(each.get("domain")) for each in spec.get("domains") or []]:
        yield UserError(
            f"{name} has domains of its own ({', '.join(hosts)}), but each release moves the backend to another app.",
            First("let clients use the API's domain, and remove these domains", Remedy.RETRY),
        )
    count = int((spec.get("services") or [{}])[0].get("instance_count") or 1)
    if count > 1:
        yield UserError(
            f"{name} runs {count} containers, each with a database of its own, and only one can be adopted.",
            First("scale it to one container in DigitalOcean's console", Remedy.RETRY),
        )


def _worker_refusals(name: str, settings: Settings, live: LiveResources) -> Iterator[UserError]:
    config, worker = settings.workers[name], live.workers.get(name)
    if worker is None:
        script = SetKey(f"oracle-net:{key_of(name)}.script", "NAME")
        yield UserError(f"The account has no deployed Worker {config.script}.", script)
        return
    if len(worker.shares) > 1:
        yield UserError(
            f"The traffic of {config.script} is shared by {len(worker.shares)} versions.",
            Fix(f"npx wrangler versions deploy --name {config.script}", "to give it to one", then=Remedy.RETRY),
        )
    yield from _binding_refusals(name, settings, worker)
    if config.domain:
        domain = live.domain(config.domain.hostname)
        if domain is None or domain.script != config.script:
            to = f"leads to {domain.script}" if domain else "is not a custom domain of any Worker"
            yield UserError(
                f"{config.domain.hostname} {to}, but it is declared for {config.script}.",
                First(f"attach it to {config.script}", Remedy.RETRY),
                RemoveKey(f"oracle-net:{key_of(name)}.domain"),
            )


def _binding_refusals(name: str, settings: Settings, worker: LiveWorker) -> Iterator[UserError]:
    for bound, binding in sorted(worker.bindings.items()):
        kind = binding["type"]
        if kind == "durable_object_namespace":
            yield UserError(
                f"{worker.script} has a Durable Object ({bound}), whose data belongs to its Worker's migrations. It "
                "cannot be adopted.",
                First("move it to a Worker that wrangler deploys", Remedy.RETRY),
            )
        elif kind not in KINDS:
            yield UserError(
                f"{worker.script} has a binding of an unsupported kind ({bound}: {kind}), {RELEASE_TAKES_IT_AWAY}.",
                First("remove it from this Worker", Remedy.RETRY),
            )
        elif kind == "secret_text" and bound not in _declared(name, settings):
            yield UserError(
                f"{worker.script} has a secret {bound} that is not declared and whose value cannot be read.",
                Fix(f"npx wrangler secret delete {bound} --name {worker.script}", then=Remedy.RETRY),
            )
    if name == API and "GITHUB_TOKEN" in worker.bindings and settings.github_token is None:
        yield UserError(
            f"{worker.script} has a GITHUB_TOKEN, whose value cannot be read and {RELEASE_TAKES_IT_AWAY}.",
            SetKey("oracle-net:githubToken", secret=True),
        )


def _declared(name: str, settings: Settings) -> frozenset[str]:
    """Return the names of the bindings that a Worker has from its first release on."""
    worker = settings.workers[name]
    if not isinstance(worker, ModuleSettings):
        return SITE
    return frozenset({*given_by_the_program(name), *worker.bindings, *settings.worker_secrets.get(name, {})})


def _app_differences(settings: Settings, app: Mapping[str, Any]) -> Iterator[Difference]:
    backend, spec = settings.backend, app["spec"]
    service = (spec.get("services") or [{}])[0]
    running: dict[str, object] = {key: service.get(theirs) for key, theirs in SERVICE_KEYS.items()}
    running |= {"region": spec.get("region"), "healthPath": (service.get("health_check") or {}).get("http_path")}
    declared = backend.model_dump(by_alias=True)
    for key, value in running.items():
        if value is not None and value != declared[key]:
            yield Difference(key=f"backend.{key}", runs=value, declared=declared[key])
    yield from source_differences(backend, app)
    yield from alert_differences(backend, app)
    envs = [*(spec.get("envs") or []), *(service.get("envs") or [])]
    for env in envs:
        key, secret = env["key"], env.get("type") == "SECRET"
        if key in ADMIN or (not secret and backend.env.get(key) == env.get("value")):
            continue
        if secret:
            if key not in settings.backend_secrets:
                yield Difference(
                    key=f"backendSecrets.{key}", runs=None, declared=None, effect=UNREADABLE.format(name=key)
                )
            continue
        yield Difference(key=f"backend.env.{key}", runs=env.get("value"), declared=backend.env.get(key))


def _worker_differences(name: str, settings: Settings, worker: LiveWorker, live: LiveResources) -> Iterator[Difference]:
    config = settings.workers[name]
    key = key_of(name)
    if worker.date and worker.date != config.compatibility_date:
        yield Difference(key=f"{key}.compatibilityDate", runs=worker.date, declared=config.compatibility_date)
    if worker.flags != config.compatibility_flags:
        flags = list(config.compatibility_flags)
        yield Difference(key=f"{key}.compatibilityFlags", runs=list(worker.flags), declared=flags)
    if worker.workers_dev is not config.workers_dev:
        yield Difference(key=f"{key}.workersDev", runs=worker.workers_dev, declared=config.workers_dev)
    for domain in live.domains:
        if domain.script == config.script and (config.domain is None or config.domain.hostname != domain.hostname):
            line = {"hostname": domain.hostname, "zoneId": domain.zone_id}
            stays = f"{domain.hostname} does not change, and is not declared"
            yield Difference(key=f"{key}.domain", runs=line, declared=None, effect=stays)
    for bound, binding in sorted(worker.bindings.items()):
        yield from _binding_difference(name, bound, binding, _declared(name, settings))


def _binding_difference(
    name: str, bound: str, binding: Mapping[str, Any], declared: frozenset[str]
) -> Iterator[Difference]:
    plain = binding["type"] == "plain_text"
    if plain and bound == "POCKETBASE_URL" and name == API:
        effect = "becomes a secret, in the one upload of the first release"
        yield Difference(key=f"{name}: {bound}", runs=None, declared=None, effect=effect)
    elif bound not in declared:
        effect = "a binding that the configuration does not declare: the first release runs without it"
        yield Difference(key=f"{name}: {bound}", runs=None, declared=None, effect=effect)
