"""Resources that are one object of a collection: POST creates it; its own address has GET, PUT and DELETE."""
# ruff: noqa: ARG002 - the interface of `resource.Resource`

from __future__ import annotations

from typing import ClassVar

from offline_plugins.api import Api
from offline_plugins.cloudflare.answers import GONE, account_path, import_parts, required, result
from offline_plugins.cloudflare.attributes import Fields, clean, from_answer, marked, to_body
from offline_plugins.cloudflare.plan import settled
from offline_plugins.cloudflare.tabled import Tabled
from offline_plugins.resource import Props


class Plain(Tabled):
    """The base class. `collection` is the path below the account; `key` the attribute that names the object in it."""

    collection: ClassVar[tuple[str, ...]]
    import_form: ClassVar[str]
    key: ClassVar[str] = "id"

    def create(self, api: Api, name: str, news: Props, timeout: float | None) -> tuple[str, Props]:
        plan = self.plan(clean(news), {})
        answer = result(api.send_json("POST", account_path(plan, *self.collection), to_body(self._sent, plan)))
        outputs = self._outputs(settled(self.fields, plan, from_answer(self.fields, answer)))
        return str(outputs.get("id", "")), marked(self.fields, outputs)

    def update(self, api: Api, id: str, olds: Props, old_inputs: Props, news: Props, timeout: float | None) -> Props:
        plan = self.plan(clean(news), clean(olds))
        answer = result(api.send_json("PUT", self._path(plan), to_body(self._sent, plan)))
        outputs = self._outputs(settled(self.fields, plan, from_answer(self.fields, answer)))
        return marked(self.fields, outputs)

    def read(self, api: Api, id: str, olds: Props | None, old_inputs: Props | None) -> tuple[str, Props, Props] | None:
        known = clean(olds or {})
        if not known:
            known["accountId"], known[self.key] = import_parts(id, self.import_form)
            result(api.send("GET", self._path(known)))  # a second time for the state, below
        answer = api.send("GET", self._path(known))
        if answer.status == 404:
            api.log("warning", GONE)
            return None
        state = self._outputs(known | from_answer(self.fields, result(answer)))
        return self.read_result(str(state["id"]), state, old_inputs)

    def delete(self, api: Api, id: str, olds: Props) -> None:
        required(api.send("DELETE", self._path(clean(olds))))

    @property
    def _sent(self) -> Fields:
        """Return the attributes that a program can set: these are sent."""
        return {name: attribute for name, attribute in self.fields.items() if attribute.optional}

    def _outputs(self, props: Props) -> Props:
        """Return the state with its id, which is the key when the API returns no id."""
        return props | {"id": props.get(self.key, "")}

    def _path(self, props: Props) -> str:
        return account_path(props, *self.collection, str(props[self.key]))
