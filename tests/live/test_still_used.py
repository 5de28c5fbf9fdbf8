"""An app that still gets requests is not deleted after its traffic has moved. Each test can run alone."""

from __future__ import annotations

import base64
import json

import pytest

from clients.http import client
from tests.live import network
from tests.live.project import Project, assert_quiet

pytestmark = [pytest.mark.live, pytest.mark.slow]

BOUND = 'env.POCKETBASE_URL.replace(/\\/+$/, "")'


def test_an_old_app_called_by_an_address_built_at_run_time_is_not_deleted(project: Project) -> None:
    """No search of the code finds the address; the log of the old app shows the requests."""
    old, address = network.apps(project), project.outputs()["backendUrl"]
    hidden = f'atob("{base64.b64encode(address.encode()).decode()}")'
    project.edit("services/api/src/worker.js", BOUND, hidden)
    project.up().well()
    project.edit("services/backend/entrypoint.sh", "exec ", "echo changed\nexec ")
    refused = project.up().failed()
    assert f"{old[0]} is not deleted: it still gets requests, such as GET /api/" in refused.output
    assert f"A client has its address {address} in place of POCKETBASE_URL" in refused.output
    assert set(old) < set(network.apps(project)), "both are there: the new one serves, the old one waits"
    status = project.oracle("status", "--stack", "local", "--json").failed()
    [found] = json.loads(status.output)["findings"]
    assert found["what"].startswith(f"{old[0]} was replaced, but it is not deleted yet")
    assert found["next"] == "oracle up local"

    project.edit("services/api/src/worker.js", hidden, BOUND)
    project.up().well()
    assert set(old).isdisjoint(network.apps(project))
    with client() as http:
        assert http.get(f"{project.outputs()['apiUrl']}/api/posts").status_code == 200
    assert_quiet(project.up())
