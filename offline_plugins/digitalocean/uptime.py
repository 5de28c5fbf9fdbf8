"""digitalocean.UptimeCheck and digitalocean.UptimeAlert."""
# ruff: noqa: ARG002 - signatures of the base class

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from offline_plugins.api import Api
from offline_plugins.digitalocean import differ, inputs, plan, sets
from offline_plugins.digitalocean.answers import Refused, call, listed
from offline_plugins.digitalocean.fields import Field, Shape, without_defaults
from offline_plugins.resource import UNKNOWN, Checked, Diffed, InitFailed, Props, ProviderError, Resource

_CHECKS = "/v2/uptime/checks"
_REGIONS = Field(name="regions", tf="regions", shape=Shape.SET, item=Shape.TEXT)
CHECK = (
    Field(name="name", tf="name", required=True, named=True, filled=True),
    Field(name="target", tf="target", required=True, filled=True),
    Field(name="type", tf="type", default="https", one_of=("ping", "http", "https")),
    _REGIONS,
    Field(name="enabled", tf="enabled", shape=Shape.BOOL, default=True),
)
_SLACK = (
    Field(name="channel", tf="channel", required=True, caseless=True, filled=True),
    Field(name="url", tf="url", required=True, caseless=True, filled=True),
)
_NOTIFICATION = (
    Field(name="emails", tf="email", shape=Shape.LIST, item=Shape.TEXT),
    Field(name="slacks", tf="slack", shape=Shape.LIST, fields=_SLACK),
)
ALERT = (
    Field(name="checkId", tf="check_id", required=True, filled=True),
    Field(name="name", tf="name", required=True, named=True, filled=True),
    Field(name="type", tf="type", required=True, one_of=("latency", "down", "down_global", "ssl_expiry")),
    Field(name="threshold", tf="threshold", shape=Shape.INT),
    Field(name="comparison", tf="comparison", one_of=("greater_than", "less_than")),
    Field(name="period", tf="period", one_of=("2m", "3m", "5m", "10m", "15m", "30m", "1h")),
    Field(name="notifications", tf="notifications", shape=Shape.LIST, required=True, fields=_NOTIFICATION),
)


class _Uptime(Resource):
    """The common part of both: they are sent whole, and read back after every step."""

    fields: tuple[Field, ...]
    stables: tuple[str, ...] = ()
    key: str  # the object's name in the API's JSON
    creating: str
    updating: str
    deleting: str

    @abstractmethod
    def path(self, props: Props) -> str: ...

    @abstractmethod
    def body(self, planned: Props) -> dict[str, Any]: ...

    @abstractmethod
    def state(self, answered: dict[str, Any], props: Props) -> Props:
        """Return the outputs of the API's object; `props` adds the properties that it lacks."""

    def check(self, name: str, seed: bytes, olds: Props, news: Props) -> Checked:
        return inputs.check(self.fields, name, seed, olds, news)

    def diff(self, id: str, olds: Props, old_inputs: Props, news: Props, ignore: list[str]) -> Diffed:
        inputs_set = without_defaults(news)
        return differ.diff(self.fields, olds, plan.plan(self.fields, inputs_set, olds), inputs_set, list(self.stables))

    def preview_create(self, news: Props) -> Props:
        return {**plan.plan(self.fields, without_defaults(news), None), "id": UNKNOWN}

    def create(self, api: Api, name: str, news: Props, timeout: float | None) -> tuple[str, Props]:
        planned = plan.plan(self.fields, without_defaults(news), None)
        try:
            answer = call(api, self.creating, "POST", self.path(planned), self.body(planned))
        except ProviderError as error:
            raise ProviderError(listed(error.text), error.code) from None
        id = answer[self.key]["id"]
        try:
            return id, self._now(api, id, planned)
        except ProviderError as error:
            state = {**plan.settled(self.fields, planned), "id": id}
            raise InitFailed(id, state, [listed(error.text)]) from None

    def preview_update(self, id: str, olds: Props, old_inputs: Props, news: Props) -> Props:
        return {**plan.plan(self.fields, without_defaults(news), olds), "id": id}

    def update(self, api: Api, id: str, olds: Props, old_inputs: Props, news: Props, timeout: float | None) -> Props:
        planned = self.preview_update(id, olds, old_inputs, news)
        if not self.diff(id, olds, old_inputs, news, []).changes:
            return planned
        try:
            call(api, self.updating, "PUT", f"{self.path(planned)}/{id}", self.body(planned))
            return self._now(api, id, planned)
        except ProviderError as error:
            state = {**planned, "id": id}
            raise InitFailed(id, state, [listed(error.text)]) from None

    def read(self, api: Api, id: str, olds: Props | None, old_inputs: Props | None) -> tuple[str, Props, Props] | None:
        props, id = self._located(id, olds or {})
        try:
            answered = call(api, "Error retrieving check", "GET", f"{self.path(props)}/{id}")[self.key]
        except Refused as error:
            if error.status == 404:
                return None
            raise ProviderError(listed(error.text), error.code) from None
        state = self.state(answered, props)
        inputs_now = (
            inputs.refreshed(self.fields, old_inputs, state) if old_inputs else inputs.imported(self.fields, state)
        )
        return id, state, inputs_now

    def delete(self, api: Api, id: str, olds: Props) -> None:
        try:
            call(api, self.deleting, "DELETE", f"{self.path(olds)}/{id}")
        except ProviderError as error:
            raise ProviderError(listed(error.text), error.code) from None

    def _located(self, id: str, olds: Props) -> tuple[Props, str]:
        """Return the properties that locate the object, and its id."""
        return olds, id

    def _now(self, api: Api, id: str, planned: Props) -> Props:
        state = self.state(call(api, "Error retrieving check", "GET", f"{self.path(planned)}/{id}")[self.key], planned)
        # An empty set stays as planned, null or [].
        return {name: planned[name] if value == [] and name in planned else value for name, value in state.items()}


