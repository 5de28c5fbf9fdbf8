"""digitalocean.App: an App Platform app and its deployments."""
# ruff: noqa: ARG002 - signatures of the base class

from __future__ import annotations

from typing import Any

from offline_plugins.api import Api
from offline_plugins.digitalocean import body, deployments, differ, inputs, plan
from offline_plugins.digitalocean.answers import Refused, call, listed
from offline_plugins.digitalocean.fields import Field, Shape, child, known, seal, without_defaults
from offline_plugins.digitalocean.spec import ANSWERED, APP, SPEC
from offline_plugins.digitalocean.times import printed
from offline_plugins.resource import UNKNOWN, Checked, Diffed, InitFailed, Props, ProviderError, Resource


class App(Resource):
    """Outputs: the inputs, the API's defaults, and the addresses and ids of `spec.ANSWERED`."""

    token = "digitalocean:index/app:App"

    def check(self, name: str, seed: bytes, olds: Props, news: Props) -> Checked:
        return inputs.check(APP, name, seed, olds, news)

    def diff(self, id: str, olds: Props, old_inputs: Props, news: Props, ignore: list[str]) -> Diffed:
        inputs_set = without_defaults(news)
        return differ.diff(APP, olds, plan.plan(APP, inputs_set, olds), inputs_set, ["projectId"], ignore)

    def preview_create(self, news: Props) -> Props:
        answered = dict.fromkeys(ANSWERED, UNKNOWN)
        return _shown({**answered, **plan.plan(APP, without_defaults(news), None)})

    def create(self, api: Api, name: str, news: Props, timeout: float | None) -> tuple[str, Props]:
        planned = plan.plan(APP, without_defaults(news), None)
        try:
            app = call(api, "Error creating App", "POST", "/v2/apps", _request(planned))["app"]
        except ProviderError as error:
            raise ProviderError(listed(error.text), error.code) from None
        try:
            _wait(api, app, planned, timeout)
            return app["id"], _shown(_merged(_read(api, app["id"], planned), planned, fresh=True))
        except ProviderError as error:
            state = {**dict.fromkeys(ANSWERED), **plan.settled(APP, planned), "id": app["id"]}
            raise InitFailed(app["id"], _shown(state), [listed(error.text)]) from None

    def preview_update(self, id: str, olds: Props, old_inputs: Props, news: Props) -> Props:
        return _shown(_planned_update(olds, news))

    def update(self, api: Api, id: str, olds: Props, old_inputs: Props, news: Props, timeout: float | None) -> Props:
        planned = _planned_update(olds, news)
        if not self.diff(id, olds, old_inputs, news, []).changes:
            return _shown(planned)  # like the official plugin, also after a refused update: nothing is sent
        try:
            if planned["spec"] != olds.get("spec"):
                _put(api, id, planned, timeout)
            return _shown(_merged(_read(api, id, planned), planned, fresh=False))
        except ProviderError as error:
            state = {**planned, **plan.settled(APP, planned)}
            raise InitFailed(id, _shown(state), [listed(error.text)]) from None

    def read(self, api: Api, id: str, olds: Props | None, old_inputs: Props | None) -> tuple[str, Props, Props] | None:
        try:
            state = _read(api, id, olds or {})
        except Refused as error:
            if error.status == 404:
                return None
            raise ProviderError(listed(error.text), error.code) from None
        state["dedicatedIps"] = []
        state["deploymentPerPage"] = (olds or {}).get("deploymentPerPage")
        if old_inputs:
            return id, _shown(state), _shown(inputs.refreshed(APP, old_inputs, state))
        # An import loses the number of deployments per page, and records that.
        imported = {**inputs.imported(APP, state), "deploymentPerPage": None}
        return id, _shown(state), _shown(imported)

    def delete(self, api: Api, id: str, olds: Props) -> None:
        try:
            call(api, "Error deletingApp", "DELETE", f"/v2/apps/{id}")
        except ProviderError as error:
            raise ProviderError(listed(error.text), error.code) from None


