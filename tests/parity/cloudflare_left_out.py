"""Recorded cases of cloudflare that are not replayed: a case, or `CASE / CHANGE` for a row of its matrix."""

from __future__ import annotations

from collections.abc import Mapping

from tests.parity.recordings import load

_UNKNOWN = "the official plugin drops an unknown property in silence; ours refuses it by name"

LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "cloudflare.WorkersScript": {
        "check: unknown property": _UNKNOWN,
        "check: unknown property in a binding": _UNKNOWN,
        "other request headers sent": "names of headers that an HTTP client adds by itself",
    },
    "cloudflare.WorkersScriptSubdomain": {"check: unknown property": _UNKNOWN},
    "cloudflare.WorkersCustomDomain": {"check: unknown property": _UNKNOWN},
    "cloudflare.R2Bucket": {},
    "cloudflare.retries": {},
}

_SAME_HASH = "two files have one hash; which of them names the upload is chance in the official plugin, so not compared"
_ROUTE = "its Create makes a WorkersRoute, which is not carried; another resource shows the address and the headers"

IN_PART: Mapping[str, Mapping[str, str]] = {
    "cloudflare.WorkersScript": {
        "create: assets": _SAME_HASH,
        "create: assets in several buckets": _SAME_HASH,
    },
    "provider.configuration": {
        one["name"]: _ROUTE
        for one in load("provider.configuration")["cases"]
        if one["name"].startswith("cloudflare:") and one["steps"][-1]["rpc"] == "Create"
    },
}
