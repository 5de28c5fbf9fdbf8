"""cloudflare.QueueConsumer: a Worker that consumes a queue's messages. A change of the queue replaces it.

Modelled on terraform-provider-cloudflare 5 (internal/services/queue_consumer), which has no import. Its id is the
account's, as pulumi-cloudflare sets it for resources without one (provider/resources.go), so two of them share it.
"""
# ruff: noqa: ARG002 - the interface of `resource.Resource`

from __future__ import annotations

from typing import ClassVar

from offline_plugins.api import Api
from offline_plugins.cloudflare.answers import GONE, account_path, required, result
from offline_plugins.cloudflare.attributes import Attribute, Fields, clean, from_answer, marked, to_body
from offline_plugins.cloudflare.plan import settled
from offline_plugins.cloudflare.queue import CONSUMING
from offline_plugins.cloudflare.tabled import Tabled
from offline_plugins.resource import Props, ProviderError

_TYPES = 'Available values: "worker", "http_pull".'


class QueueConsumer(Tabled):
    token = "cloudflare:index/queueConsumer:QueueConsumer"
    fields: ClassVar[Fields] = {
        "accountId": Attribute(replaces=True),
        "queueId": Attribute(required=True, replaces=True, about="A Resource identifier."),
        "consumerId": Attribute(wire="consumer_id", computed=True, optional=False, stable=True),
        "type": Attribute(wire="type", required=True, choices=("worker", "http_pull"), about=_TYPES),
        "deadLetterQueue": Attribute(wire="dead_letter_queue"),
        "scriptName": Attribute(wire="script_name", computed=True, stable=True),
        "settings": Attribute(wire="settings", kind="object", computed=True, stable=True, fields=CONSUMING),
        "createdOn": Attribute(wire="created_on", kind="time", computed=True, optional=False, stable=True),
        "queueName": Attribute(wire="queue_name", computed=True, optional=False, stable=True),
    }
    _sent: ClassVar[Fields] = {name: attribute for name, attribute in fields.items() if attribute.optional}

    def create(self, api: Api, name: str, news: Props, timeout: float | None) -> tuple[str, Props]:
        plan = self.plan(clean(news), {})
        outputs = self._send(api, "POST", _path(plan), plan)
        return str(plan.get("accountId", "")), marked(self.fields, outputs)

    def update(self, api: Api, id: str, olds: Props, old_inputs: Props, news: Props, timeout: float | None) -> Props:
        plan = self.plan(clean(news), clean(olds))
        return marked(self.fields, self._send(api, "PUT", _path(plan, plan["consumerId"]), plan))

    def _send(self, api: Api, method: str, path: str, plan: Props) -> Props:
        answer = result(api.send_json(method, path, to_body(self._sent, plan)))
        return settled(self.fields, plan, _read(self.fields, answer))

    def read(self, api: Api, id: str, olds: Props | None, old_inputs: Props | None) -> tuple[str, Props, Props] | None:
        known = clean(olds or {})
        if not known:
            raise ProviderError("cloudflare.QueueConsumer cannot be imported; let the program create it.")
        answer = api.send("GET", _path(known, known["consumerId"]))
        if answer.status == 404:
            api.log("warning", GONE)
            return None
        attributes = _read(self.fields, result(answer))
        attributes.pop("deadLetterQueue", None)  # a refresh leaves it unchanged
        return self.read_result(known["accountId"], known | attributes, old_inputs)

    def delete(self, api: Api, id: str, olds: Props) -> None:
        props = clean(olds)
        required(api.send("DELETE", _path(props, props["consumerId"])))


def _read(fields: Fields, answer: Props) -> Props:
    """Return the response's attributes; the API calls the Worker `script`."""
    script = {"script_name": answer["script"]} if answer.get("script") else {}
    return from_answer(fields, answer | script)


def _path(props: Props, *rest: str) -> str:
    return account_path(props, "queues", str(props["queueId"]), "consumers", *rest)
