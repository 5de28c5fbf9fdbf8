"""cloudflare.WorkersCronTrigger: all cron triggers of a Worker. Its id is the Worker's name.

Modelled on terraform-provider-cloudflare 5 (internal/services/workers_cron_trigger). The body is the list alone.
**Deletion sends nothing**, so a Worker that stays keeps its triggers. A refresh leaves the list unchanged, so changes
made elsewhere are not noticed, and an import has no triggers.
"""
# ruff: noqa: ARG002 - the interface of `resource.Resource`

from __future__ import annotations

from typing import ClassVar

from offline_plugins.api import Api
from offline_plugins.cloudflare.answers import GONE, account_path, import_parts, result
from offline_plugins.cloudflare.attributes import Attribute, Fields, clean, from_answer, marked
from offline_plugins.cloudflare.plan import settled
from offline_plugins.cloudflare.tabled import Tabled
from offline_plugins.resource import Props

_ABOUT = "Name of the script, used in URLs and route configuration."
_IMPORT_FORM = "<account_id>/<script_name>"


class WorkersCronTrigger(Tabled):
    token = "cloudflare:index/workersCronTrigger:WorkersCronTrigger"
    fields: ClassVar[Fields] = {
        "id": Attribute(computed=True, optional=False, stable=True),
        "accountId": Attribute(replaces=True),
        "scriptName": Attribute(required=True, replaces=True, about=_ABOUT),
        "schedules": Attribute(
            wire="schedules",
            kind="objects",
            required=True,
            fields={
                "cron": Attribute(wire="cron", required=True),
                "createdOn": Attribute(wire="created_on", computed=True, optional=False),
                "modifiedOn": Attribute(wire="modified_on", computed=True, optional=False),
            },
        ),
    }

    def create(self, api: Api, name: str, news: Props, timeout: float | None) -> tuple[str, Props]:
        config = clean(news)
        return config["scriptName"], self._put(api, config, {})

    def update(self, api: Api, id: str, olds: Props, old_inputs: Props, news: Props, timeout: float | None) -> Props:
        return self._put(api, clean(news), clean(olds))

    def _put(self, api: Api, config: Props, prior: Props) -> Props:
        """Replace the triggers; their times come from the response, position by position."""
        plan = self.plan(config, prior)
        crons = [{"cron": schedule["cron"]} for schedule in plan["schedules"]]
        answer = from_answer(self.fields, result(api.send_json("PUT", _path(plan), crons)))
        outputs = settled(self.fields, plan, answer) | {"id": plan["scriptName"]}
        answered = answer.get("schedules", [])
        outputs["schedules"] = [
            (answered[place] if place < len(answered) else {}) | given for place, given in enumerate(crons)
        ]
        return marked(self.fields, outputs)

    def read(self, api: Api, id: str, olds: Props | None, old_inputs: Props | None) -> tuple[str, Props, Props] | None:
        known = clean(olds or {})
        if not known:
            known["accountId"], known["scriptName"] = import_parts(id, _IMPORT_FORM)
            result(api.send("GET", _path(known)))  # a second time for the state, below
        answer = api.send("GET", _path(known))
        if answer.status == 404:
            api.log("warning", GONE)
            return None
        result(answer)
        return self.read_result(known["scriptName"], known | {"id": known["scriptName"]}, old_inputs)

    def delete(self, api: Api, id: str, olds: Props) -> None:
        """Do nothing, like the official plugin."""


def _path(props: Props) -> str:
    return account_path(props, "workers", "scripts", props["scriptName"], "schedules")
