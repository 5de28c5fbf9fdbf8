"""The resource "backend ready" has nothing to do in these cases only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from clients.pocketbase import OPERATOR, add_temporary_admin, freeze
from components.backend_ready import ReadyProvider
from stack_outputs import ADOPTED
from tests.support.fake_pocketbase import FakePocketBase
from tests.support.fakes import RELEASE, TRAFFIC, FakeAccount, app, target

MADE_BY_HAND = f"{ADOPTED}d-1"


@pytest.fixture
def backend() -> Iterator[FakePocketBase]:
    """A backend with both logins."""
    with FakePocketBase() as made:
        yield made


def is_ready(backend: FakePocketBase, declared: str = RELEASE) -> bool:
    provider = ReadyProvider()
    provider.clouds = FakeAccount({"id": app("id", "app", backend.url)}).clouds
    props: dict[str, Any] = {
        **vars(target("id", release=declared)),
        "url": backend.url,
        "declared": {},
        "traffic": asdict(TRAFFIC),
    }
    return not provider.diff("ready", props, props).changes


@pytest.mark.parametrize(
    "missing, release, proven",
    [
        ("", RELEASE, True),
        (OPERATOR, RELEASE, False),
        ("admin@example.org", RELEASE, False),
        (OPERATOR, MADE_BY_HAND, True),
    ],
    ids=["both", "a new disk, where the image has made the admin", "no admin", "made by hand"],
)
def test_both_logins_are_checked(backend: FakePocketBase, missing: str, release: str, proven: bool) -> None:
    backend.superusers = [each for each in backend.superusers if each["email"] != missing]
    assert is_ready(backend, release) is proven


@pytest.mark.parametrize("seconds", [600.0, -1.0], ids=["frozen", "a freeze that expired"])
def test_a_freeze_that_an_update_left_is_put_right(backend: FakePocketBase, seconds: float) -> None:
    admins = [dict(each) for each in backend.superusers]
    freeze(backend.url, backend.login(), "moving", seconds)
    assert not is_ready(backend)
    backend.superusers = admins  # somebody has given the admin its address back, but the freeze is left
    assert not is_ready(backend)


def test_a_temporary_admin_that_an_update_left_is_put_right(backend: FakePocketBase) -> None:
    add_temporary_admin(backend.url, backend.login(), "another-password")
    assert not is_ready(backend)


def test_another_release_is_put_right(backend: FakePocketBase) -> None:
    assert not is_ready(backend, "sha256:2")
