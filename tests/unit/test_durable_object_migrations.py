"""Each migration of Durable Objects is sent once: only those after the Worker's current tag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pytest

from clients.workers_api import WorkersApiError
from lifecycle import durable_object_migrations, errors
from settings import Migration
from tests.support.fakes import FakeAccount
from tests.support.owners import owner

DECLARED = (
    Migration(tag="v1", new_sqlite_classes=("Room",)),
    Migration(tag="v2", new_sqlite_classes=("Door",), deleted_classes=("Room",)),
)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> FakeAccount:
    """An account whose Workers have had no migration."""
    monkeypatch.setattr(durable_object_migrations, "cloudflare_endpoint", lambda: "http://127.0.0.1:1")
    return FakeAccount()


def pending(account: FakeAccount, declared: Sequence[Migration] = DECLARED) -> Any:
    return durable_object_migrations.pending("a", "oracle-feed", declared, account.clouds)


def steps(found: Any) -> tuple[Any, ...]:
    return found.old_tag, found.new_tag, [(each.new_sqlite_classes, each.deleted_classes) for each in found.steps]


def test_a_worker_without_a_tag_gets_all_migrations(account: FakeAccount) -> None:
    assert steps(pending(account)) == (None, "v2", [(["Room"], None), (["Door"], ["Room"])])


def test_a_worker_with_a_tag_gets_only_the_later_migrations(account: FakeAccount) -> None:
    account.tags["oracle-feed"] = "v1"
    assert steps(pending(account)) == ("v1", "v2", [(["Door"], ["Room"])])


def test_a_worker_with_the_last_tag_gets_no_migration(account: FakeAccount) -> None:
    account.tags["oracle-feed"] = "v2"
    assert pending(account) is None


def test_the_tag_is_not_read_when_no_migrations_are_declared(account: FakeAccount) -> None:
    account.failures["migration_tag"] = AssertionError("asked")
    assert pending(account, ()) is None


def test_an_undeclared_tag_is_refused(account: FakeAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    account.tags["oracle-feed"] = "v9"
    monkeypatch.setattr(errors, "owner", lambda: owner("prod"))
    fix = r"add the entry \{tag: v9, …\} to them, then run `pulumi up --stack prod`\."
    with pytest.raises(pulumi.RunError, match=rf"has applied the migration v9 .* Fix: {fix}"):
        pending(account)


def test_a_cloud_error_ends_the_run_in_one_sentence(account: FakeAccount) -> None:
    account.failures["migration_tag"] = WorkersApiError("Cloudflare is out of reach.")
    with pytest.raises(pulumi.RunError, match="out of reach"):
        pending(account)
