"""The values of a Worker's last upload in the state: only our own uploads are written, never a refresh."""

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
def test_only_declared_or_uploaded_values_are_written(changed: dict[str, Any], writes: bool) -> None:
    kept = DeclaredProvider().create(props()).outs or {}
    assert kept == {key: value for key, value in props().items() if key != "uploaded"}
    assert DeclaredProvider().diff("", kept, props(**changed)).changes is writes


def test_the_scripts_hook_records_an_upload_and_calls_the_next_hook() -> None:
    called, uploads = [], Uploads()

    async def after(args: Any) -> None:
        called.append(args)

    asyncio.run(uploads.noted(after)("arguments"))  # type: ignore[arg-type]
    assert (uploads.seen, called) == (True, ["arguments"])


def test_no_secret_is_in_the_remembered_values() -> None:
    """Of a secret binding only the name; of the app only encrypted values."""
    run = program.run(program.config_of("local"))
    kept = run.one("api-declared").inputs["bindings"]
    assert kept["PB_ADMIN_PASSWORD"] == {"type": "secret_text"}
    assert kept["BACKEND"] == {"type": "plain_text", "text": "jellyfish-app"}
    assert program.hidden(run.one("backend-ready").inputs)["declared"] == "[secret]"
    declared = program.plain(run.one("backend-ready").inputs)["declared"]
    assert {"PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD"} <= set(declared["secrets"])
    assert program.MADE_PASSWORD not in str(declared)
