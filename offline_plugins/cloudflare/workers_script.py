"""cloudflare.WorkersScript: one Worker, its code, bindings and static assets. Its id is its name."""
# ruff: noqa: ARG002 - the interface of `resource.Resource`

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar

from offline_plugins.api import Api
from offline_plugins.cloudflare.answers import FAILED, GONE, account_path, import_parts, required, result
from offline_plugins.cloudflare.assets import digest, manifest, upload
from offline_plugins.cloudflare.attributes import Fields, clean, from_answer, marked, to_body
from offline_plugins.cloudflare.multipart import Part, encode, first_part
from offline_plugins.cloudflare.plan import settled
from offline_plugins.cloudflare.script_checks import content_path, script_failures
from offline_plugins.cloudflare.tabled import Tabled
from offline_plugins.cloudflare.workers_script_attributes import METADATA, SCRIPT, SETTINGS
from offline_plugins.resource import UNKNOWN, Failure, Props, ProviderError

_IMPORT_FORM = "<account_id>/<script_name>"
_FIRST_PATH = 'AttributeName("assets").AttributeName("config").AttributeName("run_worker_first")'


class WorkersScript(Tabled):
    token = "cloudflare:index/workersScript:WorkersScript"
    fields: ClassVar[Fields] = SCRIPT | METADATA

    def further_failures(self, inputs: Props, name: str) -> list[Failure]:
        return script_failures(inputs, name)

    def plan(self, config: Props, prior: Props) -> Props:
        """Plan by the table, with the asset directory's current hash: a changed file is a change."""
        _refuse_boolean_to_list(config, prior)
        plan = super().plan(config, prior)
        assets = plan.get("assets")
        if not isinstance(assets, dict) or assets.get("directory") is None or assets["directory"] is UNKNOWN:
            return plan
        assets["assetManifestSha256"] = digest(manifest(assets["directory"]))
        if prior and assets["assetManifestSha256"] != prior.get("assets", {}).get("assetManifestSha256"):
            plan["hasAssets"] = plan["modifiedOn"] = UNKNOWN
        return plan

    def create(self, api: Api, name: str, news: Props, timeout: float | None) -> tuple[str, Props]:
        config = clean(news)
        return config["scriptName"], self._put(api, config, {})

    def update(self, api: Api, id: str, olds: Props, old_inputs: Props, news: Props, timeout: float | None) -> Props:
        return self._put(api, clean(news), clean(olds))

    def _put(self, api: Api, config: Props, prior: Props) -> Props:
        """Upload assets, then the Worker; return the outputs."""
        plan = self.plan(config, prior)
        body, content_type = encode(_parts(plan, _upload_assets(api, plan)))
        path = account_path(plan, "workers", "scripts", plan["scriptName"])
        answer = result(api.send("PUT", path, body, {"Content-Type": content_type}))
        outputs = settled(self.fields, plan, from_answer(self.fields, answer))
        return marked(self.fields, outputs | {"id": plan["scriptName"]})

    def read(self, api: Api, id: str, olds: Props | None, old_inputs: Props | None) -> tuple[str, Props, Props] | None:
        state = clean(olds or {})
        if not state:
            state["accountId"], state["scriptName"] = import_parts(id, _IMPORT_FORM)
            script = account_path(state, "workers", "scripts", state["scriptName"])
            required(api.send("GET", script, headers={"Accept": "application/javascript"}))
        service = api.send("GET", account_path(state, "workers", "services", state["scriptName"]))
        if service.status == 404:
            api.log("warning", GONE)
            return None
        environment = result(service).get("default_environment") or {}
        state |= from_answer(self.fields, environment.get("script") or {}) | {"id": state["scriptName"]}
        state = _with_settings(api, state)
        _take_content(api, state)
        return self.read_result(state["scriptName"], state, old_inputs)

    def delete(self, api: Api, id: str, olds: Props) -> None:
        props = clean(olds)
        required(api.send("DELETE", account_path(props, "workers", "scripts", props.get("scriptName", id))))


def _refuse_boolean_to_list(config: Props, prior: Props) -> None:
    """Fail like the official plugin, which cannot compare a list with a stored boolean. An update without the property
    helps.
    """
    new, old = _run_worker_first(config), _run_worker_first(prior)
    if isinstance(new, list) and isinstance(old, bool):
        quoted = _FIRST_PATH.replace('"', '\\"')
        raise ProviderError(
            f'{_FIRST_PATH}: Error converting "{quoted}": '
            "can't unmarshal tftypes.List[tftypes.String] into *bool, expected boolean"
        )


