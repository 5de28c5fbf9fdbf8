"""The official Python SDK against the API: it must parse every answer."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.localcloud.cloudflare.service import ESM, Client, asset_hash

if TYPE_CHECKING:  # importing it takes a while, in every process that collects the tests
    from cloudflare import Cloudflare

CODE = 'export default { fetch: (request, env) => new Response("sdk " + (env.KEY ?? env.VAR)) };'


@pytest.fixture
def sdk(api: Client) -> Iterator[Cloudflare]:
    from cloudflare import Cloudflare

    with Cloudflare(api_token=api.token, base_url=api.base, max_retries=0) as client:
        yield client


@pytest.fixture
def account_id(api: Client) -> str:
    return api.running.cloud.tokens.account_id


def upload(sdk: Cloudflare, account_id: str, name: str, code: str = CODE, text: str = "one") -> None:
    made = sdk.workers.scripts.update(
        name,
        account_id=account_id,
        metadata={
            "main_module": "worker.js",
            "compatibility_date": "2025-06-01",
            "bindings": [{"type": "plain_text", "name": "VAR", "text": text}],
        },
        files=[("worker.js", code.encode(), ESM)],
    )
    assert made is not None
    assert (made.id, made.handlers, made.has_modules) == (name, ["fetch"], True)


def test_scripts_are_uploaded_read_and_listed(api: Client, sdk: Cloudflare, account_id: str) -> None:
    upload(sdk, account_id, "sdk")
    subdomain = sdk.workers.scripts.subdomain.create("sdk", account_id=account_id, enabled=True)
    assert subdomain is not None
    assert subdomain.enabled
    assert api.get("sdk.oracle.workers.localhost").text == "sdk one"
    settings = sdk.workers.scripts.script_and_version_settings.get("sdk", account_id=account_id)
    assert settings is not None
    assert [(b.name, b.type) for b in settings.bindings or []] == [("VAR", "plain_text")]
    assert sdk.workers.scripts.content.get("sdk", account_id=account_id).read().decode() == CODE
    assert "sdk" in [script.id for script in sdk.workers.scripts.list(account_id=account_id)]


def test_secrets_versions_and_rollbacks_work(api: Client, sdk: Cloudflare, account_id: str) -> None:
    scripts = sdk.workers.scripts
    upload(sdk, account_id, "sdk2")
    scripts.subdomain.create("sdk2", account_id=account_id, enabled=True)
    scripts.secrets.update("sdk2", account_id=account_id, name="KEY", text="hidden", type="secret_text")
    assert [secret.name for secret in scripts.secrets.list("sdk2", account_id=account_id)] == ["KEY"]
    assert api.get("sdk2.oracle.workers.localhost").text == "sdk hidden"
    versions = [version.id for version in scripts.versions.list("sdk2", account_id=account_id)]
    assert len(versions) == 2
    assert versions[1]
    made = scripts.deployments.create(
        "sdk2", account_id=account_id, strategy="percentage", force=True,
        versions=[{"version_id": versions[1], "percentage": 100}],
    )  # fmt: skip
    assert made is not None
    assert made.versions[0].version_id == versions[1]
    assert api.get("sdk2.oracle.workers.localhost").text == "sdk one"


def test_assets_are_uploaded_and_served(api: Client, sdk: Cloudflare, account_id: str) -> None:
    page = b"<h1>from the sdk</h1>"
    manifest = {"/index.html": {"hash": asset_hash(page), "size": len(page)}}
    session = sdk.workers.scripts.assets.upload.create("sdk3", account_id=account_id, manifest=manifest)  # type: ignore[arg-type]
    assert session is not None
    assert session.buckets == [[asset_hash(page)]]
    body = {asset_hash(page): base64.b64encode(page).decode()}
    headers = {"Authorization": f"Bearer {session.jwt}"}
    done = sdk.workers.assets.upload.create(account_id=account_id, base64=True, body=body, extra_headers=headers)
    assert done is not None
    assert done.jwt
    metadata = {"main_module": "worker.js", "assets": {"jwt": done.jwt}, "compatibility_date": "2025-06-01"}
    files = [("worker.js", CODE.encode(), ESM)]
    sdk.workers.scripts.update("sdk3", account_id=account_id, metadata=metadata, files=files)  # type: ignore[arg-type]
    sdk.workers.scripts.subdomain.create("sdk3", account_id=account_id, enabled=True)
    assert api.get("sdk3.oracle.workers.localhost").content == page


def test_domains_and_zones_are_managed(api: Client, sdk: Cloudflare, account_id: str) -> None:
    upload(sdk, account_id, "sdk4", text="domain")
    [zone] = list(sdk.zones.list(name="oraclenet.localhost"))
    domain = sdk.workers.domains.update(
        account_id=account_id, hostname="sdk.oraclenet.localhost", service="sdk4", zone_id=zone.id
    )
    assert domain is not None
    assert (domain.zone_name, api.get("sdk.oraclenet.localhost").text) == ("oraclenet.localhost", "sdk domain")
    sdk.workers.domains.delete(str(domain.id), account_id=account_id)
    assert [entry.id for entry in sdk.workers.domains.list(account_id=account_id)] == []


def test_errors_are_raised_as_exceptions_of_the_sdk(sdk: Cloudflare, account_id: str) -> None:
    from cloudflare import APIStatusError, BadRequestError, NotFoundError

    with pytest.raises(NotFoundError) as missing:
        sdk.workers.scripts.script_and_version_settings.get("none", account_id=account_id)
    assert missing.value.errors[0].code == 10007
    with pytest.raises(BadRequestError) as broken:
        upload(sdk, account_id, "broken", code="nope();")
    assert broken.value.errors[0].code == 10021
    other = sdk.with_options(api_token="x" * 40)
    with pytest.raises(APIStatusError) as refused:
        other.workers.scripts.list(account_id=account_id)
    assert refused.value.status_code == 403
