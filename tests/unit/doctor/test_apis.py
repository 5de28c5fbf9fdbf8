"""Each thing that a cloud may have against a token, told by a server that answers so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.doctor import Finding, apis
from cli.engine.workspace import PROJECT, Stack
from tests.unit.doctor.fake import OWN, SCRIPTS, TOKEN, VERIFY, ZONE, Fake, served, stack

DOMAIN = {"hostname": "api.oraclenet.org", "zoneId": ZONE}
ENVIRONMENT = {"DIGITALOCEAN_TOKEN": TOKEN, "CLOUDFLARE_API_TOKEN": TOKEN}


@pytest.fixture
def fake() -> Iterator[Fake]:
    with served(Fake()) as running:
        yield running


RENEW = f"Make another token at {apis.PAGES['cloudflare']} and put it into .envrc"


class Elsewhere(Stack):
    """A stack that is not on the local cloud, though its clouds are on loopback for once."""

    @property
    def on_local_cloud(self) -> bool:
        return False


def digitalocean(folder: Path, fake: Fake, environment: dict[str, str] = ENVIRONMENT, **values: Any) -> list[Finding]:
    found = stack(folder, fake.address, **values)
    return list(apis.digitalocean(Elsewhere("local", folder), found.settings(), environment, "direnv allow"))


def cloudflare(folder: Path, fake: Fake, environment: dict[str, str] = ENVIRONMENT, **values: Any) -> list[Finding]:
    api = {"script": "api", "path": "services/api", "entry": "a.js", "compatibilityDate": "2025-06-01"}
    found = stack(folder, fake.address, workers={"api": {**api, "domain": DOMAIN}}, **values)
    return list(apis.cloudflare(Elsewhere("local", folder), found.settings(), environment, "direnv allow"))


def worst(findings: list[Finding]) -> list[tuple[str, str]]:
    """What is not well."""
    return [(finding.level, finding.what) for finding in findings if finding.level != "ok"]


def test_all_is_well(tmp_path: Path, fake: Fake) -> None:
    found = digitalocean(tmp_path, fake) + cloudflare(tmp_path, fake)
    assert {finding.level for finding in found} == {"ok"}
    told = " ".join(finding.what for finding in found)
    for part in ("account ada@example.org", "may read: app, uptime (", "does not expire", "zone of api.oraclenet.org"):
        assert part in told
    assert [finding.what for finding in found if finding.check == "clock"] == [
        "agrees with digitalocean's",
        "agrees with cloudflare's",
    ]


def test_a_token_that_is_not_set_costs_no_request(tmp_path: Path, fake: Fake) -> None:
    found = digitalocean(tmp_path, fake, {}) + cloudflare(tmp_path, fake, {"CLOUDFLARE_API_TOKEN": ""})
    assert worst(found) == [
        ("fail", "DIGITALOCEAN_TOKEN is not set; set it in .envrc"),
        ("fail", "CLOUDFLARE_API_TOKEN is not set; set it in .envrc"),
    ]
    assert {finding.remedy for finding in found} == {"direnv allow"}
    assert not fake.asked


def test_the_other_name_of_digitaloceans_token_counts(tmp_path: Path, fake: Fake) -> None:
    found = digitalocean(tmp_path, fake, {"DIGITALOCEAN_ACCESS_TOKEN": TOKEN})
    assert not worst(found)
    assert "DIGITALOCEAN_ACCESS_TOKEN is accepted" in found[0].what


def test_refused_tokens_are_not_blamed_on_anything_else(tmp_path: Path, fake: Fake) -> None:
    wrong = {"DIGITALOCEAN_TOKEN": "mistyped", "CLOUDFLARE_API_TOKEN": "mistyped"}
    for found in (digitalocean(tmp_path, fake, wrong), cloudflare(tmp_path, fake, wrong)):
        ((level, what),) = worst(found)
        assert level == "fail"
        assert "is refused (revoked, expired or mistyped)" in what
        assert found[0].remedy == "direnv allow"
        assert re.search(r"Make another token at https://\S+ and put it into \.envrc$", what)
    assert SCRIPTS not in fake.asked


def test_scopes_that_are_lacking_are_named(tmp_path: Path, fake: Fake) -> None:
    fake.answers |= {"/v2/account": (403, {}), "/v2/uptime/checks": (403, {})}
    ((level, what),) = worst(digitalocean(tmp_path, fake))
    assert level == "fail"
    assert what.startswith("DIGITALOCEAN_TOKEN may not read: uptime. It needs app and uptime")


def test_a_registry_is_asked_for_when_the_image_is_in_it(tmp_path: Path, fake: Fake) -> None:
    image = {"repository": "backend", "digest": "sha256:" + "0" * 64}
    backend = {"appName": "app", "service": "backend", "image": image}
    assert not worst(digitalocean(tmp_path, fake, backend=backend))
    fake.answers["/v2/registry"] = (404, {})
    assert worst(digitalocean(tmp_path, fake, backend=backend)) == [("fail", "the account has no container registry")]


@pytest.mark.parametrize("status, level", [("warning", "warn"), ("locked", "fail")])
def test_an_account_that_is_not_active(tmp_path: Path, fake: Fake, status: str, level: str) -> None:
    fake.answers["/v2/account"] = (200, {"account": {"status": status, "status_message": "pay the bill"}})
    assert worst(digitalocean(tmp_path, fake)) == [
        (level, f"the account is {status}: pay the bill. See https://cloud.digitalocean.com")
    ]


def test_an_accounts_own_token_is_verified_there(tmp_path: Path, fake: Fake) -> None:
    fake.answers |= {VERIFY: (401, {}), OWN: (200, {"result": {"status": "active"}})}
    assert not worst(cloudflare(tmp_path, fake))


@pytest.mark.parametrize("state", ["disabled", "expired"])
def test_a_token_that_no_longer_counts(tmp_path: Path, fake: Fake, state: str) -> None:
    fake.answers[VERIFY] = (200, {"result": {"status": state}})
    assert worst(cloudflare(tmp_path, fake)) == [("fail", f"CLOUDFLARE_API_TOKEN is refused ({state}). {RENEW}")]


@pytest.mark.parametrize("days, level", [(3, "warn"), (100, "ok")])
def test_a_token_that_ends_soon(tmp_path: Path, fake: Fake, days: int, level: str) -> None:
    until = datetime.now(UTC) + timedelta(days=days)
    fake.answers[VERIFY] = (200, {"result": {"status": "active", "expires_on": f"{until:%Y-%m-%dT%H:%M:%SZ}"}})
    found = cloudflare(tmp_path, fake)
    assert found[0].level == level
    assert f"{until:%Y-%m-%d}" in found[0].what


def test_an_account_that_the_token_may_not_read(tmp_path: Path, fake: Fake) -> None:
    fake.answers[SCRIPTS] = (403, {"errors": [{"code": 10000, "message": "Authentication error"}]})
    ((level, what),) = worst(cloudflare(tmp_path, fake))
    assert level == "fail"
    assert what.startswith("CLOUDFLARE_API_TOKEN may not read the Workers of account 0ac1e0…; it needs Workers Scripts")


def test_a_zone_that_is_not_there(tmp_path: Path, fake: Fake) -> None:
    del fake.answers[f"/client/v4/zones/{ZONE}"]
    ((level, what),) = worst(cloudflare(tmp_path, fake))
    assert level == "fail"
    assert what == (
        f"CLOUDFLARE_API_TOKEN does not see the zone 111111… of api.oraclenet.org. {RENEW}. Or correct its zoneId, "
        "which `pulumi config --stack local` shows"
    )


def test_an_address_of_the_workers_that_is_not_the_accounts(tmp_path: Path, fake: Fake) -> None:
    account = stack(tmp_path, fake.address).settings().account_id
    fake.answers[f"/client/v4/accounts/{account}/workers/subdomain"] = (200, {"result": {"subdomain": "jellyfish"}})
    right = "https://{script}.jellyfish.workers.dev"
    other = cloudflare(tmp_path, fake, workersUrl="https://{script}.other.workers.dev")
    [found] = [finding for finding in other if finding.level != "ok"]
    assert found.what.endswith(f"and the account's Workers are at {right}")
    assert found.remedy == f"pulumi config set oracle-net:workersUrl '{right}' --stack local"
    assert worst(cloudflare(tmp_path, fake, workersUrl=right)) == []
    assert worst(cloudflare(tmp_path, fake)) == [], "a local cloud's addresses are nobody else's affair"


def test_an_api_that_fails_is_not_the_tokens_fault(tmp_path: Path, fake: Fake) -> None:
    fake.answers |= {"/v2/account": (503, {}), "/v2/apps": (503, {}), "/v2/uptime/checks": (503, {}), VERIFY: (500, {})}
    found = digitalocean(tmp_path, fake) + cloudflare(tmp_path, fake)
    assert {finding.level for finding in found if finding.check != "clock"} == {"warn"}
    assert not [finding for finding in found if "refused" in finding.what]


@pytest.mark.parametrize(
    "ahead, level, told",
    [(0, "ok", "agrees"), (10, "ok", "agrees"), (90, "warn", "90 s behind"), (-2000, "fail", "2000 s ahead of")],
)
def test_the_clock(tmp_path: Path, fake: Fake, ahead: float, level: str, told: str) -> None:
    fake.clock = ahead
    clock = digitalocean(tmp_path, fake)[-1]
    assert (clock.check, clock.level) == ("clock", level)
    assert told in clock.what.replace("91 s", "90 s").replace("89 s", "90 s").replace("1999 s", "2000 s")


def test_nobody_answers(tmp_path: Path, fake: Fake) -> None:
    nobody = Fake(address="http://127.0.0.1:1")
    found = digitalocean(tmp_path, nobody) + cloudflare(tmp_path, nobody)
    assert [finding.level for finding in found] == ["fail", "fail"]
    assert all("does not answer (ConnectError)" in finding.what for finding in found)
    assert all(finding.remedy.startswith("curl ") for finding in found)


def test_an_api_that_hangs_is_waited_for_only_so_long(
    tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.hangs = True
    monkeypatch.setattr(apis, "SECONDS", 0.2)
    (found,) = digitalocean(tmp_path, fake)
    assert found.what.endswith("does not answer (nothing within 0.2 s)")


def test_a_token_that_cannot_be_sent_is_never_shown(tmp_path: Path, fake: Fake) -> None:
    broken = {"DIGITALOCEAN_TOKEN": f"{TOKEN}\n", "CLOUDFLARE_API_TOKEN": f"{TOKEN}é"}
    found = digitalocean(tmp_path, fake, broken) + cloudflare(tmp_path, fake, broken)
    assert "fail" in {finding.level for finding in found}
    assert TOKEN not in str(found)


def test_what_the_tokens_need_is_what_the_example_says() -> None:
    example = (PROJECT / ".envrc.example").read_text()
    assert apis.PERMISSIONS in example


@pytest.mark.parametrize("body", [[], "text", 5, None])
def test_what_is_not_the_apis_own_is_no_good_news(tmp_path: Path, fake: Fake, body: Any) -> None:
    """A proxy's page with status 200 says nothing of a token."""
    fake.answers |= {"/v2/account": (200, body), VERIFY: (200, body), OWN: (200, body)}
    for found in (digitalocean(tmp_path, fake), cloudflare(tmp_path, fake)):
        ((level, what),) = worst(found)
        assert level == "fail"
        assert re.search(r"does not answer \([\w/]+ came instead of JSON\)$", what)


@pytest.mark.parametrize("account", [[], "text", 5])
def test_parts_of_another_form_are_survived(tmp_path: Path, fake: Fake, account: Any) -> None:
    fake.answers |= {"/v2/account": (200, {"account": account}), VERIFY: (200, {"result": account})}
    assert "accepted, account ?" in digitalocean(tmp_path, fake)[0].what
    assert ("fail", f"CLOUDFLARE_API_TOKEN is refused (revoked, expired or mistyped). {RENEW}") in worst(
        cloudflare(tmp_path, fake)
    )


def test_what_cannot_be_a_token_is_not_sent(tmp_path: Path, fake: Fake) -> None:
    broken = {"DIGITALOCEAN_TOKEN": f"{TOKEN}\r", "CLOUDFLARE_API_TOKEN": f"{TOKEN}\n"}
    found = digitalocean(tmp_path, fake, broken) + cloudflare(tmp_path, fake, broken)
    assert [what.partition(". ")[0] for _, what in worst(found)] == [
        f"{name} is refused (revoked, expired or mistyped)" for name in ("DIGITALOCEAN_TOKEN", "CLOUDFLARE_API_TOKEN")
    ]
    assert not fake.asked
