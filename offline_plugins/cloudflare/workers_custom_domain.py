"""cloudflare.WorkersCustomDomain: a hostname that leads to a Worker. Every change replaces it."""
# ruff: noqa: ARG002 - the interface of `resource.Resource`

from __future__ import annotations

from typing import ClassVar

from offline_plugins.api import Api
from offline_plugins.cloudflare.answers import GONE, account_path, import_parts, required, result
from offline_plugins.cloudflare.attributes import Attribute, Fields, clean, from_answer, marked, to_body
from offline_plugins.cloudflare.plan import settled
from offline_plugins.cloudflare.tabled import Tabled
from offline_plugins.resource import Props

_IMPORT_FORM = "<account_id>/<domain_id>"


class WorkersCustomDomain(Tabled):
    token = "cloudflare:index/workersCustomDomain:WorkersCustomDomain"
    fields: ClassVar[Fields] = {
        "id": Attribute(wire="id", computed=True, optional=False, stable=True),
        "accountId": Attribute(replaces=True),
        "service": Attribute(
            wire="service",
            required=True,
            replaces=True,
            about="Name of the Worker associated with the domain. "
            "Requests to the configured hostname will be routed to this Worker.",
        ),
        "hostname": Attribute(
            wire="hostname",
            required=True,
            replaces=True,
            about="Hostname of the domain. Can be either the zone apex or a subdomain of the zone. "
            "Requests to this hostname will be routed to the configured Worker.",
        ),
        "environment": Attribute(wire="environment", computed=True, replaces=True, deprecated=True),
        "zoneId": Attribute(wire="zone_id", computed=True, replaces=True),
        "zoneName": Attribute(wire="zone_name", computed=True, replaces=True),
        "certId": Attribute(wire="cert_id", computed=True, optional=False),
    }
    _sent: ClassVar[Fields] = {name: attribute for name, attribute in fields.items() if attribute.optional}

    def create(self, api: Api, name: str, news: Props, timeout: float | None) -> tuple[str, Props]:
        props = self._put(api, clean(news), {})
        return str(props.get("id", "")), props

    def update(self, api: Api, id: str, olds: Props, old_inputs: Props, news: Props, timeout: float | None) -> Props:
        return self._put(api, clean(news), clean(olds))  # never called: every difference replaces

    def _put(self, api: Api, config: Props, prior: Props) -> Props:
        plan = self.plan(config, prior)
        answer = result(api.send_json("PUT", account_path(plan, "workers", "domains"), to_body(self._sent, plan)))
        return marked(self.fields, settled(self.fields, plan, from_answer(self.fields, answer)))

    def read(self, api: Api, id: str, olds: Props | None, old_inputs: Props | None) -> tuple[str, Props, Props] | None:
        known = clean(olds or {})
        if not known:
            known["accountId"], id = import_parts(id, _IMPORT_FORM)
            result(api.send("GET", account_path(known, "workers", "domains", id)))  # a second time for the state, below
        answer = api.send("GET", account_path(known, "workers", "domains", id))
        if answer.status == 404:
            api.log("warning", GONE)
            return None
        state = known | from_answer(self.fields, result(answer))
        return self.read_result(str(state.get("id", id)), state, old_inputs)

    def delete(self, api: Api, id: str, olds: Props) -> None:
        required(api.send("DELETE", account_path(clean(olds), "workers", "domains", id)))