def _run_worker_first(props: Props) -> Any:
    config = props["assets"].get("config") if isinstance(props.get("assets"), dict) else None
    return config.get("runWorkerFirst") if isinstance(config, dict) else None


def _upload_assets(api: Api, plan: Props) -> str:
    """Upload the assets and return their token; "" when the plan has none to upload."""
    assets = plan.get("assets") or {}
    if assets.get("directory") is None or assets.get("jwt"):
        return ""
    return upload(api, plan, manifest(assets["directory"]))


def _parts(plan: Props, assets_token: str) -> list[Part]:
    """Build the form of an upload: the code, if any, and the metadata."""
    metadata = to_body(METADATA, plan)
    if assets_token:
        metadata["assets"] = dict(sorted((metadata.get("assets", {}) | {"jwt": assets_token}).items()))
    parts: list[Part] = []
    content = _content(plan)
    if content is not None:
        module = plan.get("mainModule") or ""
        if not module:
            metadata["body_part"] = "script"
        usual = "application/javascript+module" if module else "application/javascript"
        parts.append(Part(module or "script", content, plan.get("contentType") or usual, module or "script"))
    # The official plugin fails to write a placement, and sends an empty part instead of reporting it.
    placed = isinstance(plan.get("placement"), dict)
    text = "" if placed else json.dumps(metadata, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return [*parts, Part("metadata", text.encode(), "application/json")]


def _content(plan: Props) -> bytes | None:
    if plan.get("contentFile") is not None:
        try:
            return content_path(plan["contentFile"]).read_bytes()
        except OSError as error:
            cause = (error.strerror or str(error)).lower()
            raise ProviderError(f"failed to read file: could not read file {plan['contentFile']}: {cause}") from None
    content = plan.get("content")
    return content.encode() if isinstance(content, str) else None


def _with_settings(api: Api, state: Props) -> Props:
    """Return the state with the API's settings; those that the API leaves out stay unchanged."""
    path = account_path(state, "workers", "scripts", state["scriptName"], "settings")
    settings = from_answer(SETTINGS, result(api.send("GET", path)))
    bindings = _merged_bindings(state.get("bindings") or [], settings.pop("bindings", []))
    merged = _overlaid(state, settings) | {"bindings": bindings}
    if "mode" not in merged.get("placement", {}):
        merged.pop("placement", None)
    return merged


def _overlaid(old: Props, new: Props) -> Props:
    """Return `old` with the values of `new`, object by object."""
    merged = dict(old)
    for name, value in new.items():
        before = merged.get(name)
        merged[name] = _overlaid(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def _merged_bindings(known: list[Props], answered: list[Props]) -> list[Props]:
    """Return the bindings after a refresh: the known ones in their order, then new ones of the API.

    Of the known bindings, only a deleted secret is removed. A secret keeps its text, which the API never returns; a
    secret that the program does not know stays out. Any other known binding stays unchanged, whatever the API returns.
    """
    there = {(binding.get("type"), binding.get("name")): binding for binding in answered}
    merged = []
    for binding in known:
        key = (binding.get("type"), binding.get("name"))
        if binding.get("type") != "secret_text":
            merged.append(binding)
        elif key in there:
            merged.append(there[key] | ({"text": binding["text"]} if "text" in binding else {}))
    keys = {(binding.get("type"), binding.get("name")) for binding in known}
    return merged + [b for key, b in there.items() if key not in keys and key[0] != "secret_text"]


def _take_content(api: Api, state: Props) -> None:
    """Put the API's code, or its hash, into the state."""
    path = account_path(state, "workers", "scripts", state["scriptName"], "content", "v2")
    answer = required(api.send("GET", path, headers={"Accept": "string"}), FAILED)
    if answer.status == 204:  # a Worker of assets only
        return
    content = first_part(answer.body, answer.headers.get("content-type", ""))
    if "contentFile" not in state:
        state["content"] = content.decode("utf-8", "replace")
    if "contentSha256" in state:
        state["contentSha256"] = hashlib.sha256(content).hexdigest()
