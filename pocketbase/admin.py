"""The backend's superuser: proving that the declared login works, and making it work.

PocketBase's command line takes a password as an argument, which every user of the machine can read in the process
list. So the console is given a one-time password, and the declared one is set through the API a moment later; what
the process list showed is void by then. Routes: https://pocketbase.io/docs/api-records/ (auth-with-password, update
record).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from loopback import client, httpx
from waiting import backoff

SUPERUSERS = "/api/collections/_superusers"
STAND_IN = "@stand-in.invalid"
"""Ends a stand-in's address; no mail ever gets there (RFC 2606)."""
Upsert = Callable[[str, str], None]
"""Makes or changes a superuser, given e-mail address and password, by means that need no login."""


class AdminError(Exception):
    """The backend's admin could not be proven or repaired; never holds a password."""


@dataclass(frozen=True, kw_only=True)
class Login:
    token: str
    id: str


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """Another superuser, for as long as the first one's password changes."""

    email: str
    password: str = field(repr=False)


def login(url: str, email: str, password: str, timeout: float = 10.0, seconds: float = 10.0) -> Login | None:
    """A session of the superuser, or None when PocketBase refuses the credentials. Raises AdminError otherwise."""
    status = "nothing"
    body = {"identity": email, "password": password}
    with client(timeout=timeout) as http:
        for _ in backoff(seconds, first=0.1):
            try:
                response = http.post(f"{url}{SUPERUSERS}/auth-with-password", json=body)
            except httpx.HTTPError as error:
                status = type(error).__name__
                continue
            if response.status_code == 200:
                answer = response.json()
                return Login(token=answer["token"], id=answer["record"]["id"])
            if response.status_code in (400, 401, 403, 404):
                return None
            status = str(response.status_code)
    raise AdminError(
        f"The backend at {url} answered {status} to its admin's login; see its log, then try again: pulumi up"
    )


def ensure_admin(url: str, email: str, password: str, upsert: Upsert) -> bool:
    """Makes sure that the superuser can log in; True when something had to be done. Raises AdminError."""
    if login(url, email, password) is not None:
        return False
    one_time = secrets.token_urlsafe(24)
    upsert(email, one_time)
    session = login(url, email, one_time)
    if session is None:
        raise AdminError(
            f"The backend at {url} refuses the admin that its console has just made; is the console "
            "command the backend's own?"
        )
    change_password(url, session, one_time, password)
    if login(url, email, password) is None:
        raise AdminError(f"The backend at {url} refuses its admin's login after the bootstrap; try again: pulumi up")
    return True


def change_password(url: str, session: Login, old: str, new: str) -> None:
    """The superuser's own password; every session that it has ends. Raises AdminError."""
    body = {"oldPassword": old, "password": new, "passwordConfirm": new}
    with client() as http:
        try:
            response = http.patch(
                f"{url}{SUPERUSERS}/records/{session.id}", json=body, headers={"Authorization": session.token}
            )
        except httpx.HTTPError as error:
            raise AdminError(
                f"The backend at {url} does not answer ({type(error).__name__}); try again: pulumi up"
            ) from None
    if response.status_code != 200:
        raise AdminError(
            f"The backend at {url} refused the declared admin password (status "
            f"{response.status_code}); is it too short?"
        )


def add_stand_in(url: str, session: Login) -> StandIn:
    """Another superuser with a random address and password, who can log in. Raises AdminError."""
    made = StandIn(email=f"{secrets.token_hex(8)}{STAND_IN}", password=secrets.token_urlsafe(24))
    body = {"email": made.email, "password": made.password, "passwordConfirm": made.password}
    _asked(url, session, "POST", "/records", body)
    if login(url, made.email, made.password) is None:
        raise AdminError(f"The backend at {url} refuses the superuser that it has just made; try again: pulumi up")
    return made


def remove_stand_ins(
    url: str, session: Login, *, only: str = "", after: Callable[[], None] = lambda: None
) -> list[str]:
    """Removes stand-ins, all or only the one with that address, when there are any and `after` has been waited for.

    Returns their addresses. Raises AdminError.
    """
    listed = _asked(url, session, "GET", "/records?perPage=200&fields=id,email")["items"]
    gone = {each["email"]: each["id"] for each in listed if each["email"].endswith(STAND_IN)}
    gone = {email: id for email, id in gone.items() if only in ("", email)}
    if gone:
        after()
    for id in gone.values():
        _asked(url, session, "DELETE", f"/records/{id}")
    return sorted(gone)


def _asked(url: str, session: Login, method: str, path: str, body: Any = None) -> Any:
    try:
        with client() as http:
            headers = {"Authorization": session.token}
            answer = http.request(method, f"{url}{SUPERUSERS}{path}", json=body, headers=headers)
    except httpx.HTTPError as error:
        raise AdminError(
            f"The backend at {url} does not answer ({type(error).__name__}); try again: pulumi up"
        ) from None
    if not answer.is_success:
        raise AdminError(
            f"The backend at {url} answered {answer.status_code} to {method} {SUPERUSERS}/records as its admin; try "
            "again: pulumi up"
        )
    return answer.json() if answer.content else None
