"""What is kept of a Worker's last upload: written for what we have uploaded, never for what a refresh has found."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pulumi.runtime import rpc

from components.declared_worker import DeclaredProvider, Uploads
from tests.unit import program

OURS = {"etag": "ours", "modified": "2026-11-22T10:00:00Z"}
THEIRS = {"etag": "theirs", "modified": "2026-11-22T11:00:00Z"}


def props(**changed: Any) -> dict[str, Any]:
    bindings = {"RELEASE": {"type": "plain_text", "text": "1"}}
    return {"script": "oracle-net", "bindings": bindings, **OURS, "uploaded": False, **changed}


@pytest.mark.parametrize(
    "changed, writes",
    [
        ({}, False),
        (THEIRS, False),
        ({**THEIRS, "uploaded": True}, True),
        ({"uploaded": True}, False),
        ({"uploaded": rpc.UNKNOWN, "etag": rpc.UNKNOWN}, True),
        ({"bindings": {}}, True),
        ({"script": "another"}, True),
    ],
    ids=["nothing", "a refresh found another upload", "our upload", "the same", "a preview", "bindings", "script"],
)
def test_only_what_we_declare_or_upload_is_written(changed: dict[str, Any], writes: bool) -> None:
    kept = DeclaredProvider().create(props()).outs or {}
    assert kept == {key: value for key, value in props().items() if key != "uploaded"}
    assert DeclaredProvider().diff("", kept, props(**changed)).changes is writes


def test_an_upload_is_noted_by_the_scripts_hook_and_what_follows_it_is_called() -> None:
    called, uploads = [], Uploads()

    async def after(args: Any) -> None:
        called.append(args)

    asyncio.run(uploads.noted(after)("arguments"))  # type: ignore[arg-type]
    assert (uploads.seen, called) == (True, ["arguments"])


def test_nothing_secret_is_kept() -> None:
    """Of a secret binding the name alone; of the app everything encrypted."""
    run = program.run(program.config_of("local"))
    kept = run.one("api-declared").inputs["bindings"]
    assert kept["PB_ADMIN_PASSWORD"] == {"type": "secret_text"}
    assert kept["BACKEND"] == {"type": "plain_text", "text": "jellyfish-app"}
    assert program.hidden(run.one("backend-ready").inputs)["declared"] == "[secret]"
    declared = program.plain(run.one("backend-ready").inputs)["declared"]
    assert {"PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD"} <= set(declared["secrets"])
    assert program.MADE_PASSWORD not in str(declared)
