"""The client of a registry: digests, logins, refusals, and the hosts that get a login."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from artifacts.images.errors import ImageError
from artifacts.images.registry import Registry, registry_of
from settings import ImageSettings
from tests.support.errors import raises_text
from tests.support.scripted import BROKEN, Reply, Scripted, scripted

DIGEST = f"sha256:{'a' * 64}"
AT = "/v2/team/app/manifests/inputs-1"
THERE = Reply("", headers={"docker-content-digest": DIGEST})
BASIC = f"Basic {base64.b64encode(b'ada:planted-password').decode()}"


@pytest.fixture
def logged_in(tmp_path: Path) -> dict[str, str]:
    """An environment whose docker has a login for every registry of these tests."""
    return {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}


def opened(at: Scripted, environment: dict[str, str], login: bool = False) -> Registry:
    host = at.address.removeprefix("http://")
    if login:
        auths = {host: {"auth": BASIC.removeprefix("Basic ")}}
        (Path(environment["DOCKER_CONFIG"]) / "config.json").write_text(json.dumps({"auths": auths}))
    image = ImageSettings.model_validate({"host": host, "registry": "team", "repository": "app", "digest": DIGEST})
    return registry_of(image, "http://127.0.0.1:9", environment)


def test_the_digest_of_a_tag_is_read(logged_in: dict[str, str]) -> None:
    with scripted({AT: [THERE]}) as at:
        assert opened(at, logged_in).digest("inputs-1") == DIGEST
        assert opened(at, logged_in).digest("inputs-2") is None
    assert "application/vnd.oci.image.manifest.v1+json" in at.headers[0]["accept"]
    assert "authorization" not in at.headers[0]


def test_basic_authentication_is_used_when_asked_for(logged_in: dict[str, str]) -> None:
    with scripted({AT: [Reply("", 401, headers={"www-authenticate": 'Basic realm="x"'}), THERE]}) as at:
        assert opened(at, logged_in, login=True).digest("inputs-1") == DIGEST
    assert [each.get("authorization") for each in at.headers] == [None, BASIC]


def test_a_token_is_fetched_from_the_address_in_the_challenge(logged_in: dict[str, str]) -> None:
    with scripted({"/token": [Reply({"token": "short-lived"})]}) as tokens:
        challenge = f'Bearer realm="{tokens.address}/token",service="registry",scope="ignored"'
        with scripted({AT: [Reply("", 401, headers={"www-authenticate": challenge}), THERE]}) as at:
            registry = opened(at, logged_in, login=True)
            assert registry.digest("inputs-1") == DIGEST
            assert registry.digest("inputs-1") == DIGEST
    assert [each.get("authorization") for each in at.headers] == [None, "Bearer short-lived", "Bearer short-lived"]
    assert tokens.asked == ["GET /token?service=registry&scope=repository%3Ateam%2Fapp%3Apull"]
    assert tokens.headers[0]["authorization"] == BASIC


@pytest.mark.parametrize("realm", ["http://tokens.example/token", "ftp://127.0.0.1/token", "nonsense", ""])
def test_a_login_is_not_sent_to_an_unsafe_address(logged_in: dict[str, str], realm: str) -> None:
    challenge = {"www-authenticate": f'Bearer realm="{realm}"'}
    sentence = r"may not be read with the login on this machine\. Fix: run `docker login 127\."
    with scripted({AT: [Reply("", 401, headers=challenge)]}) as at, raises_text(ImageError, sentence):
        opened(at, logged_in, login=True).digest("inputs-1")
    assert len(at.asked) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_is_a_sentence_without_the_login(logged_in: dict[str, str], status: int) -> None:
    challenge = {"www-authenticate": 'Basic realm="x"'}
    answers = {AT: [Reply("", 401, headers=challenge), Reply("", status, headers=challenge)]}
    sentence = "may not be read with the login on this machine"
    with scripted(answers) as at, pytest.raises(ImageError, match=sentence) as caught:
        opened(at, logged_in, login=True).digest("inputs-1")
    assert "planted-password" not in str(caught.value)


@pytest.mark.parametrize(
    "reply, sentence",
    [
        (Reply("", 500), r"failed at a request for team/app \(status 500\)\. Fix: wait a minute, then run"),
        (Reply("", 302, headers={"location": "https://elsewhere.example"}), r"failed at a request .*status 302"),
        (Reply("a page", 200), r"returned no digest for inputs-1 \(status 200\)\. Fix: run `curl -sSI http"),
        (BROKEN, r"does not answer \(.*\)\. Fix: run `curl -sSI http"),
    ],
)
def test_an_unexpected_answer_is_one_sentence(logged_in: dict[str, str], reply: Reply, sentence: str) -> None:
    with scripted({AT: [reply]}) as at, raises_text(ImageError, sentence):
        opened(at, logged_in).digest("inputs-1")


def test_the_registry_is_derived_from_the_settings(tmp_path: Path) -> None:
    def named(**image: str) -> str:
        read = ImageSettings.model_validate({"repository": "app", "digest": DIGEST, **image})
        return registry_of(read, "http://127.0.0.1:9", {"HOME": str(tmp_path)}).repository.address

    assert named(registry="acme") == "https://registry.digitalocean.com/v2/acme/app"
    assert named(registryType="GHCR", registry="team") == "https://ghcr.io/v2/team/app"
    assert named(registryType="DOCKER_HUB", registry="team") == "https://registry-1.docker.io/v2/team/app"
    assert named(host="localhost:5000") == "http://localhost:5000/v2/app"


def test_the_registry_of_the_account_is_used_without_a_name(tmp_path: Path) -> None:
    read = ImageSettings.model_validate({"repository": "app", "digest": DIGEST})
    with scripted({"/v2/registries": [Reply({"registries": [{"name": "acme"}]})]}) as api:
        environment = {"HOME": str(tmp_path), "DIGITALOCEAN_TOKEN": "dop_v1_token"}
        assert str(registry_of(read, api.address, environment).repository) == "registry.digitalocean.com/acme/app"
    assert read.declared_registry is None
