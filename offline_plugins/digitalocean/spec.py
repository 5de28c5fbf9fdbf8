"""The properties of digitalocean.App, from the Terraform provider's schema (digitalocean/app/app_spec.go)."""

from __future__ import annotations

from offline_plugins.digitalocean.fields import Field, Shape

_FLAGS = ("disable_edge_cache", "disable_email_obfuscation", "enhanced_threat_control_enabled")
_APP_RULES = (
    "DEPLOYMENT_FAILED",
    "DEPLOYMENT_LIVE",
    "DEPLOYMENT_STARTED",
    "DEPLOYMENT_CANCELED",
    "DOMAIN_FAILED",
    "DOMAIN_LIVE",
    "AUTOSCALE_FAILED",
    "AUTOSCALE_SUCCEEDED",
)
_COMPONENT_RULES = ("UNSPECIFIED_RULE", "CPU_UTILIZATION", "MEM_UTILIZATION", "RESTART_COUNT")
_OPERATORS = ("GREATER_THAN", "LESS_THAN", "UNSPECIFIED_OPERATOR")
_WINDOWS = ("FIVE_MINUTES", "TEN_MINUTES", "THIRTY_MINUTES", "ONE_HOUR", "UNSPECIFIED_WINDOW")
_SCOPES = ("UNSET", "RUN_TIME", "BUILD_TIME", "RUN_AND_BUILD_TIME")
_REGISTRIES = ("UNSPECIFIED", "DOCKER_HUB", "DOCR", "GHCR")


def camel(tf: str) -> str:
    """Return the plugin's name of `http_path`: `httpPath`."""
    head, *tail = tf.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _texts(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name=camel(name), tf=name) for name in names)


def _absent(shape: Shape, **names: str) -> tuple[Field, ...]:
    """Return properties that this plugin does not support; they show in outputs as null or []."""
    return tuple(Field(name=name, tf=tf, shape=shape, in_api=False, importable=False) for name, tf in names.items())


_ENV = (
    Field(name="key", tf="key", always=True),
    Field(name="value", tf="value", secret=True),
    Field(name="scope", tf="scope", default="RUN_AND_BUILD_TIME", one_of=_SCOPES),
    Field(name="type", tf="type", computed=True, one_of=("GENERAL", "SECRET"), unsaid="GENERAL"),
)
_ENVS = Field(name="envs", tf="env", api="envs", shape=Shape.SET, fields=_ENV)

_DISABLED = Field(name="disabled", tf="disabled", shape=Shape.BOOL, default=False)
_APP_ALERT = (
    Field(name="rule", tf="rule", required=True, one_of=_APP_RULES),
    _DISABLED,
    *_absent(Shape.ONE, destinations="destinations"),
)
_COMPONENT_ALERT = (
    Field(name="rule", tf="rule", required=True, one_of=_COMPONENT_RULES),
    Field(name="operator", tf="operator", required=True, one_of=_OPERATORS),
    Field(name="window", tf="window", required=True, one_of=_WINDOWS),
    Field(name="value", tf="value", shape=Shape.FLOAT, required=True),
    _DISABLED,
    *_absent(Shape.ONE, destinations="destinations"),
)

_IMAGE = (
    Field(name="registryType", tf="registry_type", required=True, one_of=_REGISTRIES),
    Field(name="repository", tf="repository", required=True),
    *_texts("registry", "tag", "digest"),
    Field(name="registryCredentials", tf="registry_credentials", secret=True, in_api=False, importable=False),
    Field(
        name="deployOnPushes",
        tf="deploy_on_push",
        api="deploy_on_pushes",  # the API returns one object, and only for DOCR, which this plugin does not support
        shape=Shape.LIST,
        computed=True,
        in_api=False,
        importable=False,
    ),
)

_HEALTH = (
    Field(name="port", tf="port", shape=Shape.INT, between=(1, 65535)),
    *_texts("http_path"),
    *(
        Field(name=camel(name), tf=name, shape=Shape.INT)
        for name in (
            "initial_delay_seconds",
            "period_seconds",
            "timeout_seconds",
            "success_threshold",
            "failure_threshold",
        )
    ),
)

_TERMINATION = (
    Field(name="gracePeriodSeconds", tf="grace_period_seconds", shape=Shape.INT, between=(1, 600)),
    Field(name="drainSeconds", tf="drain_seconds", shape=Shape.INT, between=(1, 110)),
)

_LOG_DESTINATION = (
    Field(name="name", tf="name", required=True),
    Field(
        name="papertrail",
        tf="papertrail",
        shape=Shape.ONE,
        fields=(Field(name="endpoint", tf="endpoint", required=True),),
    ),
    *_absent(Shape.ONE, datadog="datadog", logtail="logtail", openSearch="open_search"),
)

_GITHUB = (*_texts("repo", "branch"), Field(name="deployOnPush", tf="deploy_on_push", shape=Shape.BOOL))

