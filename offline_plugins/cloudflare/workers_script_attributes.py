"""The attributes of cloudflare.WorkersScript: those of the script, and those of an upload's metadata part.

Descriptions are the official plugin's, since Check shows them. Kinds of bindings that the program does not use accept
only a name and a type; their further properties are refused by name.
"""

from __future__ import annotations

from offline_plugins.cloudflare.attributes import Attribute

_LOGS_URL = "https://developers.cloudflare.com/workers/observability/logs/workers-logs/#invocation-logs"

# In the order of the official plugin's messages, which name one kind ("tail_consumer") in one of them only.
_BINDING_TYPES = (
    "ai", "ai_search", "ai_search_namespace", "analytics_engine", "assets", "browser", "d1", "data_blob",
    "dispatch_namespace", "durable_object_namespace", "hyperdrive", "inherit", "images", "json", "kv_namespace",
    "media", "mtls_certificate", "plain_text", "pipelines", "queue", "ratelimit", "r2_bucket", "secret_text",
    "send_email", "service", "tail_consumer", "text_blob", "vectorize", "version_metadata", "secrets_store_secret",
    "secret_key", "workflow", "wasm_module", "vpc_service", "vpc_network",
)  # fmt: skip
_BINDING_TYPES_TEXT = ", ".join(f'"{kind}"' for kind in _BINDING_TYPES if kind != "tail_consumer")

SCRIPT = {
    "id": Attribute(computed=True, optional=False, stable=True),
    "scriptName": Attribute(
        required=True, replaces=True, about="Name of the script, used in URLs and route configuration."
    ),
    "accountId": Attribute(replaces=True),
    "content": Attribute(),
    "contentFile": Attribute(),
    "contentSha256": Attribute(),
    "contentType": Attribute(
        choices=(
            "application/javascript+module",
            "application/javascript",
            "text/javascript+module",
            "text/javascript",
            "text/x-python",
        )
    ),
    "createdOn": Attribute(wire="created_on", kind="time", computed=True, optional=False, stable=True),
    "etag": Attribute(wire="etag", computed=True, optional=False),
    "handlers": Attribute(wire="handlers", kind="texts", computed=True, optional=False),
    "hasAssets": Attribute(wire="has_assets", kind="bool", computed=True, optional=False),
    "hasModules": Attribute(wire="has_modules", kind="bool", computed=True, optional=False),
    "lastDeployedFrom": Attribute(wire="last_deployed_from", computed=True, optional=False),
    "migrationTag": Attribute(wire="migration_tag", computed=True, optional=False),
    "modifiedOn": Attribute(wire="modified_on", kind="time", computed=True, optional=False),
    "namedHandlers": Attribute(
        wire="named_handlers",
        kind="objects",
        computed=True,
        optional=False,
        fields={
            "name": Attribute(wire="name", computed=True, optional=False),
            "handlers": Attribute(wire="handlers", kind="texts", computed=True, optional=False),
        },
    ),
    "placementMode": Attribute(wire="placement_mode", computed=True, optional=False),
    "placementStatus": Attribute(wire="placement_status", computed=True, optional=False),
    "startupTimeMs": Attribute(wire="startup_time_ms", kind="number", computed=True, optional=False),
}

_ANNOTATIONS = {
    "workersMessage": Attribute(wire="workers/message"),
    "workersTag": Attribute(wire="workers/tag"),
    "workersTriggeredBy": Attribute(wire="workers/triggered_by", computed=True, optional=False),
}

_ASSETS = {
    "directory": Attribute(),
    "assetManifestSha256": Attribute(computed=True, optional=False),
    "jwt": Attribute(wire="jwt", secret=True),
    "config": Attribute(
        wire="config",
        kind="object",
        fields={
            "headers": Attribute(wire="_headers"),
            "redirects": Attribute(wire="_redirects"),
            "htmlHandling": Attribute(
                wire="html_handling",
                choices=("auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none"),
            ),
            "notFoundHandling": Attribute(
                wire="not_found_handling", choices=("none", "404-page", "single-page-application")
            ),
            "runWorkerFirst": Attribute(wire="run_worker_first", kind="bool or texts"),
            "serveDirectly": Attribute(wire="serve_directly", kind="bool", deprecated=True),
        },
    ),
}

_BINDINGS = {
    "name": Attribute(wire="name", required=True, about="A JavaScript variable name for the binding."),
    "type": Attribute(
        wire="type",
        required=True,
        choices=_BINDING_TYPES,
        about=f"The kind of resource that the binding provides. Available values: {_BINDING_TYPES_TEXT}.",
    ),
    "text": Attribute(wire="text", secret=True),
    "service": Attribute(wire="service"),
    "environment": Attribute(wire="environment"),
    "entrypoint": Attribute(wire="entrypoint"),
    "bucketName": Attribute(wire="bucket_name"),
    "databaseId": Attribute(wire="database_id"),
    "id": Attribute(wire="id"),
    "queueName": Attribute(wire="queue_name"),
    "className": Attribute(wire="class_name", computed=True, computed_for=("type", "durable_object_namespace")),
    "scriptName": Attribute(wire="script_name"),
    "namespaceId": Attribute(wire="namespace_id", computed=True, computed_for=("type", "durable_object_namespace")),
}

