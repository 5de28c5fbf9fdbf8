"""Behaviour of the official digitalocean plugin over several calls, and refusals of the offline one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.parity.digitalocean_scenes import scenes
from tests.parity.plugin import Plugin
from tests.parity.recordings import changed
from tests.parity.replaying import same
from tests.parity.stub import Stub

APP = "digitalocean:index/app:App"
UPTIME_CHECK = "digitalocean:index/uptimeCheck:UptimeCheck"
_MINIMAL = "create: minimal"


@pytest.fixture(scope="module")
def plugin(stub: Stub) -> Iterator[Plugin]:
    with Plugin("digitalocean") as running:
        running.configure({"token": "dop_v1_placeholder", "apiEndpoint": f"http://127.0.0.1:{stub.port}"})
        yield running


def test_a_refused_update_is_forgotten(stub: Stub, plugin: Plugin) -> None:
    """The engine stores the new spec although the API refused it; the next update finds no difference."""
    found = scenes("digitalocean.App", stub.port)
    state = found.created(_MINIMAL)
    news = changed(state.inputs, {"set": {"spec.name": "refused"}})
    stub.answer_by(lambda _: {"status": 422, "responseBody": {"message": "placeholder"}})
    stored = plugin.update(APP, state.id, state.outputs, state.inputs, news)["error"]["initFailed"]["properties"]
    assert stored["spec"]["name"] == "refused"
    stub.expect([])
    assert plugin.diff(APP, state.id, stored, news, news)["response"]["changes"] == "DIFF_NONE"
    assert plugin.update(APP, state.id, stored, news, news) == {"response": {"properties": stored}}
    assert stub.requests == []


def test_a_refused_update_is_found_again_after_a_refresh(stub: Stub, plugin: Plugin) -> None:
    """Therefore every `up` of the program refreshes first."""
    found = scenes("digitalocean.App", stub.port)
    state, step = found.created(_MINIMAL), found.case("read: minimal, nothing changed")["steps"][0]
    news = changed(state.inputs, {"set": {"spec.name": "refused"}})
    stored = changed(state.outputs, {"set": {"spec.name": "refused"}})
    stub.expect(step["http"])
    read = plugin.read(APP, state.id, stored, news)["response"]
    diff = plugin.diff(APP, state.id, read["properties"], read["inputs"], news)["response"]
    assert diff["detailedDiff"] == {"spec.name": {"kind": "UPDATE"}}


@pytest.mark.parametrize(
    "ignored, found",
    [
        ([], {"spec.alerts": {"kind": "DELETE"}}),
        (["spec.alerts"], None),
        (["spec"], None),
        (["spec.alert", "spec.alerts[0]"], {"spec.alerts": {"kind": "DELETE"}}),
    ],
)
def test_an_alert_found_by_a_refresh_can_be_ignored(
    stub: Stub, plugin: Plugin, ignored: list[str], found: dict[str, Any] | None
) -> None:
    """The engine restores the old inputs, which have no alerts; the bridge removes the alerts from Terraform's diff."""
    scene = scenes("digitalocean.App", stub.port)
    state = scene.read("read: minimal, API added features, ingress, alerts and http_port")
    news = scene.base("minimal").inputs
    diff = plugin.diff(APP, state.id, state.outputs, state.inputs, news, ignored)["response"]
    assert diff.get("detailedDiff") == found
    assert diff["changes"] == ("DIFF_SOME" if found else "DIFF_NONE")


@pytest.mark.parametrize(
    "set,named",
    [
        ({"spec.jobs": [{"name": "j"}]}, "x.spec.jobs"),
        ({"spec.services[0].gitlab": {"repo": "o/r"}}, "x.spec.services[0].gitlab"),
        ({"spec.services[0].image.registryCredentials": "hidden"}, "x.spec.services[0].image.registryCredentials"),
        ({"dedicatedIps": [{"ip": "192.0.2.1"}]}, "x.dedicatedIps"),
    ],
)
def test_an_unsupported_property_is_refused_by_name(
    stub: Stub, plugin: Plugin, set: dict[str, Any], named: str
) -> None:
    inputs = scenes("digitalocean.App", stub.port).created(_MINIMAL).inputs
    (failure,) = plugin.check(APP, {}, changed(inputs, {"set": set}))["response"]["failures"]
    assert failure["property"] == named
    assert failure["reason"].startswith(f"{named}: the offline digitalocean plugin does not support it")
    assert "hidden" not in failure["reason"]


@pytest.mark.parametrize(
    "set,words",
    [
        ({"spec.region": ["nyc"]}, "expected text for spec.0.region, got list. Examine values at 'x.spec.region'."),
        ({"spec.services": {}}, "expected a list for spec.0.service, got dict"),
        ({"spec.services[0]": "web"}, "expected an object for spec.0.service.0, got str"),
        ({"spec.services[0].image": []}, "expected an object for spec.0.service.0.image.0, got list"),
        ({"spec.services[0].instanceCount": 1.5}, "expected a whole number for spec.0.service.0.instance_count"),
        ({"spec.services[0].internalPorts": [{}]}, "expected a whole number for spec.0.service.0.internal_ports.0"),
        ({"spec.disableEdgeCache": "maybe"}, "expected true or false for spec.0.disable_edge_cache, got str"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(stub: Stub, plugin: Plugin, set: dict[str, Any], words: str) -> None:
    inputs = scenes("digitalocean.App", stub.port).created(_MINIMAL).inputs
    (failure,) = plugin.check(APP, {}, changed(inputs, {"set": set}))["response"]["failures"]
    assert failure["reason"].startswith(words)


def test_other_resources_are_refused_by_name(plugin: Plugin) -> None:
    error = plugin.check("digitalocean:index/droplet:Droplet", {}, {})["error"]
    assert error["code"] == "UNIMPLEMENTED"
    assert "does not support digitalocean:index/droplet:Droplet" in error["details"]


def test_a_computed_item_makes_the_whole_set_unknown(stub: Stub, plugin: Plugin) -> None:
    """The program may pass an env as an output; the order of the set is unknown then."""
    inputs = scenes("digitalocean.App", stub.port).created(_MINIMAL).inputs
    news = changed(inputs, {"set": {"spec.envs": [{"$unknown": True}, {"key": "A"}]}})
    checked = plugin.check(APP, {}, news)["response"]["inputs"]
    preview = plugin.create(APP, checked, preview=True)["response"]["properties"]
    assert preview["spec"]["envs"] == {"$unknown": True}


def test_generated_names_depend_on_the_seed_and_stay(plugin: Plugin) -> None:
    first, second = (
        plugin.check(UPTIME_CHECK, {}, {"target": "https://www.example.test"}, name="web", seed=seed)["response"][
            "inputs"
        ]
        for seed in (b"one", b"two")
    )
    assert first["name"].startswith("web-")
    assert first["name"] != second["name"]
    again = plugin.check(UPTIME_CHECK, first, {"target": "https://www.example.test"}, name="web", seed=b"two")
    assert same(again) == same({"response": {"inputs": first}})
    assert again["response"]["inputs"]["name"] == first["name"]


def test_a_failed_read_does_not_mean_that_the_resource_is_gone(stub: Stub, plugin: Plugin) -> None:
    """Only 404 means that; with any other answer the engine must not forget the resource."""
    state = scenes("digitalocean.App", stub.port).created(_MINIMAL)
    stub.answer_by(lambda _: {"status": 403, "responseBody": {"message": "placeholder"}})
    details = plugin.read(APP, state.id, state.outputs, state.inputs)["error"]["details"]
    assert details.startswith("refreshing urn:")
    assert "403 placeholder" in details
