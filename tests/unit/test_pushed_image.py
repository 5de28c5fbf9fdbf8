"""The push of the backend's image to a store: which store gets the token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from artifacts.contents import ArtifactError, image_digest, pack_image
from cli.engine.workspace import Stack
from cli.main import app
from components.pushed_image import ImageProvider
from errors import Remedy, UserError
from tests.support.errors import refused
from tests.support.scripted import Reply, scripted

TOKEN = "planted-digitalocean-token"


@pytest.mark.parametrize("foreign", [False, True])
def test_the_token_is_sent_only_to_a_store_of_the_same_api(monkeypatch: pytest.MonkeyPatch, foreign: bool) -> None:
    """A stack's file may name any store; DigitalOcean's token is not meant for it."""
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", TOKEN)
    with scripted({"/images/sha256:1": [Reply("", 404)]}) as store, scripted() as api:
        props: dict[str, Any] = {"store": f"{store.address}/images", "digest": "sha256:1"}
        props["endpoint"] = api.address if foreign else f"{store.address}/"
        assert ImageProvider().diff("", props, props).changes
        (headers,) = store.headers
    assert headers.get("authorization") == (None if foreign else f"Bearer {TOKEN}")


def test_an_invalid_token_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", f"{TOKEN}\r")
    with scripted({"/1": [Reply("", 404)]}) as store:
        props = {"store": store.address, "digest": "1", "endpoint": store.address}
        assert ImageProvider().diff("", props, props).changes
        assert "authorization" not in store.headers[0]


def packed(tmp_path: Path, store: str) -> dict[str, Any]:
    """The inputs of an image whose directory holds one file."""
    (tmp_path / "image").mkdir()
    (tmp_path / "image/serve").write_text("#!/bin/sh")
    digest = image_digest(pack_image(tmp_path / "image", ["./serve"]))
    props = {"directory": str(tmp_path / "image"), "run": ["./serve"], "digest": digest, "repository": "pocketbase"}
    return {**props, "store": store, "endpoint": store}


def test_a_store_that_does_not_answer_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^The image store at http://127.0.0.1:9 does not answer") as caught:
        ImageProvider().create(packed(tmp_path, "http://127.0.0.1:9"))
    assert caught.value.helps == (Remedy.START_LOCAL_CLOUD,)


def test_a_refused_image_is_in_the_local_clouds_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with scripted() as store:
        props = packed(tmp_path, store.address)
        store.answers[f"/{props['digest']}"] = [Reply("", 507)]
        with pytest.raises(UserError, match=r"refused pocketbase \(status 507\)\.$") as caught:
            ImageProvider().create(props)
    assert caught.value.helps == (Remedy.READ_LOCAL_CLOUD_LOG,)


def test_an_image_that_cannot_be_packed_names_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    props = {**packed(tmp_path, "http://127.0.0.1:9"), "directory": "nowhere"}
    with pytest.raises(UserError, match=r"^The image of nowhere could not be packed: ") as caught:
        ImageProvider().create(props)
    assert isinstance(caught.value.cause, ArtifactError)


def test_the_image_command_pushes_only_to_the_local_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stack, "config", lambda _, key: "https://api.digitalocean.example")
    with refused(
        rf"^prod is not on the local cloud, to which the image store belongs\. Fix: run `oracle image push {tmp_path} "
        r"--stack local` to push to another stack's local cloud\.$"
    ):
        CliRunner().invoke(app, ["image", "push", str(tmp_path), "--stack", "prod"], catch_exceptions=False)
