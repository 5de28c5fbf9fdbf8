"""Recorded cases of digitalocean that are not replayed, with the reason; `CASE / CHANGE` is a row of a matrix."""

from __future__ import annotations

from collections.abc import Mapping

_APP = "digitalocean.App"
_CHECK = "digitalocean.UptimeCheck"
_REFUSED = "the program does not use it, so the offline plugin refuses it by name: "
_FULL = 'diff matrix: against "everything set", state as created'
_MINIMAL = 'diff matrix: against "minimal", state as created'

LEFT_OUT: Mapping[tuple[str, str], str] = {
    (_APP, "check: domainNames and domains together"): _REFUSED + "spec.domains (deprecated)",
    (_APP, "check: domains only (deprecated)"): _REFUSED + "spec.domains (deprecated)",
    (_APP, "check: service routes (deprecated)"): _REFUSED + "services[].routes (deprecated)",
    (_APP, "check: logDestinations datadog without endpoint"): _REFUSED + "logDestinations[].datadog",
    (_APP, "check: two image sources"): _REFUSED + "services[].github",
    (_APP, "check: ingress redirect without code"): _REFUSED + "ingress.rules[].redirect",
    (_APP, "create: source github"): _REFUSED + "services[].github",
    (_APP, "create: source image with DOCR and deployOnPushes"): _REFUSED + "image.deployOnPushes",
    (_APP, "create: app alert with e-mail destination"): _REFUSED + "alerts[].destinations",
    (_APP, "create: spec missing"): "its requests were not recorded, and the program always has a spec",
    (_APP, f"{_FULL} / image -> github"): _REFUSED + "services[].github",
    (_APP, f"{_MINIMAL} / add dedicatedIps"): _REFUSED + "dedicatedIps",
}
