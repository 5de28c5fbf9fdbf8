"""cloudflare.WorkersScriptSubdomain: turns a Worker's workers.dev address on or off.

Its id is the account's, so two of them share it; the Worker's name is only in its properties.
"""
# ruff: noqa: ARG002 - the interface of `resource.Resource`

from __future__ import annotations

from typing import ClassVar

from offline_plugins.api import Api
from offline_plugins.cloudflare.answers import GONE, account_path, import_parts, required, result
from offline_plugins.cloudflare.attributes import Attribute, Fields, clean, from_answer, marked, to_body
from offline_plugins.cloudflare.plan import settled
from offline_plugins.cloudflare.tabled import Tabled
from offline_plugins.resource import Props

_IMPORT_FORM = "<account_id>/<script_name>"


class WorkersScriptSubdomain(Tabled):
    token = "cloudflare:index/workersScriptSubdomain:WorkersScriptSubdomain"
    fields: ClassVar[Fields] = {
        "id": Attribute(computed=True, optional=False, stable=True),
        "accountId": Attribute(replaces=True),
        "scriptName": Attribute(
            required=True, replaces=True, about="Name of the script, used in URLs and route configuration."
        ),
        "enabled": Attribute(
            wire="enabled",
            kind="bool",
            required=True,
            about="Whether the Worker should be available on the SUBDOMAIN-PLACEHOLDER subdomain.",
        ),
        "previewsEnabled": Attribute(wire="previews_enabled", kind="bool", computed=True),
    }

    def create(self, api: Api, name: str, news: Props, timeout: float | None) -> tuple[str, Props]:
        config = clean(news)
        return config.get("accountId", ""), self._post(api, config, {})

    def update(self, api: Api, id: str, olds: Props, old_inputs: Props, news: Props, timeout: float | None) -> Props:
        return self._post(api, clean(news), clean(olds))

    def _post(self, api: Api, config: Props, prior: Props) -> Props:
        plan = self.plan(config, prior)
        answer = result(api.send_json("POST", _path(plan), to_body(self.fields, plan)))
        outputs = settled(self.fields, plan, from_answer(self.fields, answer))
        return marked(self.fields, outputs | {"id": plan["scriptName"]})

    def read(self, api: Api, id: str, olds: Props | None, old_inputs: Props | None) -> tuple[str, Props, Props] | None:
        known = clean(olds or {})
        if not known:
            known["accountId"], known["scriptName"] = import_parts(id, _IMPORT_FORM)
            result(api.send("GET", _path(known)))  # the official plugin also requests it twice when it imports
        answer = api.send("GET", _path(known))
        if answer.status == 404:
            api.log("warning", GONE)
            return None
        state = known | from_answer(self.fields, result(answer)) | {"id": known["scriptName"]}
        return self.read_result(known["accountId"], state, old_inputs)

    def delete(self, api: Api, id: str, olds: Props) -> None:
        required(api.send("DELETE", _path(clean(olds))))


def _path(props: Props) -> str:
    return account_path(props, "workers", "scripts", props["scriptName"], "subdomain")
