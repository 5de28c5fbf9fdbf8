"""cloudflare.Queue: a queue. A change of its name or settings is an update.

Modelled on terraform-provider-cloudflare 5 (internal/services/queue).
"""

from __future__ import annotations

from typing import Any, ClassVar

from offline_plugins.cloudflare.attributes import Attribute, Fields
from offline_plugins.cloudflare.plain import Plain
from offline_plugins.resource import Props


def _from_api(wire: str, **more: Any) -> Attribute:
    """Return an attribute that only the API sets."""
    return Attribute(wire=wire, computed=True, optional=False, **more)


def _number(wire: str) -> Attribute:
    """Return a number that the API sets when the program does not."""
    return Attribute(wire=wire, kind="number", computed=True)


CONSUMING: Fields = {
    "batchSize": _number("batch_size"),
    "maxConcurrency": _number("max_concurrency"),
    "maxRetries": _number("max_retries"),
    "maxWaitTimeMs": _number("max_wait_time_ms"),
    "retryDelay": _number("retry_delay"),
    "visibilityTimeoutMs": _number("visibility_timeout_ms"),
}
"""The settings of a consumer."""


class Queue(Plain):
    token = "cloudflare:index/queue:Queue"
    import_form = "<account_id>/<queue_id>"
    collection = ("queues",)
    key = "queueId"
    fields: ClassVar[Fields] = {
        "id": Attribute(computed=True, optional=False, stable=True),
        "queueId": _from_api("queue_id", stable=True),
        "accountId": Attribute(replaces=True),
        "queueName": Attribute(wire="queue_name", required=True),
        "settings": Attribute(
            wire="settings",
            kind="object",
            computed=True,
            fields={
                "deliveryDelay": _number("delivery_delay"),
                "deliveryPaused": Attribute(wire="delivery_paused", kind="bool", computed=True),
                "messageRetentionPeriod": _number("message_retention_period"),
            },
        ),
        "consumersTotalCount": _from_api("consumers_total_count", kind="number"),
        "createdOn": _from_api("created_on"),
        "modifiedOn": _from_api("modified_on"),
        "producersTotalCount": _from_api("producers_total_count", kind="number"),
        "consumers": _from_api(
            "consumers",
            kind="objects",
            fields={
                "consumerId": _from_api("consumer_id"),
                "createdOn": _from_api("created_on", kind="time"),
                "deadLetterQueue": _from_api("dead_letter_queue"),
                "queueName": _from_api("queue_name"),
                "scriptName": _from_api("script_name"),
                "settings": _from_api("settings", kind="object", fields=CONSUMING),
                "type": _from_api("type"),
            },
        ),
        "producers": _from_api(
            "producers",
            kind="objects",
            fields={"script": _from_api("script"), "type": _from_api("type"), "bucketName": _from_api("bucket_name")},
        ),
    }

    def _outputs(self, props: Props) -> Props:
        return super()._outputs({"consumersTotalCount": 0, "producersTotalCount": 0} | props)
