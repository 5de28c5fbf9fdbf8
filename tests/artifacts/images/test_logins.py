"""Logins to registries: those of docker and podman, and DigitalOcean's token; none is shown."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from artifacts.images.digitalocean import Account
from artifacts.images.errors import ImageError
from artifacts.images.logins import Login, Logins
from artifacts.images.repository import Repository
from tests.support.errors import raises_text
from tests.support.scripted import Reply, scripted

GHCR = Repository(host="ghcr.io", path="team/app")
HUB = Repository(host="docker.io", path="team/app")
DOCR = Repository(host="registry.digitalocean.com", path="acme/app")
NOBODY = Account("http://127.0.0.1:9", "")


def encoded(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".docker").mkdir()
    return tmp_path


def logins(home: Path, config: dict[str, Any] | None = None, account: Account = NOBODY, **environment: str) -> Logins:
    if config is not None:
        (home / ".docker/config.json").write_text(json.dumps(config))
    return Logins({"HOME": str(home), "PATH": str(home), **environment}, account)


def helper(home: Path, name: str, answer: dict[str, str], status: int = 0) -> None:
    path = home / f"docker-credential-{name}"
    path.write_text(
        f"#!/bin/sh\nread -r host\necho \"$1 $host\" >> {home}/asked\necho '{json.dumps(answer)}'\nexit {status}\n"
    )
    path.chmod(0o755)


def test_a_docker_login_is_found_and_not_shown(home: Path) -> None:
    found = logins(home, {"auths": {"ghcr.io": {"auth": encoded("ada", "p:w")}}}).of(GHCR, write=False)
    assert found == Login("ada", "p:w")
    assert "p:w" not in repr(found)


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io"])
def test_docker_hub_is_found_under_its_other_names(home: Path, key: str) -> None:
    assert logins(home, {"auths": {key: {"auth": encoded("ada", "pw")}}}).of(HUB, write=False) == Login("ada", "pw")


def test_a_podman_login_for_part_of_the_path_is_found(home: Path) -> None:
    file = home / "auth.json"
    auths = {"ghcr.io": {"auth": encoded("all", "1")}, "ghcr.io/team": {"auth": encoded("team", "2")}}
    file.write_text(json.dumps({"auths": auths}))
    assert logins(home, REGISTRY_AUTH_FILE=str(file)).of(GHCR, write=False) == Login("team", "2")


@pytest.mark.parametrize("config", [{"credsStore": "keys"}, {"credHelpers": {"ghcr.io": "keys"}, "credsStore": "none"}])
def test_a_credential_helper_is_asked_by_standard_input(home: Path, config: dict[str, Any]) -> None:
    helper(home, "keys", {"Username": "ada", "Secret": "pw"})
    assert logins(home, config).of(GHCR, write=False) == Login("ada", "pw")
    assert (home / "asked").read_text().splitlines()[-1].startswith("get ghcr.io")


def test_a_missing_or_failing_helper_and_an_identity_token_give_no_login(home: Path) -> None:
    assert logins(home, {"credsStore": "gone"}).of(GHCR, write=False) is None
    helper(home, "keys", {"message": "credentials not found"}, status=1)
    assert logins(home, {"credsStore": "keys"}).of(GHCR, write=False) is None
    helper(home, "keys", {"Username": "<token>", "Secret": "identity"})
    assert logins(home, {"credsStore": "keys"}).of(GHCR, write=False) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"auths": {"ghcr.io": {"auth": "%%%"}}}', '{"auths": {"ghcr.io": 1}}']
)
def test_a_file_without_a_login_is_ignored(home: Path, text: str) -> None:
    (home / ".docker/config.json").write_text(text)
    assert logins(home).of(GHCR, write=False) is None


def test_the_digitalocean_token_can_read_and_gets_a_login_for_pushes(home: Path) -> None:
    """The login is valid for an hour."""
    answer = {"auths": {"registry.digitalocean.com": {"auth": encoded("made", "made-pw")}}}
    with scripted({"/v2/registries/acme/docker-credentials": [Reply(answer)]}) as api:
        account = Account(api.address, "dop_v1_token")
        assert logins(home, account=account).of(DOCR, write=True) == Login("made", "made-pw")
        assert logins(home, account=account).of(GHCR, write=True) is None
        assert logins(home, account=account).of(DOCR, write=False) == Login("dop_v1_token", "dop_v1_token")
    assert api.asked == ["GET /v2/registries/acme/docker-credentials?read_write=true&expiry_seconds=3600"]


@pytest.mark.parametrize(
    "names, sentence",
    [
        ([], r"has no container registry\. Fix: run `doctl registries create NAME` to create one\."),
        (["a", "b"], r"has several container registries \(a, b\)\. Fix: run `pulumi config set .*image.registry NAME"),
    ],
)
def test_the_account_must_have_exactly_one_registry(names: list[str], sentence: str) -> None:
    answer = Reply({"registries": [{"name": name} for name in names]})
    with scripted({"/v2/registries": [answer]}) as api, raises_text(ImageError, sentence):
        Account(api.address, "dop_v1_token").registry()


def test_a_token_without_registry_scopes_is_refused_with_the_missing_ones() -> None:
    sentence = r"a token with the scope registry:read, and registry:update for pushes; or run `doctl registry login`"
    refusal = {"/v2/registries": [Reply({"message": "forbidden"}, 403)]}
    with scripted(refusal) as api, raises_text(ImageError, sentence) as it:
        Account(api.address, "dop_v1_token").registry()
    assert "dop_v1_token" not in str(it.value)


def test_without_a_token_the_error_says_how_to_log_in() -> None:
    text = r"^DIGITALOCEAN_TOKEN is not set, and there is no login of .*\. Fix: run `doctl registry login`"
    with raises_text(ImageError, text):
        NOBODY.registry()
