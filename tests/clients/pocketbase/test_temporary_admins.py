"""Temporary admins: superusers that exist while the admin's password changes."""

from __future__ import annotations

import pytest

from clients.pocketbase import (
    AdminError,
    add_temporary_admin,
    change_password,
    list_temporary_admins,
    login,
    remove_temporary_admins,
)
from tests.clients.pocketbase.conftest import session_of
from tests.support.backend import ADMIN, Backend
from tests.support.errors import raises_text

NEXT = "another-password-of-the-admin"


def test_a_password_change_does_not_affect_the_temporary_admin(backend: Backend) -> None:
    session = session_of(backend)
    deputy = add_temporary_admin(backend.url, session, NEXT)
    assert deputy.password not in repr(deputy)
    change_password(backend.url, session, ADMIN[1], NEXT)
    assert login(backend.url, *ADMIN) is None
    assert login(backend.url, ADMIN[0], NEXT) is not None
    assert login(backend.url, deputy.email, deputy.password) is not None


def test_only_temporary_admins_are_removed(backend: Backend) -> None:
    session = session_of(backend)
    one, other = (add_temporary_admin(backend.url, session, NEXT) for _ in range(2))
    waited: list[int] = []
    assert remove_temporary_admins(backend.url, session, only=one.email) == [one.email]
    assert login(backend.url, one.email, one.password) is None
    assert login(backend.url, other.email, other.password) is not None
    assert remove_temporary_admins(backend.url, session, after=lambda: waited.append(1)) == [other.email]
    assert remove_temporary_admins(backend.url, session, after=lambda: waited.append(2)) == []
    assert waited == [1], "there is nothing to wait for where nobody goes"
    assert login(backend.url, *ADMIN) is not None


def test_an_expired_session_is_an_error_without_secrets(backend: Backend) -> None:
    session = session_of(backend)
    change_password(backend.url, session, ADMIN[1], NEXT)
    with raises_text(AdminError, r"as its superuser.*\. Fix: run `pulumi up --stack prod`\.$") as caught:
        add_temporary_admin(backend.url, session, NEXT)
    assert NEXT not in str(caught.value)
    assert session.token not in str(caught.value)


@pytest.mark.parametrize("password", ["short", "x" * 72, "\N{SNOWMAN}" * 25])
def test_a_password_refused_by_pocketbase_leaves_no_temporary_admin(backend: Backend, password: str) -> None:
    session = session_of(backend)
    with pytest.raises(AdminError, match=r"superuser: password: .+") as caught:
        add_temporary_admin(backend.url, session, password)
    assert password not in str(caught.value)
    assert list_temporary_admins(backend.url, session) == {}
    assert login(backend.url, *ADMIN) is not None
