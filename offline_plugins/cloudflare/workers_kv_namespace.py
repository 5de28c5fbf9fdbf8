"""cloudflare.WorkersKvNamespace: a KV namespace. A change of its title is an update; one of its account replaces it.

Modelled on terraform-provider-cloudflare 5 (internal/services/workers_kv_namespace): POST and PUT send only the title.
"""

from __future__ import annotations

from typing import ClassVar

from offline_plugins.cloudflare.attributes import Attribute, Fields
from offline_plugins.cloudflare.plain import Plain


class WorkersKvNamespace(Plain):
    token = "cloudflare:index/workersKvNamespace:WorkersKvNamespace"
    import_form = "<account_id>/<namespace_id>"
    collection = ("storage", "kv", "namespaces")
    fields: ClassVar[Fields] = {
        "id": Attribute(wire="id", computed=True, optional=False, stable=True),
        "accountId": Attribute(replaces=True),
        "title": Attribute(wire="title", required=True, about="A human-readable string name for a Namespace."),
        "supportsUrlEncoding": Attribute(wire="supports_url_encoding", kind="bool", computed=True, optional=False),
    }
