"""The check of the clouds' tokens reports each possible problem; a fake server gives the answers."""

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


def test_a_healthy_account_has_only_ok_findings(tmp_path: Path, fake: Fake) -> None:
    found = digitalocean(tmp_path, fake) + cloudflare(tmp_path, fake)
    assert {finding.level for finding in found} == {"ok"}
    told = " ".join(finding.what for finding in found)
    for part in ("account ada@example.org", "may read: app, uptime (", "does not expire", "zone of api.oraclenet.org"):
        assert part in told
    assert [finding.what for finding in found if finding.check == "clock"] == [
        "agrees with digitalocean's",
        "agrees with cloudflare's",
    ]


def test_a_missing_token_causes_no_request(tmp_path: Path, fake: Fake) -> None:
    found = digitalocean(tmp_path, fake, {}) + cloudflare(tmp_path, fake, {"CLOUDFLARE_API_TOKEN": ""})
    assert worst(found) == [
        ("fail", "DIGITALOCEAN_TOKEN is not set; set it in .envrc"),
        ("fail", "CLOUDFLARE_API_TOKEN is not set; set it in .envrc"),
    ]
    assert {finding.remedy for finding in found} == {"direnv allow"}
    assert not fake.asked


def test_the_alternative_name_of_the_digitalocean_token_is_accepted(tmp_path: Path, fake: Fake) -> None:
    found = digitalocean(tmp_path, fake, {"DIGITALOCEAN_ACCESS_TOKEN": TOKEN})
    assert not worst(found)
    assert "DIGITALOCEAN_ACCESS_TOKEN is accepted" in found[0].what


def test_a_refused_token_causes_only_one_finding(tmp_path: Path, fake: Fake) -> None:
    wrong = {"DIGITALOCEAN_TOKEN": "mistyped", "CLOUDFLARE_API_TOKEN": "mistyped"}
    for found in (digitalocean(tmp_path, fake, wrong), cloudflare(tmp_path, fake, wrong)):
        ((level, what),) = worst(found)
        assert level == "fail"
        assert "is refused (revoked, expired or mistyped)" in what
        assert found[0].remedy == "direnv allow"
        assert re.search(r"Make another token at https://\S+ and put it into \.envrc$", what)
    assert SCRIPTS not in fake.asked


def test_missing_scopes_are_named(tmp_path: Path, fake: Fake) -> None:
    fake.answers |= {"/v2/account": (403, {}), "/v2/uptime/checks": (403, {})}
    ((level, what),) = worst(digitalocean(tmp_path, fake))
    assert level == "fail"
    assert what.startswith("DIGITALOCEAN_TOKEN may not read: uptime. It needs app and uptime")


def test_the_registry_is_checked_when_the_image_is_in_it(tmp_path: Path, fake: Fake) -> None:
    image = {"repository": "backend", "digest": "sha256:" + "0" * 64}
    backend = {"appName": "app", "service": "backend", "image": image}
    assert not worst(digitalocean(tmp_path, fake, backend=backend))
    fake.answers["/v2/registry"] = (404, {})
    assert worst(digitalocean(tmp_path, fake, backend=backend)) == [("fail", "the account has no container registry")]


@pytest.mark.parametrize("status, level", [("warning", "warn"), ("locked", "fail")])
def test_an_inactive_account_is_reported(tmp_path: Path, fake: Fake, status: str, level: str) -> None:
    fake.answers["/v2/account"] = (200, {"account": {"status": status, "status_message": "pay the bill"}})
    assert worst(digitalocean(tmp_path, fake)) == [
        (level, f"the account is {status}: pay the bill. See https://cloud.digitalocean.com")
    ]


def test_a_token_owned_by_the_account_is_verified_at_the_account(tmp_path: Path, fake: Fake) -> None:
    fake.answers |= {VERIFY: (401, {}), OWN: (200, {"result": {"status": "active"}})}
    assert not worst(cloudflare(tmp_path, fake))


@pytest.mark.parametrize("state", ["disabled", "expired"])
def test_a_disabled_or_expired_token_is_reported(tmp_path: Path, fake: Fake, state: str) -> None:
    fake.answers[VERIFY] = (200, {"result": {"status": state}})
    assert worst(cloudflare(tmp_path, fake)) == [("fail", f"CLOUDFLARE_API_TOKEN is refused ({state}). {RENEW}")]


@pytest.mark.parametrize("days, level", [(3, "warn"), (100, "ok")])
def test_a_token_that_expires_soon_is_a_warning(tmp_path: Path, fake: Fake, days: int, level: str) -> None:
    until = datetime.now(UTC) + timedelta(days=days)
    fake.answers[VERIFY] = (200, {"result": {"status": "active", "expires_on": f"{until:%Y-%m-%dT%H:%M:%SZ}"}})
    found = cloudflare(tmp_path, fake)
    assert found[0].level == level
    assert f"{until:%Y-%m-%d}" in found[0].what


def test_an_account_that_the_token_cannot_read_is_reported(tmp_path: Path, fake: Fake) -> None:
    fake.answers[SCRIPTS] = (403, {"errors": [{"code": 10000, "message": "Authentication error"}]})
    ((level, what),) = worst(cloudflare(tmp_path, fake))
    assert level == "fail"
    assert what.startswith("CLOUDFLARE_API_TOKEN may not read the Workers of account 0ac1e0…; it needs Workers Scripts")


