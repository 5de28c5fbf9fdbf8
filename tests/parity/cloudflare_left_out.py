"""Recorded cases of cloudflare that are not replayed: a case, or `CASE / CHANGE` for a row of its matrix."""

from __future__ import annotations

from collections.abc import Mapping

_UNKNOWN = "the official plugin drops an unknown property in silence; ours refuses it by name"

LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "cloudflare.WorkersScript": {
        "check: unknown property": _UNKNOWN,
        "check: unknown property in a binding": _UNKNOWN,
        "other request headers sent": "names of headers that an HTTP client adds by itself",
    },
    "cloudflare.WorkersScriptSubdomain": {"check: unknown property": _UNKNOWN},
    "cloudflare.WorkersCustomDomain": {"check: unknown property": _UNKNOWN},
    "cloudflare.retries": {},
}