_SERVICE = (
    Field(name="name", tf="name", required=True, always=True),
    Field(name="git", tf="git", shape=Shape.ONE, fields=_texts("repo_clone_url", "branch")),
    Field(name="github", tf="github", shape=Shape.ONE, fields=_GITHUB),
    Field(name="image", tf="image", shape=Shape.ONE, fields=_IMAGE),
    *_texts("source_dir", "environment_slug", "dockerfile_path", "build_command", "run_command", "instance_size_slug"),
    Field(name="instanceCount", tf="instance_count", shape=Shape.INT),
    Field(name="httpPort", tf="http_port", shape=Shape.INT, computed=True),
    Field(name="internalPorts", tf="internal_ports", shape=Shape.SET, item=Shape.INT, computed=True),
    Field(name="healthCheck", tf="health_check", shape=Shape.ONE, fields=_HEALTH),
    Field(name="livenessHealthCheck", tf="liveness_health_check", shape=Shape.ONE, fields=_HEALTH),
    Field(name="termination", tf="termination", shape=Shape.ONE, fields=_TERMINATION),
    _ENVS,
    Field(name="alerts", tf="alert", api="alerts", shape=Shape.LIST, fields=_COMPONENT_ALERT),
    Field(
        name="logDestinations", tf="log_destination", api="log_destinations", shape=Shape.LIST, fields=_LOG_DESTINATION
    ),
    Field(name="routes", tf="routes", shape=Shape.LIST, computed=True, in_api=False, importable=False),
    *_absent(Shape.ONE, gitlab="gitlab", bitbucket="bitbucket", cors="cors"),
    *_absent(Shape.ONE, autoscaling="autoscaling"),
)

_DOMAIN = (
    Field(name="name", tf="name", api="domain", required=True, always=True),
    Field(name="type", tf="type", computed=True, one_of=("DEFAULT", "PRIMARY", "ALIAS")),
    Field(name="wildcard", tf="wildcard", shape=Shape.BOOL, computed=True),
    *_texts("zone"),
)

_PATH = (Field(name="prefix", tf="prefix", always=True),)
_MATCH = (
    Field(name="path", tf="path", shape=Shape.ONE, fields=_PATH),
    *_absent(Shape.ONE, authority="authority"),
)
_COMPONENT = (
    *_texts("name", "rewrite"),
    Field(name="preservePathPrefix", tf="preserve_path_prefix", shape=Shape.BOOL),
)
_INGRESS_RULE = (
    Field(name="match", tf="match", shape=Shape.ONE, fields=_MATCH),
    Field(name="component", tf="component", shape=Shape.ONE, fields=_COMPONENT),
    *_absent(Shape.ONE, redirect="redirect", cors="cors"),
)
_INGRESS = (
    Field(name="rules", tf="rule", api="rules", shape=Shape.LIST, fields=_INGRESS_RULE),
    *_absent(Shape.ONE, secureHeader="secure_header"),
)

_MAINTENANCE = (
    Field(name="enabled", tf="enabled", shape=Shape.BOOL),
    Field(name="archive", tf="archive", shape=Shape.BOOL),
    *_texts("offline_page_url"),
)
_EGRESS = (Field(name="type", tf="type", one_of=("AUTOASSIGN", "DEDICATED_IP")),)

SPEC = (
    Field(name="name", tf="name", required=True, always=True, length=(2, 32)),
    *_texts("region"),
    *(Field(name=camel(flag), tf=flag, shape=Shape.BOOL, default=False) for flag in _FLAGS),
    Field(
        name="domainNames",
        tf="domain",
        api="domains",
        shape=Shape.LIST,
        fields=_DOMAIN,
        computed=True,
        yields="domains",
    ),
    # Deprecated in favour of domainNames; shown, and set by an import.
    Field(name="domains", tf="domains", api="", shape=Shape.SET, item=Shape.TEXT, computed=True, in_api=False),
    Field(name="features", tf="features", shape=Shape.SET, item=Shape.TEXT, computed=True),
    Field(name="services", tf="service", api="services", shape=Shape.LIST, fields=_SERVICE),
    _ENVS,
    Field(name="alerts", tf="alert", api="alerts", shape=Shape.LIST, fields=_APP_ALERT),
    Field(name="ingress", tf="ingress", shape=Shape.ONE, fields=_INGRESS, computed=True),
    Field(name="egresses", tf="egress", api="egress", shape=Shape.LIST, fields=_EGRESS),
    Field(name="maintenance", tf="maintenance", shape=Shape.ONE, fields=_MAINTENANCE),
    *_absent(Shape.LIST, databases="database", functions="function", jobs="job", staticSites="static_site"),
    *_absent(Shape.LIST, vpcs="vpc", workers="worker"),
)

# Set by the API alone; unknown until the app exists.
ANSWERED = ("appUrn", "liveUrl", "liveDomain", "defaultIngress", "activeDeploymentId", "createdAt", "updatedAt", "id")

APP = (
    Field(name="spec", tf="spec", shape=Shape.ONE, fields=SPEC),
    Field(name="projectId", tf="project_id", computed=True, replaces=True, filled=True),
    Field(name="deploymentPerPage", tf="deployment_per_page", shape=Shape.INT, default=20),
    Field(name="dedicatedIps", tf="dedicated_ips", shape=Shape.LIST, computed=True, in_api=False, importable=False),
)