class UptimeCheck(_Uptime):
    """Outputs: the inputs and the id."""

    token = "digitalocean:index/uptimeCheck:UptimeCheck"
    fields = CHECK
    stables = ("id",)
    key = "check"
    creating = "Error creating Check"
    updating = "Error updating uptime check"
    deleting = "Error deleting uptime checks"

    def path(self, props: Props) -> str:
        return _CHECKS

    def body(self, planned: Props) -> dict[str, Any]:
        regions = sets.sent(_REGIONS, planned["regions"] or []) or None
        return {**{name: planned[name] for name in ("name", "type", "target", "enabled")}, "regions": regions}

    def state(self, answered: dict[str, Any], props: Props) -> Props:
        regions = sets.shown(_REGIONS, answered.get("regions") or [])
        return {
            **{name: answered.get(name) for name in ("id", "name", "type", "target", "enabled")},
            "regions": regions,
        }


class UptimeAlert(_Uptime):
    """Outputs: the inputs and the id. An import id names check and alert: `CHECK,ALERT`."""

    token = "digitalocean:index/uptimeAlert:UptimeAlert"
    fields = ALERT
    key = "alert"
    creating = "Error creating Uptime Alert"
    updating = "Error updating Alert"
    deleting = "Error deleting uptime alerts"

    def path(self, props: Props) -> str:
        return f"{_CHECKS}/{props['checkId']}/alerts"

    def body(self, planned: Props) -> dict[str, Any]:
        notification = (planned["notifications"] or [{}])[0]
        return {
            "name": planned["name"],
            "type": planned["type"],
            "threshold": planned["threshold"] or 0,
            "comparison": planned["comparison"] or "",
            "period": planned["period"] or "",
            "notifications": {"email": notification.get("emails") or None, "slack": notification.get("slacks") or None},
        }

    def state(self, answered: dict[str, Any], props: Props) -> Props:
        sent = answered.get("notifications") or {}
        plain = {name: answered.get(name) for name in ("id", "name", "type", "threshold", "comparison", "period")}
        notification = {"emails": sent.get("email") or [], "slacks": sent.get("slack") or []}
        return {**plain, "checkId": props["checkId"], "notifications": [notification]}

    def _located(self, id: str, olds: Props) -> tuple[Props, str]:
        check, comma, alert = id.partition(",")
        if comma:
            return {"checkId": check}, alert
        if "checkId" not in olds:
            raise ProviderError("to import an alert, name its check and itself: CHECK_ID,ALERT_ID")
        return olds, id