def _planned_update(olds: Props, news: Props) -> Props:
    return {**olds, **plan.plan(APP, without_defaults(news), olds)}


def _put(api: Api, id: str, planned: Props, timeout: float | None) -> None:
    request = {"spec": _spec(planned), "update_all_source_versions": False}
    app = call(api, f"Error updating app ({id})", "PUT", f"/v2/apps/{id}", request)["app"]
    _wait(api, app, planned, timeout)


def _wait(api: Api, app: dict[str, Any], planned: Props, timeout: float | None) -> None:
    deployments.wait(api, app, planned["deploymentPerPage"], timeout or deployments.CREATE_SECONDS)


def _request(planned: Props) -> dict[str, Any]:
    request: dict[str, Any] = {"spec": _spec(planned)}
    if planned["projectId"] is not UNKNOWN:
        request["project_id"] = planned["projectId"]
    return request


def _spec(planned: Props) -> dict[str, Any]:
    sent = body.expand(SPEC, planned["spec"] or {})
    sent.pop("", None)  # `domains`, which the API does not have beside `domain`
    if "egress" in sent:
        sent["egress"] = sent["egress"][0]  # a list in the program, one object in the API
    return sent


def _read(api: Api, id: str, before: Props) -> Props:
    """Return the outputs of the app in its current state. Raises Refused."""
    app = call(api, "Error reading App", "GET", f"/v2/apps/{id}")["app"]
    spec = dict(app.get("spec") or {})
    if isinstance(spec.get("egress"), dict):
        spec["egress"] = [spec["egress"]]
    flat = body.flatten(SPEC, spec)
    flat["domains"] = sorted(domain["name"] for domain in flat["domainNames"])
    if not _said_domains(before):
        flat["domainNames"] = []  # the official plugin shows them only when the program had some
    return {
        "id": app["id"],
        "spec": flat,
        "projectId": app.get("project_id", ""),
        "appUrn": f"do:app:{app['id']}",
        "liveUrl": app.get("live_url", ""),
        "liveDomain": app.get("live_domain", ""),
        "defaultIngress": app.get("default_ingress", ""),
        "activeDeploymentId": (app.get("active_deployment") or {}).get("id", ""),
        "createdAt": printed(app.get("created_at")),
        "updatedAt": printed(app.get("updated_at")),
    }


def _said_domains(before: Props) -> bool:
    names = child(before.get("spec"), "domainNames")
    return names is not UNKNOWN and bool(names)


def _merged(state: Props, planned: Props, fresh: bool) -> Props:
    """Return the state after a step: the API's values, but sets as planned, so that secrets stay plain."""
    spec = _keep_sets(SPEC, state["spec"], planned["spec"])
    rest = {
        "deploymentPerPage": planned["deploymentPerPage"],
        "dedicatedIps": None if fresh else planned["dedicatedIps"],
    }
    return {**state, "spec": spec, **rest}


def _keep_sets(fields: tuple[Field, ...], now: Any, planned: Any) -> Any:
    if not isinstance(now, dict) or not isinstance(planned, dict):
        return now
    merged = dict(now)
    for field in fields:
        before = planned.get(field.name)
        if field.shape is Shape.SET and before is not None and known(before):
            merged[field.name] = before
        elif field.fields and isinstance(before, list) and isinstance(now[field.name], list):
            pairs = zip(now[field.name], [*before, *[None] * len(now[field.name])], strict=False)
            merged[field.name] = [_keep_sets(field.fields, item, old) for item, old in pairs]
        elif field.fields:
            merged[field.name] = _keep_sets(field.fields, now[field.name], before)
    return merged


def _shown(props: Props) -> Props:
    """Return the properties with their secrets marked."""
    sealed: Props = seal(APP, props)
    return sealed