_OBSERVABILITY = {
    "enabled": Attribute(
        wire="enabled", kind="bool", required=True, about="Whether observability is enabled for the Worker."
    ),
    "headSamplingRate": Attribute(wire="head_sampling_rate", kind="number"),
    "logs": Attribute(
        wire="logs",
        kind="object",
        fields={
            "enabled": Attribute(
                wire="enabled", kind="bool", required=True, about="Whether logs are enabled for the Worker."
            ),
            "invocationLogs": Attribute(
                wire="invocation_logs",
                kind="bool",
                required=True,
                about=f"Whether [invocation logs]({_LOGS_URL}) are enabled for the Worker.",
            ),
            "headSamplingRate": Attribute(wire="head_sampling_rate", kind="number"),
            "persist": Attribute(wire="persist", kind="bool", computed=True, default=True),
        },
    ),
    "traces": Attribute(
        wire="traces",
        kind="object",
        fields={
            "enabled": Attribute(wire="enabled", kind="bool"),
            "headSamplingRate": Attribute(wire="head_sampling_rate", kind="number"),
            "persist": Attribute(wire="persist", kind="bool", computed=True, default=True),
        },
    ),
}

_PLACEMENT = {
    "mode": Attribute(wire="mode", choices=("smart", "targeted")),
    "host": Attribute(wire="host", computed=True, optional=False),
    "hostname": Attribute(wire="hostname", computed=True, optional=False),
    "lastAnalyzedAt": Attribute(wire="last_analyzed_at", kind="time", computed=True, optional=False),
    "region": Attribute(wire="region", computed=True, optional=False),
    "status": Attribute(wire="status", computed=True, optional=False),
    "targets": Attribute(computed=True, optional=False),
}

_MIGRATION = {
    "deletedClasses": Attribute(wire="deleted_classes", kind="texts"),
    "newClasses": Attribute(wire="new_classes", kind="texts"),
    "newSqliteClasses": Attribute(wire="new_sqlite_classes", kind="texts"),
    "renamedClasses": Attribute(
        wire="renamed_classes", kind="objects", fields={"from": Attribute(wire="from"), "to": Attribute(wire="to")}
    ),
    "transferredClasses": Attribute(
        wire="transferred_classes",
        kind="objects",
        fields={
            "from": Attribute(wire="from"),
            "fromScript": Attribute(wire="from_script"),
            "to": Attribute(wire="to"),
        },
    ),
}

# Sent with every upload as the program sets it, even if applied before; never read back.
_MIGRATIONS = _MIGRATION | {
    "newTag": Attribute(wire="new_tag"),
    "oldTag": Attribute(wire="old_tag"),
    "steps": Attribute(wire="steps", kind="objects", fields=_MIGRATION),
}

METADATA = {
    "annotations": Attribute(wire="annotations", kind="object", computed=True, fields=_ANNOTATIONS),
    "assets": Attribute(wire="assets", kind="object", fields=_ASSETS),
    "bindings": Attribute(wire="bindings", kind="objects", computed=True, fields=_BINDINGS),
    "compatibilityDate": Attribute(wire="compatibility_date", computed=True, default=""),
    "compatibilityFlags": Attribute(wire="compatibility_flags", kind="text set", computed=True),
    "keepAssets": Attribute(wire="keep_assets", kind="bool"),
    "keepBindings": Attribute(wire="keep_bindings", kind="text set"),
    "limits": Attribute(
        wire="limits",
        kind="object",
        fields={
            "cpuMs": Attribute(wire="cpu_ms", kind="number"),
            "subrequests": Attribute(wire="subrequests", kind="number"),
        },
    ),
    "logpush": Attribute(wire="logpush", kind="bool", computed=True, default=False),
    "mainModule": Attribute(wire="main_module"),
    "migrations": Attribute(wire="migrations", kind="object", fields=_MIGRATIONS),
    "observability": Attribute(wire="observability", kind="object", fields=_OBSERVABILITY),
    "placement": Attribute(wire="placement", kind="object", computed=True, fields=_PLACEMENT),
    "tailConsumers": Attribute(
        wire="tail_consumers",
        kind="object set",
        computed=True,
        fields={
            "service": Attribute(wire="service", required=True, about="Name of Worker that is to be the consumer."),
            "environment": Attribute(wire="environment"),
            "namespace": Attribute(wire="namespace"),
        },
    ),
    "usageModel": Attribute(
        wire="usage_model", computed=True, default="standard", choices=("standard", "bundled", "unbound")
    ),
}

# The settings of a Worker that Read uses. Annotations, assets and `keepBindings` are never read back.
SETTINGS = {
    name: METADATA[name]
    for name in (
        "bindings", "compatibilityDate", "compatibilityFlags", "limits", "logpush", "observability", "placement",
        "tailConsumers", "usageModel",
    )
}  # fmt: skip
