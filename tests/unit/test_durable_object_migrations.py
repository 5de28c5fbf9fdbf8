"""Each migration of Durable Objects is sent once: only those behind the tag that the Worker has."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from clients.workers_api import Workers, WorkersApiError
from lifecycle import durable_object_migrations, errors
from settings import Migration

DECLARED = (
    Migration(tag="v1", new_sqlite_classes=("Room",)),
    Migration(tag="v2", new_sqlite_classes=("Door",), deleted_classes=("Room",)),
)


@pytest.fixture
def tag(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Cloudflare tells; an exception is raised."""
    told: dict[str, Any] = {"tag": None}

    def migration_tag(_: Workers, script: str) -> str | None:
        assert script == "oracle-feed"
        if isinstance(told["tag"], Exception):
            raise told["tag"]
        return told["tag"]  # type: ignore[no-any-return]

    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "token")
    monkeypatch.setattr(Workers, "migration_tag", migration_tag)
    monkeypatch.setattr(durable_object_migrations, "cloudflare_endpoint", lambda: "http://127.0.0.1:1")
    return told


def steps(found: Any) -> tuple[Any, ...]:
    return found.old_tag, found.new_tag, [(each.new_sqlite_classes, each.deleted_classes) for each in found.steps]


def test_all_are_sent_to_a_worker_that_has_had_none(tag: dict[str, Any]) -> None:
    found = durable_object_migrations.pending("a", "oracle-feed", DECLARED)
    assert steps(found) == (None, "v2", [(["Room"], None), (["Door"], ["Room"])])


def test_only_what_is_left_is_sent_and_names_what_was(tag: dict[str, Any]) -> None:
    tag["tag"] = "v1"
    assert steps(durable_object_migrations.pending("a", "oracle-feed", DECLARED)) == (
        "v1",
        "v2",
        [(["Door"], ["Room"])],
    )


def test_nothing_is_sent_when_all_are_done(tag: dict[str, Any]) -> None:
    tag["tag"] = "v2"
    assert durable_object_migrations.pending("a", "oracle-feed", DECLARED) is None


def test_a_worker_without_any_is_not_asked_for(tag: dict[str, Any]) -> None:
    tag["tag"] = AssertionError("asked")
    assert durable_object_migrations.pending("a", "oracle-feed", ()) is None


def test_a_tag_that_is_not_declared_is_refused(tag: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    tag["tag"] = "v9"
    monkeypatch.setattr(errors, "owner", lambda: type("Owner", (), {"stack": "prod"}))
    fix = r"add the entry \{tag: v9, …\} to them, then run `pulumi up --stack prod`\."
    with pytest.raises(pulumi.RunError, match=rf"has applied the migration v9 .* Fix: {fix}"):
        durable_object_migrations.pending("a", "oracle-feed", DECLARED)


def test_a_cloud_that_does_not_tell_ends_the_run_in_a_sentence(tag: dict[str, Any]) -> None:
    tag["tag"] = WorkersApiError("Cloudflare is out of reach.")
    with pytest.raises(pulumi.RunError, match="out of reach"):
        durable_object_migrations.pending("a", "oracle-feed", DECLARED)
