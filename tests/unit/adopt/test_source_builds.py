"""Adoption of an app that is built from a repository and has alerts: what stays, changes and is refused."""

from __future__ import annotations

from typing import Any

import pytest

import advice
from cli.adopt import LiveResources, adoption, differences, refusals
from clients.app_platform import Source
from settings import AlertSettings, Settings
from tests.unit.adopt.test_checks import OWNER, SETTINGS, app, live, service

HOST = "git.example.org"
GITHUB = {"repo": "Team/backend", "branch": "main"}
FAILED = {"rule": "DEPLOYMENT_FAILED"}
CPU = {"rule": "CPU_UTILIZATION", "operator": "GREATER_THAN", "value": 80, "window": "FIVE_MINUTES"}


def built(alerts: tuple[Any, ...] = (), of_service: tuple[Any, ...] = (), **source: Any) -> LiveResources:
    made = service(dockerfile_path="Dockerfile", alerts=list(of_service), **(source or {"github": GITHUB}))
    return live(app=app(spec={"region": "sgp", "alerts": list(alerts), "services": [made]}))


def with_alerts(*alerts: dict[str, Any]) -> Settings:
    declared = tuple(AlertSettings(**each) for each in alerts)
    return SETTINGS.model_copy(update={"backend": SETTINGS.backend.model_copy(update={"alerts": declared})})


def effects(settings: Settings, seen: LiveResources) -> dict[str, str]:
    found = differences(settings, seen, ("backend",))
    return {each.key.removeprefix("backend: "): each.effect for each in found}


@pytest.mark.parametrize(
    "component, told, built_there, on_push",
    [
        ({"github": {**GITHUB, "deploy_on_push": True}}, "github.com/Team/backend, branch main", True, True),
        ({"github": GITHUB}, "github.com/Team/backend, branch main", True, False),
        ({"gitlab": {"repo": "a/b", "branch": "dev"}}, "gitlab.com/a/b, branch dev", True, False),
        ({"bitbucket": {"repo": "a/b", "deploy_on_push": True}}, "bitbucket.org/a/b, branch main", True, True),
        ({"git": {"repo_clone_url": f"https://x:y@{HOST}/a.git", "branch": "b"}}, f"{HOST}/a, branch b", True, False),
        ({"image": {"registry": "team", "repository": "backend"}}, "team/backend", False, False),
        ({"image": {"repository": "backend", "deploy_on_push": {"enabled": True}}}, "backend", False, True),
    ],
)
def test_the_source_of_a_component_is_recognized(
    component: dict[str, Any], told: str, built_there: bool, on_push: bool
) -> None:
    found = Source.of(component)
    assert found is not None
    assert (str(found), found.built, found.deployed_on_push) == (told, built_there, on_push)


@pytest.mark.parametrize(
    "source, origin",
    [
        ({"github": {**GITHUB, "deploy_on_push": True}}, "github.com/Team/backend, branch main"),
        ({"image": {"repository": "backend", "deploy_on_push": {"enabled": True}}}, "backend"),
    ],
)
def test_an_app_with_deploy_on_push_is_refused(source: dict[str, Any], origin: str) -> None:
    [refusal] = refusals(SETTINGS, built(**source), SETTINGS.services, OWNER)
    assert refusal.problem.startswith(f"Each push to {origin} deploys jellyfish-app outside Pulumi on an empty disk")
    text = advice.text(refusal, "x", "oracle adopt x")
    assert " Fix: back up its data, then run `doctl apps spec get app-12345678 > spec.yaml`, then set " in text
    assert text.endswith(", then run `doctl apps update app-12345678 --spec spec.yaml`, then run `oracle adopt x`.")


def test_a_built_app_without_deploy_on_push_is_adopted_and_described() -> None:
    assert list(refusals(SETTINGS, built(), SETTINGS.services, OWNER)) == []
    [told] = [line for line in adoption(SETTINGS, built(), SETTINGS.services).words if line.startswith("backend: ")]
    assert told.endswith("built from github.com/Team/backend, branch main")
    found = effects(SETTINGS, built())
    assert list(found) == ["source"]
    assert "runs the image oracle-universe-backend" in found["source"]
    assert "then no push to github.com/Team/backend deploys anything" in found["source"]


def test_a_run_command_that_the_image_ignores_is_listed() -> None:
    found = effects(SETTINGS, built(github=GITHUB, run_command="./serve --now"))
    assert found["run_command"] == "is started by its image, not by: ./serve --now"


def test_undeclared_alerts_are_added_to_the_settings() -> None:
    seen = built((FAILED, {**FAILED, "rule": "DOMAIN_FAILED", "disabled": True}), (CPU,))
    found = adoption(SETTINGS, seen, SETTINGS.services)
    assert "with its alerts DEPLOYMENT_FAILED, DOMAIN_FAILED, CPU_UTILIZATION" in found.words[0]
    assert {key: value for key, value in found.values.items() if "alerts" in key} == {
        "backend.alerts[0].rule": "DEPLOYMENT_FAILED",
        "backend.alerts[1].rule": "DOMAIN_FAILED",
        "backend.alerts[1].disabled": "true",
        "backend.alerts[2].rule": "CPU_UTILIZATION",
        "backend.alerts[2].operator": "GREATER_THAN",
        "backend.alerts[2].value": "80",
        "backend.alerts[2].window": "FIVE_MINUTES",
    }
    assert list(effects(SETTINGS, seen)) == ["source"]


def test_declared_alerts_are_compared_and_not_added_again() -> None:
    same = with_alerts(FAILED, CPU)
    assert adoption(same, built((FAILED,), (CPU,)), SETTINGS.services).alerts == ()
    assert list(effects(same, built((FAILED,), (CPU,)))) == ["source"]
    other = with_alerts({**CPU, "value": 90}, {"rule": "DOMAIN_FAILED"})
    found = effects(other, built((FAILED,), (CPU,)))
    assert "the first release is without it" in found["alert DEPLOYMENT_FAILED"]
    assert "another threshold: the first release has the declared one" in found["alert CPU_UTILIZATION"]
    assert "the first release adds it" in found["alert DOMAIN_FAILED"]


def test_an_alert_that_cannot_be_declared_is_listed_as_lost() -> None:
    """An alert without a threshold cannot be sent by the provider."""
    seen = built((), ({"rule": "CPU_UTILIZATION"},))
    assert adoption(SETTINGS, seen, SETTINGS.services).alerts == ()
    assert "the first release is without it" in effects(SETTINGS, seen)["alert CPU_UTILIZATION"]
