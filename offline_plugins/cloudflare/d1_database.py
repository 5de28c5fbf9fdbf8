"""cloudflare.D1Database: an SQLite database. A change of its replication is an update; any other change replaces it.

Modelled on terraform-provider-cloudflare 5 (internal/services/d1_database). A refresh reads `readReplication`, which
the API always returns: a program that leaves it out gets an update after each refresh, so set it to "disabled".
"""

from __future__ import annotations

from typing import ClassVar

from offline_plugins.cloudflare.attributes import Attribute, Fields
from offline_plugins.cloudflare.plain import Plain

_LOCATIONS = ("wnam", "enam", "weur", "eeur", "apac", "oc")


class D1Database(Plain):
    token = "cloudflare:index/d1Database:D1Database"
    import_form = "<account_id>/<database_id>"
    collection = ("d1", "database")
    key = "uuid"
    fields: ClassVar[Fields] = {
        "id": Attribute(computed=True, optional=False, stable=True),
        "uuid": Attribute(wire="uuid", computed=True, optional=False, stable=True),
        "accountId": Attribute(replaces=True),
        "name": Attribute(wire="name", required=True, replaces=True, about="D1 database name."),
        "jurisdiction": Attribute(wire="jurisdiction", replaces=True, choices=("eu", "fedramp")),
        "primaryLocationHint": Attribute(wire="primary_location_hint", replaces=True, choices=_LOCATIONS),
        "readReplication": Attribute(
            wire="read_replication",
            kind="object",
            fields={
                "mode": Attribute(
                    wire="mode",
                    required=True,
                    choices=("auto", "disabled"),
                    about="The read replication mode for the database.",
                )
            },
        ),
        "createdAt": Attribute(wire="created_at", kind="time", computed=True, optional=False),
        "fileSize": Attribute(wire="file_size", kind="number", computed=True, optional=False),
        "numTables": Attribute(wire="num_tables", kind="number", computed=True, optional=False),
        "version": Attribute(wire="version", computed=True, optional=False),
    }
