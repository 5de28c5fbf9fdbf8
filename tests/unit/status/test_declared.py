"""The values that are read from a state; secrets are decrypted when possible and never shown."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cli.engine.pulumi import Engine
from cli.status.declared import Bound, Undeclared, of, read
from errors import Fix
from tests.unit.status import scene


def test_the_state_has_every_value_that_status_needs() -> None:
    found = scene.declared()
    assert found.outputs.backend_app == "jellyfish-app"
    assert found.password == scene.PASSWORD
    assert found.password_since == scene.MADE
    assert set(found.workers) == {"api", "web", "universe"}
    api = found.workers["api"]
    assert (api.script, api.etag, api.modified) == ("oracle-universe-api", "etag-api", scene.MADE)
    assert api.bindings is not None
    assert api.bindings["BACKEND"] == Bound(type="plain_text", text="jellyfish-app")
    assert api.bindings["PB_ADMIN_PASSWORD"] == Bound(type="secret_text", text=None)
    assert found.app is not None
    assert (found.app.http_port, found.app.secrets) == (8090, ("PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD"))
    assert found.operator == scene.OPERATOR_PASSWORD


def test_values_written_by_a_refresh_are_ignored() -> None:
    """A manual upload and a manual variable are in the state after a refused update."""
    script = {"scriptName": "oracle-net", "modifiedOn": scene.LATER, "etag": "by-hand", "bindings": scene.secret([])}
    envs = scene.secret([{"key": "DEBUG", "value": "1"}])
    found = of(
        "local",
        {
            "resources": [
                *scene.resources(),
                {"type": "cloudflare:index/workersScript:WorkersScript", "urn": "a::web-script", "outputs": script},
                {"type": "digitalocean:index/app:App", "urn": "a::backend-app", "outputs": {"spec": {"envs": envs}}},
            ]
        },
    )
    assert found == scene.declared()


def test_a_replaced_app_that_is_still_there_is_undeleted() -> None:
    app = {"type": "digitalocean:index/app:App", "urn": "a::backend-app", "inputs": {"spec": {"name": "old-app"}}}
    assert of("local", {"resources": [*scene.resources(), {**app, "delete": True}]}).undeleted == ("old-app",)
    assert of("local", {"resources": [*scene.resources(), app]}).undeleted == ()


def test_secrets_are_not_in_the_repr() -> None:
    assert scene.PASSWORD not in repr(scene.declared())
    assert scene.OPERATOR_PASSWORD not in repr(scene.declared())


def test_a_state_that_cannot_be_decrypted_gives_its_other_values() -> None:
    sealed = json.loads(json.dumps(scene.resources()).replace('"plaintext"', '"ciphertext"'))
    found = of("local", {"resources": sealed}, "the passphrase is wrong")
    assert (found.password, found.operator, found.app) == (None, None, None)
    assert found.outputs.api_url == scene.API


def test_an_empty_state_means_that_the_stack_is_not_deployed() -> None:
    with pytest.raises(Undeclared, match="The stack local is not deployed") as caught:
        of("local", {})
    assert caught.value.helps == ()


def _engine(tmp_path: Path, script: str) -> Engine:
    """An engine whose `pulumi` is this shell script."""
    program = tmp_path / "pulumi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    stack = SimpleNamespace(name="local", project=tmp_path)
    return cast(Engine, SimpleNamespace(stack=stack, environment={"PATH": f"{tmp_path}:/usr/bin:/bin"}))


@pytest.mark.parametrize(
    "said, problem, fix",
    [
        ("error: no stack named 'local' found", "The stack local is not deployed.", None),
        (
            "error: PULUMI_ACCESS_TOKEN must be set for login",
            "You are not logged in to a state backend.",
            "pulumi login",
        ),
        (
            "error: something new",
            "The state of local cannot be read (something new).",
            "pulumi stack export --stack local",
        ),
    ],
)
def test_an_unreadable_state_is_reported_with_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, problem: str, fix: str | None
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(Undeclared) as caught:
        read(_engine(tmp_path, f'echo "{said}" >&2; exit 255'), 10)
    assert caught.value.problem == problem
    assert caught.value.helps == ((Fix(fix),) if fix else ())


def test_a_wrong_passphrase_hides_only_the_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    sealed = json.dumps({"deployment": {"resources": scene.resources()}}).replace('"plaintext"', '"ciphertext"')
    (tmp_path / "state.json").write_text(sealed)
    engine = _engine(
        tmp_path,
        'case "$*" in *show-secrets*) echo "failed to decrypt: wrong" >&2; exit 1;; esac; cat state.json',
    )
    found = read(engine, 10)
    assert found.sealed == "The passphrase in the environment does not open the stack's secrets"
    assert found.password is None


def test_a_hanging_state_backend_is_given_up_after_the_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(Undeclared, match="did not answer within"):
        read(_engine(tmp_path, "exec sleep 30"), 0.2)


def test_resources_pending_deletion_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    old: dict[str, Any] = {**scene.script("api"), "delete": True}
    old["outputs"] = {**old["outputs"], "etag": "old"}
    (tmp_path / "state.json").write_text(json.dumps({"deployment": {"resources": [*scene.resources(), old]}}))
    assert read(_engine(tmp_path, "cat state.json"), 10).workers["api"].etag == "etag-api"
