"""The masking of secrets in the output."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from cli.status.declared import SIGNATURE
from cli.tail.masking import MASK, Mask, secrets_of

PASSWORD = 'pa"ss wörd/1'


def marked(value: object) -> dict[str, str]:
    return {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(value)}


@pytest.mark.parametrize("form", [PASSWORD, json.dumps(PASSWORD)[1:-1], quote(PASSWORD, safe="")])
def test_a_known_secret_is_masked_in_every_encoding(form: str) -> None:
    assert Mask([PASSWORD])(f"login as {form}!") == f"login as {MASK}!"


def test_a_secret_that_starts_with_another_secret_is_masked_whole() -> None:
    assert Mask(["secret", "secret-and-more"])("secret-and-more") == MASK


def test_a_short_secret_is_not_masked() -> None:
    assert Mask(["post", ""])("post it") == "post it"


@pytest.mark.parametrize(
    "text, shown",
    [
        ("Authorization: Bearer abcdefgh12345=", f"Authorization: Bearer {MASK}"),
        ('{"authorization":"abcdefgh"}', f'{{"authorization":"{MASK}"}}'),
        ("x-api-key: abcdef", f"x-api-key: {MASK}"),
        ("GET /a?page=1&access_token=abc&b=2 200", f"GET /a?page=1&access_token={MASK}&b=2 200"),
        ("Cookie: session=abc; other=def", f"Cookie: {MASK}"),
        (
            "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl here",
            f"token {MASK} here",
        ),
    ],
)
def test_text_that_looks_like_a_credential_is_masked(text: str, shown: str) -> None:
    assert Mask([])(text) == shown


@pytest.mark.parametrize(
    "text", ["GET https://a.example/keys?page=2 200 ok", "basic tests passed", "the token is gone"]
)
def test_ordinary_text_is_not_masked(text: str) -> None:
    assert Mask([PASSWORD])(text) == text


def test_only_secret_values_of_the_state_are_masked() -> None:
    bindings = [
        {"name": "GITHUB_TOKEN", "type": "secret_text", "text": "ghp_1234567"},
        {"name": "RELEASE", "type": "plain_text", "text": "release-of-today"},
    ]
    state = {
        "resources": [
            {"inputs": {"spec": {"envs": [{"key": "A", "value": marked("in-a-list")}]}}, "outputs": {}},
            {
                "outputs": {
                    "password": marked(PASSWORD),
                    "bindings": marked(bindings),
                    "url": marked("https://a.example"),
                }
            },
            {
                "type": "pulumi:pulumi:Stack",
                "outputs": {"api": {"url": "https://a.example"}, "password": marked(PASSWORD)},
            },
        ]
    }
    assert secrets_of(state) == {"in-a-list", PASSWORD, "ghp_1234567"}