def test_a_missing_zone_is_reported(tmp_path: Path, fake: Fake) -> None:
    del fake.answers[f"/client/v4/zones/{ZONE}"]
    ((level, what),) = worst(cloudflare(tmp_path, fake))
    assert level == "fail"
    assert what == (
        f"CLOUDFLARE_API_TOKEN does not see the zone 111111… of api.oraclenet.org. {RENEW}. Or correct its zoneId, "
        "which `pulumi config --stack local` shows"
    )


def test_a_workers_url_of_another_account_is_reported(tmp_path: Path, fake: Fake) -> None:
    account = stack(tmp_path, fake.address).settings().account_id
    fake.answers[f"/client/v4/accounts/{account}/workers/subdomain"] = (200, {"result": {"subdomain": "jellyfish"}})
    right = "https://{script}.jellyfish.workers.dev"
    other = cloudflare(tmp_path, fake, workersUrl="https://{script}.other.workers.dev")
    [found] = [finding for finding in other if finding.level != "ok"]
    assert found.what.endswith(f"and the account's Workers are at {right}")
    assert found.remedy == f"pulumi config set oracle-net:workersUrl '{right}' --stack local"
    assert worst(cloudflare(tmp_path, fake, workersUrl=right)) == []
    assert worst(cloudflare(tmp_path, fake)) == [], "a local cloud's addresses are nobody else's affair"


def test_an_api_failure_does_not_blame_the_token(tmp_path: Path, fake: Fake) -> None:
    fake.answers |= {"/v2/account": (503, {}), "/v2/apps": (503, {}), "/v2/uptime/checks": (503, {}), VERIFY: (500, {})}
    found = digitalocean(tmp_path, fake) + cloudflare(tmp_path, fake)
    assert {finding.level for finding in found if finding.check != "clock"} == {"warn"}
    assert not [finding for finding in found if "refused" in finding.what]


@pytest.mark.parametrize(
    "ahead, level, told",
    [(0, "ok", "agrees"), (10, "ok", "agrees"), (90, "warn", "90 s behind"), (-2000, "fail", "2000 s ahead of")],
)
def test_a_wrong_clock_is_reported(tmp_path: Path, fake: Fake, ahead: float, level: str, told: str) -> None:
    fake.clock = ahead
    clock = digitalocean(tmp_path, fake)[-1]
    assert (clock.check, clock.level) == ("clock", level)
    assert told in clock.what.replace("91 s", "90 s").replace("89 s", "90 s").replace("1999 s", "2000 s")


def test_an_unreachable_api_is_reported(tmp_path: Path, fake: Fake) -> None:
    nobody = Fake(address="http://127.0.0.1:1")
    found = digitalocean(tmp_path, nobody) + cloudflare(tmp_path, nobody)
    assert [finding.level for finding in found] == ["fail", "fail"]
    assert all("does not answer (ConnectError)" in finding.what for finding in found)
    assert all(finding.remedy.startswith("curl ") for finding in found)


def test_a_hanging_api_is_reported_after_the_timeout(
    tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.hangs = True
    monkeypatch.setattr(apis, "SECONDS", 0.2)
    (found,) = digitalocean(tmp_path, fake)
    assert found.what.endswith("does not answer (nothing within 0.2 s)")


def test_a_malformed_token_is_never_shown(tmp_path: Path, fake: Fake) -> None:
    broken = {"DIGITALOCEAN_TOKEN": f"{TOKEN}\n", "CLOUDFLARE_API_TOKEN": f"{TOKEN}é"}
    found = digitalocean(tmp_path, fake, broken) + cloudflare(tmp_path, fake, broken)
    assert "fail" in {finding.level for finding in found}
    assert TOKEN not in str(found)


def test_the_permissions_match_the_envrc_example() -> None:
    example = (PROJECT / ".envrc.example").read_text()
    assert apis.PERMISSIONS in example


@pytest.mark.parametrize("body", [[], "text", 5, None])
def test_an_answer_that_is_not_from_the_api_is_a_failure(tmp_path: Path, fake: Fake, body: Any) -> None:
    """A page of a proxy with status 200 proves nothing about a token."""
    fake.answers |= {"/v2/account": (200, body), VERIFY: (200, body), OWN: (200, body)}
    for found in (digitalocean(tmp_path, fake), cloudflare(tmp_path, fake)):
        ((level, what),) = worst(found)
        assert level == "fail"
        assert re.search(r"does not answer \([\w/]+ came instead of JSON\)$", what)


@pytest.mark.parametrize("account", [[], "text", 5])
def test_unexpected_types_in_an_answer_are_handled(tmp_path: Path, fake: Fake, account: Any) -> None:
    fake.answers |= {"/v2/account": (200, {"account": account}), VERIFY: (200, {"result": account})}
    assert "accepted, account ?" in digitalocean(tmp_path, fake)[0].what
    assert ("fail", f"CLOUDFLARE_API_TOKEN is refused (revoked, expired or mistyped). {RENEW}") in worst(
        cloudflare(tmp_path, fake)
    )


def test_a_token_with_a_line_break_is_not_sent(tmp_path: Path, fake: Fake) -> None:
    broken = {"DIGITALOCEAN_TOKEN": f"{TOKEN}\r", "CLOUDFLARE_API_TOKEN": f"{TOKEN}\n"}
    found = digitalocean(tmp_path, fake, broken) + cloudflare(tmp_path, fake, broken)
    assert [what.partition(". ")[0] for _, what in worst(found)] == [
        f"{name} is refused (revoked, expired or mistyped)" for name in ("DIGITALOCEAN_TOKEN", "CLOUDFLARE_API_TOKEN")
    ]
    assert not fake.asked
