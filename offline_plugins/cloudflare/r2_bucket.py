"""cloudflare.R2Bucket: a bucket. Its id is its name; a later difference of the location is ignored."""
# ruff: noqa: ARG002 - the interface of `resource.Resource`

from __future__ import annotations

import json
from typing import ClassVar

from offline_plugins.api import Api
from offline_plugins.cloudflare.answers import GONE, account_path, required, result
from offline_plugins.cloudflare.attributes import Attribute, Fields, clean, from_answer, marked
from offline_plugins.cloudflare.plan import settled
from offline_plugins.cloudflare.tabled import Tabled
from offline_plugins.resource import UNKNOWN, Props, ProviderError

_IMPORT_FORM = "<account_id>/<bucket_name>/<jurisdiction>"
_LOCATIONS = ("apac", "eeur", "enam", "weur", "wnam", "oc")
_SENT = {"name": "name", "location": "locationHint", "storageClass": "storageClass"}


class R2Bucket(Tabled):
    token = "cloudflare:index/r2Bucket:R2Bucket"
    fields: ClassVar[Fields] = {
        "id": Attribute(computed=True, optional=False, stable=True),
        "name": Attribute(wire="name", required=True, replaces=True, about="Name of the bucket."),
        "accountId": Attribute(replaces=True),
        "location": Attribute(wire="location", computed=True, stable=True, choices=_LOCATIONS),
        "storageClass": Attribute(
            wire="storage_class", computed=True, default="Standard", choices=("Standard", "InfrequentAccess")
        ),
        "creationDate": Attribute(wire="creation_date", computed=True, optional=False, stable=True),
        "jurisdiction": Attribute(computed=True, default="default", choices=("default", "eu", "fedramp")),
    }

    def plan(self, config: Props, prior: Props) -> Props:
        """Plan by the table, with the bucket's current location: the program's one counts only at the creation."""
        location = {"location": prior["location"]} if prior.get("location") is not None else {}
        return super().plan(config | location, prior)

    def create(self, api: Api, name: str, news: Props, timeout: float | None) -> tuple[str, Props]:
        plan = self.plan(clean(news), {})
        wanted = {wire: plan[key] for key, wire in _SENT.items() if plan.get(key, UNKNOWN) is not UNKNOWN}
        body = json.dumps(dict(sorted(wanted.items()))).encode()
        headers = _jurisdiction(plan) | {"Content-Type": "application/json"}
        answer = result(api.send("POST", account_path(plan, "r2", "buckets"), body, headers))
        return plan["name"], self._outputs(plan, from_answer(self.fields, answer))

    def update(self, api: Api, id: str, olds: Props, old_inputs: Props, news: Props, timeout: float | None) -> Props:
        plan = self.plan(clean(news), clean(olds))
        headers = _jurisdiction(plan) | {"cf-r2-storage-class": plan["storageClass"]}
        answer = result(api.send("PATCH", _path(plan), headers=headers))
        return self._outputs(plan, from_answer(self.fields, answer))

    def _outputs(self, plan: Props, answer: Props) -> Props:
        return marked(self.fields, settled(self.fields, plan, answer) | {"id": plan["name"]})

    def read(self, api: Api, id: str, olds: Props | None, old_inputs: Props | None) -> tuple[str, Props, Props] | None:
        known = clean(olds or {})
        if not known:
            known = _imported(id)
            result(api.send("GET", _path(known), headers=_jurisdiction(known)))  # a second time for the state, below
        answer = api.send("GET", _path(known), headers=_jurisdiction(known))
        if answer.status == 404:
            api.log("warning", GONE)
            return None
        state = known | from_answer(self.fields, result(answer)) | {"id": known["name"]}
        return self.read_result(known["name"], state, old_inputs)

    def delete(self, api: Api, id: str, olds: Props) -> None:
        props = clean(olds)
        required(api.send("DELETE", _path(props), headers=_jurisdiction(props)))


def _imported(id: str) -> Props:
    parts = id.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise ProviderError(f'invalid ID: expected urlencoded segments "{_IMPORT_FORM}", got "{id}"')
    return {"accountId": parts[0], "name": parts[1], "jurisdiction": parts[2] if len(parts) == 3 else "default"}


def _jurisdiction(props: Props) -> dict[str, str]:
    return {"cf-r2-jurisdiction": props.get("jurisdiction", "default")}


def _path(props: Props) -> str:
    return account_path(props, "r2", "buckets", props["name"])
