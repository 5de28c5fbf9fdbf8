"""What must not be seen."""

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
def test_a_known_secret_is_masked_in_every_form(form: str) -> None:
    assert Mask([PASSWORD])(f"login as {form}!") == f"login as {MASK}!"


def test_a_secret_that_begins_with_another_is_masked_whole() -> None:
    assert Mask(["secret", "secret-and-more"])("secret-and-more") == MASK


def test_what_is_too_short_would_mask_words() -> None:
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
def test_what_looks_like_a_credential_is_masked(text: str, shown: str) -> None:
    assert Mask([])(text) == shown


@pytest.mark.parametrize(
    "text", ["GET https://a.example/keys?page=2 200 ok", "basic tests passed", "the token is gone"]
)
def test_ordinary_text_stays(text: str) -> None:
    assert Mask([PASSWORD])(text) == text


def test_the_states_secrets_without_what_is_public_and_without_names() -> None:
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
