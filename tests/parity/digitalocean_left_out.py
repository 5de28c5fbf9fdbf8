"""Recorded cases of digitalocean that are not replayed: a case, or `CASE / CHANGE` for a row of its matrix."""

from __future__ import annotations

from collections.abc import Mapping

_REFUSED = "the program does not use it, so ours refuses it by name: "
_MINIMAL = 'diff matrix: against "minimal", state as created'

LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "digitalocean.App": {
        "check: domainNames and domains together": _REFUSED + "spec.domains (deprecated)",
        "check: domains only (deprecated)": _REFUSED + "spec.domains (deprecated)",
        "check: service routes (deprecated)": _REFUSED + "services[].routes (deprecated)",
        "check: logDestinations datadog without endpoint": _REFUSED + "logDestinations[].datadog",
        "check: ingress redirect without code": _REFUSED + "ingress.rules[].redirect",
        "create: source image with DOCR and deployOnPushes": _REFUSED + "image.deployOnPushes",
        "create: app alert with e-mail destination": _REFUSED + "alerts[].destinations",
        "create: spec missing": "its requests were not recorded, and the program always has a spec",
        "other request headers sent": "names of headers that an HTTP client adds by itself",
        f"{_MINIMAL} / add dedicatedIps": _REFUSED + "dedicatedIps",
    },
    "digitalocean.UptimeCheck": {},
    "digitalocean.UptimeAlert": {},
}

IN_PART: Mapping[str, Mapping[str, str]] = {
    "digitalocean.UptimeAlert": {
        'diff matrix: against "everything set" / remove notifications[0]': (
            "check, diff and preview, not the update: the official plugin panics there"
        ),
    },
}
