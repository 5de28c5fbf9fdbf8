"""Recorded cases of cloudflare that are not replayed, with the reason; docs/parity.md lists them."""

from __future__ import annotations

from collections.abc import Mapping

from tests.parity.cloudflare import DOMAIN, SCRIPT, SUBDOMAIN

_UNKNOWN = "on purpose: the official plugin drops a property that it doesn't know, the offline one refuses it by name"

LEFT_OUT: Mapping[tuple[str, str], str] = {
    (SCRIPT, "check: unknown property"): _UNKNOWN,
    (SCRIPT, "check: unknown property in a binding"): _UNKNOWN,
    (SUBDOMAIN, "check: unknown property"): _UNKNOWN,
    (DOMAIN, "check: unknown property"): _UNKNOWN,
}
