"""Adoption of an app that App Platform builds from GitHub, with alerts. One story: the tests run in order.

The app is made and changed through DigitalOcean's own client, as by doctl.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.live import load
from tests.live.handmade import PASSWORD, HandMade, declare
from tests.live.network import titles
from tests.live.project import Project, assert_quiet
from tests.support.digitalocean import pydo_client

if TYPE_CHECKING:  # importing it takes a while, in every process that collects the tests
    from pydo import Client

pytestmark = [pytest.mark.live, pytest.mark.slow]

NAME = "Some-Team/oracle-universe-backend"
SOURCE = f"github.com/{NAME}, branch main"
CPU = {"rule": "CPU_UTILIZATION", "operator": "GREATER_THAN", "value": 80, "window": "FIVE_MINUTES"}
ALERTS = [("", "DEPLOYMENT_FAILED"), ("", "DOMAIN_FAILED"), ("oracle-universe-backend", "CPU_UTILIZATION")]
TO = {"emails": ["on-call@example.org"]}


@dataclass(frozen=True)
class Built:
    """The network by hand, the repository of its backend, and the team's client."""

    hand: HandMade
    checkout: Path
    client: Client

    @classmethod
    def made(cls, project: Project, folder: Path) -> Built:
        from azure.core.exceptions import HttpResponseError

        project.oracle("cloud", "start").well()
        client = pydo_client(project.endpoint, project.tokens()["digitalocean"])
        checkout = folder / "checkout"
        shutil.copytree(project.root / "services/backend", checkout)
        (checkout / "entrypoint.sh").chmod(0o644)  # as in the team's repository: its Dockerfile makes it executable
        (checkout / "Dockerfile").write_text("FROM scratch\nCOPY . /app\nRUN chmod +x /app/entrypoint.sh\n")
        git(checkout, "init", "--quiet", "--initial-branch=main")
        made = cls(HandMade(project, folder), checkout, client)
        made.commit("first")
        with pytest.raises(HttpResponseError, match=f"GitHub user does not have access to {NAME}"):
            client.apps.create({"spec": made.spec()})
        words = ("--build", "chmod +x entrypoint.sh", "--run", "./entrypoint.sh")
        project.oracle("cloud", "repository", NAME, str(checkout), *words).well()
        HandMade.made(project, folder, made.create)
        return made

    def create(self, hand: HandMade) -> dict[str, Any]:
        app = hand.served(self.client.apps.create({"spec": self.spec()})["app"]["id"])
        for alert in self.client.apps.list_alerts(app["id"])["alerts"]:
            if alert["spec"]["rule"] != "DOMAIN_FAILED":
                self.client.apps.assign_alert_destinations(app["id"], alert["id"], TO)
        return app

    def spec(self, deploy_on_push: bool = True) -> dict[str, Any]:
        github = {"repo": NAME, "branch": "main", "deploy_on_push": deploy_on_push}
        source = {"github": github, "dockerfile_path": "Dockerfile", "alerts": [CPU]}
        return self.hand.spec(source, alerts=[{"rule": "DEPLOYMENT_FAILED"}, {"rule": "DOMAIN_FAILED"}])

    def commit(self, word: str) -> str:
        (self.checkout / "word.txt").write_text(word)
        git(self.checkout, "add", "-A")
        git(self.checkout, "commit", "--quiet", "-m", word)
        return git(self.checkout, "rev-parse", "HEAD")

    def alerts(self) -> list[tuple[str, str]]:
        """Those of the one app: where they belong, and their rules."""
        return [(each.get("component_name", ""), each["spec"]["rule"]) for each in self._alerts()]

    def destinations(self) -> dict[str, list[str]]:
        return {each["spec"]["rule"]: each["emails"] for each in self._alerts() if each.get("emails")}

    def app(self) -> dict[str, Any]:
        [app] = self.client.apps.list()["apps"]
        return dict(app)

    def _alerts(self) -> list[dict[str, Any]]:
        return list(self.client.apps.list_alerts(self.app()["id"])["alerts"])


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    command = ["git", "-C", str(folder), *identity, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    project = Project.copied(tmp_path_factory.mktemp("project"))
    try:
        made = Built.made(project, tmp_path_factory.mktemp("hand"))
        [domain] = made.hand.cloudflare("/domains")
        declare(project, domain["zone_id"])
        yield made
    finally:
        project.stop()


def test_an_app_with_deploy_on_push_is_not_adopted(built: Built) -> None:
    project, before = built.hand.project, built.hand.running()
    refused = " ".join(project.oracle("adopt", "local", "--yes").failed().output.split())
    assert f"Each push to {SOURCE} deploys jellyfish-app outside Pulumi on an empty disk" in refused
    assert "set deploy_on_push to false in spec.yaml" in refused
    assert built.hand.running() == before
    assert not {"adopted", "alerts"} & set(project.config["oracle-net:backend"])

    commit = built.commit("second")
    assert "jellyfish-app is being deployed" in project.oracle("cloud", "push", NAME).well().output
    active = built.hand.served(built.app()["id"])["active_deployment"]
    assert active["cause"] == f"commit {commit[:7]} pushed to github/{NAME}"
    assert built.hand.running() != before


def test_a_dry_run_lists_the_changes_of_the_first_release(built: Built) -> None:
    built.client.apps.update(built.app()["id"], {"spec": built.spec(deploy_on_push=False)})
    built.hand.served(built.app()["id"])
    told = " ".join(built.hand.project.oracle("adopt", "local", "--dry-run").well().output.split())
    assert f"built from {SOURCE}, with its alerts DEPLOYMENT_FAILED, DOMAIN_FAILED, CPU_UTILIZATION" in told
    assert "runs the image oracle-universe-backend" in told
    assert "- rule: DEPLOYMENT_FAILED" in told
    assert "FIVE_MINUTES" in told


def test_an_adoption_changes_nothing_and_a_push_then_deploys_nothing(built: Built) -> None:
    project, before = built.hand.project, built.hand.running()
    built.hand.configure_password(PASSWORD)
    with load.running(api_url(project), "adoption") as under:
        project.oracle("adopt", "local", "--yes").well()
        built.commit("third")
        assert "No app is deployed on a push" in project.oracle("cloud", "push", NAME).well().output
    assert set(under.reads) == {"200"}, under.summary()
    assert set(under.writes) <= {"201", "register 201"}, under.summary()
    assert built.hand.running() == before
    assert_quiet(project.pulumi("preview", "--refresh", "--stack", "local"))
    assert "local: no drift." in project.oracle("drift", "local").well().output
    commit = built.app()["active_deployment"]["services"][0]["source_commit_hash"][:7]
    status = " ".join(project.oracle("status").well().output.split())
    assert f"jellyfish-app is built from {SOURCE} at commit {commit}, by App Platform" in status


def test_the_first_release_migrates_the_data_and_the_alerts(built: Built) -> None:
    project = built.hand.project
    with load.running(api_url(project), "release") as under:
        project.oracle("deploy", "api", "web", "universe", "--yes").well()
        project.oracle("deploy", "backend", "--yes").well()
    print(under.summary())
    assert set(under.reads) == {"200"}, under.summary()
    assert set(under.writes) <= {"201", "held", "register 201", "register held"}, under.summary()
    assert under.acknowledged
    assert set(under.acknowledged) <= titles(project)
    spec = built.app()["spec"]
    assert spec["name"] == "jellyfish-app-g1-r2"
    assert "github" not in spec["services"][0]
    assert spec["services"][0]["image"]["repository"] == "oracle-universe-backend"
    assert spec["services"][0]["alerts"][0].items() >= CPU.items()
    assert sorted(built.alerts()) == sorted(ALERTS)
    assert built.destinations() == {"DEPLOYMENT_FAILED": TO["emails"], "CPU_UTILIZATION": TO["emails"]}


def test_after_the_first_release_an_update_and_a_push_change_nothing(built: Built) -> None:
    project, before = built.hand.project, built.hand.running()
    assert_quiet(project.pulumi("preview", "--refresh", "--stack", "local"))
    assert "local: no drift." in project.oracle("drift", "local").well().output
    built.commit("fourth")
    assert "No app is deployed on a push" in project.oracle("cloud", "push", NAME).well().output
    assert built.hand.running() == before


def api_url(project: Project) -> str:
    return str(project.config["oracle-net:workersUrl"]).format(script="oracle-universe-api")
