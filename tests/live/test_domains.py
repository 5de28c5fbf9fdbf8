"""Changed domains and compatibility flags of a Worker leave nothing behind. Each test can run alone."""

from __future__ import annotations

from typing import Any

import pytest

from clients.http import client
from tests.live.project import Project, assert_quiet

pytestmark = [pytest.mark.live, pytest.mark.slow]
HOST = "www.example.test"


def cloudflare(project: Project, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {project.tokens()['cloudflare']}"}
    with client(timeout=30, headers=headers) as http:
        answer = http.request(method, f"{project.config['cloudflare:baseUrl']}/{path}", json=body)
    assert answer.status_code < 300, answer.text
    return answer.json()["result"]


def served(project: Project) -> dict[str, str]:
    """Each domain with the Worker that it leads to."""
    listed = cloudflare(project, "GET", f"accounts/{project.config['oracle-net:accountId']}/workers/domains")
    return {each["hostname"]: each["service"] for each in listed}


def test_a_domain_follows_its_renamed_worker(project: Project) -> None:
    """Cloudflare refuses the new domain before the old one is deleted, and a later deletion removes both."""
    zone = cloudflare(project, "POST", "zones", {"name": "example.test"})["id"]
    declared = f"      domain: {{hostname: {HOST}, zoneId: {zone}}}\n"
    project.edit("Pulumi.local.yaml", "      script: oracle-net\n", f"      script: oracle-net\n{declared}")
    project.up().well()
    assert served(project) == {HOST: "oracle-net"}
    project.edit("Pulumi.local.yaml", "      script: oracle-net\n", "      script: oracle-net-other\n")
    project.up().well()
    assert served(project) == {HOST: "oracle-net-other"}
    assert_quiet(project.up())
    scripts = cloudflare(project, "GET", f"accounts/{project.config['oracle-net:accountId']}/workers/scripts")
    assert sorted(each["id"] for each in scripts) == ["oracle-net-other", "oracle-universe-api", "oracle-universe-web"]


def test_a_removed_compatibility_flag_is_removed_from_the_worker(project: Project) -> None:
    """The provider alone would leave the flag on without showing a change."""
    script = f"accounts/{project.config['oracle-net:accountId']}/workers/scripts/oracle-universe-api/settings"
    before = "      script: oracle-universe-api\n"
    flags = "      compatibilityFlags: [nodejs_compat]\n"
    project.edit("Pulumi.local.yaml", before, before + flags)
    project.up().well()
    assert cloudflare(project, "GET", script)["compatibility_flags"] == ["nodejs_compat"]
    project.edit("Pulumi.local.yaml", before + flags, before)
    project.up().well()
    assert not cloudflare(project, "GET", script).get("compatibility_flags")
    assert_quiet(project.up())
