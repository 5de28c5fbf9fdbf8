"""The table of endpoints below /client/v4."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route, WebSocketRoute

from localcloud.cloud import Cloud
from localcloud.cloudflare import (
    accounts,
    assets,
    beta,
    d1,
    domains,
    kv,
    queue_api,
    r2,
    scripts,
    tails,
    versions,
)
from localcloud.cloudflare.api import Handler
from localcloud.cloudflare.endpoints import answer, follow_tail, unknown_path
from localcloud.cloudflare.startup import api_of

ACCOUNT = "/accounts/{account}"
WORKERS = f"{ACCOUNT}/workers"
SCRIPT = f"{WORKERS}/scripts/{{script}}"
SERVICE = f"{WORKERS}/services/{{script}}"
WORKER = f"{WORKERS}/workers/{{script}}"
PRODUCTION = f"{SERVICE}/environments/production"
NAMESPACES = f"{ACCOUNT}/storage/kv/namespaces"
NAMESPACE = f"{NAMESPACES}/{{namespace}}"
DATABASES = f"{ACCOUNT}/d1/database"
DATABASE = f"{DATABASES}/{{database}}"
BUCKETS = f"{ACCOUNT}/r2/buckets"
BUCKET = f"{BUCKETS}/{{bucket}}"
QUEUES = f"{ACCOUNT}/queues"
QUEUE = f"{QUEUES}/{{queue}}"
ZONE = "/zones/{zone}"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

TABLE: list[tuple[str, str, Handler]] = [
    ("GET", "/user/tokens/verify", accounts.verify_token),
    ("GET", "/user", accounts.user),
    ("GET", "/memberships", accounts.memberships),
    ("GET", "/accounts", accounts.accounts),
    ("GET", ACCOUNT, accounts.account),
    ("GET", f"{ACCOUNT}/tokens/verify", accounts.verify_token),
    ("GET", f"{WORKERS}/subdomain", accounts.subdomain),
    ("PUT", f"{WORKERS}/subdomain", accounts.set_subdomain),
    ("GET", f"{WORKERS}/scripts", scripts.scripts),
    ("PUT", SCRIPT, scripts.put),
    ("GET", SCRIPT, scripts.content),
    ("DELETE", SCRIPT, scripts.delete),
    ("GET", f"{SCRIPT}/content", scripts.content),
    ("PUT", f"{SCRIPT}/content", scripts.put_content),
    ("GET", f"{SCRIPT}/content/v2", scripts.content),
    ("GET", f"{SCRIPT}/settings", scripts.settings),
    ("PATCH", f"{SCRIPT}/settings", scripts.patch_settings),
    ("GET", f"{SCRIPT}/script-settings", scripts.script_settings),
    ("PATCH", f"{SCRIPT}/script-settings", scripts.patch_script_settings),
    ("GET", f"{SCRIPT}/usage-model", scripts.usage_model),
    ("GET", f"{SCRIPT}/subdomain", scripts.subdomain),
    ("POST", f"{SCRIPT}/subdomain", scripts.set_subdomain),
    ("DELETE", f"{SCRIPT}/subdomain", scripts.drop_subdomain),
    ("GET", f"{SCRIPT}/schedules", scripts.schedules),
    ("PUT", f"{SCRIPT}/schedules", scripts.put_schedules),
    ("GET", f"{SCRIPT}/references", scripts.references),
    ("GET", f"{SCRIPT}/tails", tails.tails),
    ("POST", f"{SCRIPT}/tails", tails.open_tail),
    ("DELETE", f"{SCRIPT}/tails/{{tail}}", tails.close_tail),
    ("GET", f"{WORKERS}/tails/by-consumer/{{script}}", scripts.nothing),
    ("POST", f"{SCRIPT}/assets-upload-session", assets.open_session),
    ("GET", f"{SCRIPT}/versions", versions.versions),
    ("POST", f"{SCRIPT}/versions", versions.add_version),
    ("GET", f"{SCRIPT}/versions/{{version}}", versions.version),
    ("GET", f"{SCRIPT}/deployments", versions.deployments),
    ("POST", f"{SCRIPT}/deployments", versions.deploy),
    ("GET", f"{SCRIPT}/deployments/{{deployment}}", versions.deployment),
    ("DELETE", f"{SCRIPT}/deployments/{{deployment}}", versions.drop_deployment),
    ("GET", f"{SCRIPT}/secrets", versions.secrets),
    ("PUT", f"{SCRIPT}/secrets", versions.put_secret),
    ("PATCH", f"{SCRIPT}/secrets-bulk", versions.put_secrets),
    ("GET", f"{SCRIPT}/secrets/{{secret}}", versions.secret),
    ("DELETE", f"{SCRIPT}/secrets/{{secret}}", versions.drop_secret),
    ("POST", f"{SCRIPT}/domains/changeset", domains.change_script_domains),
    ("PUT", f"{SCRIPT}/domains/records", domains.put_script_domains),
    ("PUT", f"{SCRIPT}/routes", domains.put_script_routes),
    ("GET", f"{WORKERS}/workers", beta.workers),
    ("POST", f"{WORKERS}/workers", beta.add_worker),
    ("GET", WORKER, beta.worker),
    ("PUT", WORKER, beta.put_worker),
    ("PATCH", WORKER, beta.put_worker),
    ("DELETE", WORKER, beta.drop_worker),
    ("GET", f"{WORKER}/versions", beta.versions),
    ("POST", f"{WORKER}/versions", beta.add_version),
    ("PATCH", f"{WORKER}/versions/latest", versions.patch_latest),
    ("GET", f"{WORKER}/versions/{{version}}", beta.version),
    ("GET", f"{WORKERS}/services", scripts.services),
    ("GET", SERVICE, scripts.service),
    ("DELETE", SERVICE, scripts.delete),
    ("GET", PRODUCTION, scripts.environment),
    ("GET", f"{PRODUCTION}/settings", scripts.settings),
    ("GET", f"{PRODUCTION}/bindings", scripts.bindings),
    ("GET", f"{PRODUCTION}/content", scripts.content),
    ("GET", f"{PRODUCTION}/content/v2", scripts.content),
    ("GET", f"{PRODUCTION}/subdomain", scripts.subdomain),
    ("POST", f"{PRODUCTION}/subdomain", scripts.set_subdomain),
    ("GET", f"{PRODUCTION}/routes", domains.script_routes),
    ("GET", f"{WORKERS}/domains", domains.domains),
    ("PUT", f"{WORKERS}/domains", domains.put_domain),
    ("GET", f"{WORKERS}/domains/records", domains.domains),
    ("GET", f"{WORKERS}/domains/records/{{domain}}", domains.domain),
    ("GET", f"{WORKERS}/domains/{{domain}}", domains.domain),
    ("DELETE", f"{WORKERS}/domains/{{domain}}", domains.drop_domain),
    ("GET", NAMESPACES, kv.namespaces),
    ("POST", NAMESPACES, kv.add_namespace),
    ("GET", NAMESPACE, kv.namespace),
    ("PUT", NAMESPACE, kv.rename_namespace),
    ("DELETE", NAMESPACE, kv.drop_namespace),
    ("GET", f"{NAMESPACE}/keys", kv.keys),
    ("GET", f"{NAMESPACE}/values/{{key:path}}", kv.value),
    ("PUT", f"{NAMESPACE}/values/{{key:path}}", kv.put_value),
    ("DELETE", f"{NAMESPACE}/values/{{key:path}}", kv.drop_value),
    ("GET", f"{NAMESPACE}/metadata/{{key:path}}", kv.metadata),
    ("PUT", f"{NAMESPACE}/bulk", kv.put_values),
    ("DELETE", f"{NAMESPACE}/bulk", kv.drop_values),
    ("POST", f"{NAMESPACE}/bulk/delete", kv.drop_values),
    ("POST", f"{NAMESPACE}/bulk/get", kv.values),
    ("GET", DATABASES, d1.databases),
    ("POST", DATABASES, d1.add_database),
    ("GET", DATABASE, d1.database),
    ("PUT", DATABASE, d1.change_database),
    ("PATCH", DATABASE, d1.change_database),
    ("DELETE", DATABASE, d1.drop_database),
    ("POST", f"{DATABASE}/query", d1.query),
    ("POST", f"{DATABASE}/raw", d1.raw),
    ("GET", BUCKETS, r2.buckets),
    ("POST", BUCKETS, r2.add_bucket),
    ("GET", BUCKET, r2.bucket),
    ("PATCH", BUCKET, r2.patch_bucket),
    ("DELETE", BUCKET, r2.drop_bucket),
    ("GET", QUEUES, queue_api.queues),
    ("POST", QUEUES, queue_api.add_queue),
    ("GET", QUEUE, queue_api.queue),
    ("PUT", QUEUE, queue_api.change_queue),
    ("PATCH", QUEUE, queue_api.change_queue),
    ("DELETE", QUEUE, queue_api.drop_queue),
    ("POST", f"{QUEUE}/messages", queue_api.send),
    ("POST", f"{QUEUE}/messages/batch", queue_api.send_batch),
    ("GET", f"{QUEUE}/consumers", queue_api.consumers),
    ("POST", f"{QUEUE}/consumers", queue_api.add_consumer),
    ("GET", f"{QUEUE}/consumers/{{consumer}}", queue_api.consumer),
    ("PUT", f"{QUEUE}/consumers/{{consumer}}", queue_api.change_consumer),
    ("DELETE", f"{QUEUE}/consumers/{{consumer}}", queue_api.drop_consumer),
    ("GET", "/zones", domains.zones),
    ("POST", "/zones", domains.add_zone),
    ("GET", ZONE, domains.zone),
    ("DELETE", ZONE, domains.drop_zone),
    ("GET", f"{ZONE}/dns_records", domains.dns),
    ("POST", f"{ZONE}/dns_records", domains.add_dns),
    ("DELETE", f"{ZONE}/dns_records/{{record}}", domains.drop_dns),
    ("GET", f"{ZONE}/workers/routes", domains.routes),
    ("POST", f"{ZONE}/workers/routes", domains.put_route),
    ("GET", f"{ZONE}/workers/routes/{{route}}", domains.route),
    ("PUT", f"{ZONE}/workers/routes/{{route}}", domains.put_route),
    ("DELETE", f"{ZONE}/workers/routes/{{route}}", domains.drop_route),
]


def routes(cloud: Cloud) -> list[BaseRoute]:
    """Return all routes; the last one answers for unknown paths."""
    api = api_of(cloud)
    table: list[BaseRoute] = [
        Route(path, answer(api, handler), methods=[method], name=f"{method} {path}") for method, path, handler in TABLE
    ]
    upload = Route(f"{WORKERS}/assets/upload", answer(api, assets.upload, session=True), methods=["POST"])
    known = [*table, upload]
    logs = WebSocketRoute("/tails/{tail}", follow_tail(api))
    return [*known, logs, Route("/{path:path}", unknown_path(api, known), methods=METHODS)]
