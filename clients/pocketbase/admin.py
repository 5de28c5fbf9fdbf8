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
from urllib.parse import urlsplit

from clients.http import client, httpx
from retry import backoff

SUPERUSERS = "/api/collections/_superusers"
OPERATOR = "operator@oracle-net.invalid"
"""The program's own superuser: its password is made by the program, stands in the state alone, and never changes by
itself. With it the program reads, freezes and repairs a backend, whatever becomes of the admin's password.
"""
STAND_IN = "@stand-in.invalid"
"""Ends a stand-in's address; no mail ever gets there (RFC 2606)."""
Upsert = Callable[[str, str], None]
"""Makes or changes a superuser, given e-mail address and password, by means that need no login."""


class AdminError(Exception):
    """The backend's admin could not be proven or repaired; never holds a password."""


class SecondFactorWanted(AdminError):
    """The password is right, and PocketBase wants a second factor that no program can give (MFA)."""


@dataclass(frozen=True, kw_only=True)
class Login:
    token: str
    id: str


@dataclass(frozen=True, kw_only=True)
class TemporaryAdmin:
    """Another superuser, for as long as the first one's password changes."""

    email: str
    password: str = field(repr=False)


def login(url: str, email: str, password: str, timeout: float = 10.0, seconds: float = 10.0) -> Login | None:
    """A session of the superuser, or None when PocketBase refuses the credentials. Raises AdminError otherwise, also
    when PocketBase takes the password and wants a second factor.
    """
    status = "nothing"
    body = {"identity": email, "password": password}
    with client(timeout=timeout) as http:
        for _ in backoff(seconds, first=0.1):
            try:
                response = http.post(f"{url}{SUPERUSERS}/auth-with-password", json=body)
            except httpx.HTTPError as error:
                status = type(error).__name__
                continue
            answer = _decoded(response)
            if response.status_code == 200 and (session := _session(answer)) is not None:
                return session
            if response.status_code == 401 and answer.get("mfaId"):  # the password was right (apis/record_helpers.go)
                raise SecondFactorWanted(
                    f"The backend at {url} wants a second factor (MFA) from {email}, which no program can give. The "
                    "password is right and stays as it is. Switch MFA off: in the dashboard, collection _superusers, "
                    f"Options; log in there with the code of `superuser otp {email}` in the backend's console"
                )
            if response.status_code in (400, 401, 403, 404) and "status" in answer:  # else a proxy's or an edge's page
                return None
            status = str(response.status_code) if answer else f"{response.status_code} without PocketBase's JSON"
    raise AdminError(
        f"The backend at {url} answered {status} to its admin's login; see its log, then try again: pulumi up"
    )


def ensure_admin(url: str, email: str, password: str, operator: str, upsert: Upsert | None = None) -> bool:
    """Make sure that the admin and the operator can log in; True when something had to be done.

    `operator` is the operator's password; empty for a backend that gets no operator. Whichever of the two can log in
    repairs the other through PocketBase's API, and ends a freeze. `upsert` is the way for a backend on a fresh disk,
    which knows neither: it starts a second process on the database, so it is given only for one that nobody uses.

    Raises AdminError.
    """
    from clients.pocketbase.freeze import freeze_state

    session = login(url, email, password)
    if session is not None:
        made = bool(operator) and ensure_operator(url, session, operator)
        if not operator or freeze_state(url) is None:
            return made
    keeper = login(url, OPERATOR, operator) if operator else None
    if keeper is None and upsert is None:
        raise AdminError(
            f"The backend at {url} refuses the logins of its admin {email} and of {OPERATOR}. Set the admin's password "
            "in the backend's dashboard to the declared one: pulumi stack output adminPassword --show-secrets"
        )
    if keeper is None:
        assert upsert is not None
        keeper = _upserted(url, email, upsert)
    repair(url, keeper, email, password)
    session = login(url, email, password)
    if session is None:
        raise AdminError(f"The backend at {url} refuses its admin's login after the repair.")
    if operator:
        ensure_operator(url, session, operator)
    return True


def ensure_operator(url: str, admin: Login, password: str) -> bool:
    """Make sure that the operator exists with this password; True when something had to be done. Raises AdminError."""
    if login(url, OPERATOR, password) is not None:
        return False
    set_superuser(url, admin, OPERATOR, password)
    return True


def repair(url: str, operator: Login, email: str, password: str) -> None:
    """Give the admin the declared address and password, and end a freeze. Raises AdminError."""
    from clients.pocketbase.freeze import unfreeze

    unfreeze(url, operator)
    if login(url, email, password) is None:
        set_superuser(url, operator, email, password)


def set_superuser(url: str, session: Login, email: str, password: str) -> None:
    """Make this superuser, or give it this password; its sessions end. Raises AdminError."""
    listed = _asked(url, session, "GET", "/records?perPage=500&fields=id,email")["items"]
    known = next((each["id"] for each in listed if each["email"] == email), None)
    body = {"email": email, "password": password, "passwordConfirm": password}
    if known is None:
        _asked(url, session, "POST", "/records", body)
    else:
        _asked(url, session, "PATCH", f"/records/{known}", body)


def _decoded(response: httpx.Response) -> dict[str, Any]:
    """The object that PocketBase answered; empty for anything else."""
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _session(answer: dict[str, Any]) -> Login | None:
    try:
        return Login(token=str(answer["token"]), id=str(answer["record"]["id"]))
    except (KeyError, TypeError):
        return None


def _upserted(url: str, email: str, upsert: Upsert) -> Login:
    one_time = secrets.token_hex(24)  # never begins with a dash, which would make it an option
    upsert(email, one_time)
    session = login(url, email, one_time)
    if session is None:
        raise AdminError(
            f"The backend at {url} refuses the admin that its console has just made; is the console "
            "command the backend's own?"
        )
    return session


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


def add_temporary_admin(url: str, session: Login, password: str) -> TemporaryAdmin:
    """Another superuser with a random address and this password, who can log in. Raises AdminError; then none is left.

    PocketBase takes or refuses the password here, before anybody depends on it.
    """
    made = TemporaryAdmin(email=f"{secrets.token_hex(8)}{STAND_IN}", password=password)
    body = {"email": made.email, "password": made.password, "passwordConfirm": made.password}
    _asked(url, session, "POST", "/records", body)
    if login(url, made.email, made.password) is None:
        remove_temporary_admins(url, session, only=made.email)
        raise AdminError(f"The backend at {url} refuses the superuser that it has just made; try again: pulumi up")
    return made


def superuser_since(url: str, session: Login, email: str) -> str | None:
    """When this superuser was made: ISO 8601 in UTC; None when there is none of that address. Raises AdminError."""
    listed = _asked(url, session, "GET", "/records?perPage=500&fields=email,created")["items"]
    made = next((each["created"] for each in listed if each["email"] == email), None)
    return str(made).replace(" ", "T") if made else None


def list_temporary_admins(url: str, session: Login) -> dict[str, str]:
    """The ids of all stand-ins by their addresses. Raises AdminError."""
    listed = _asked(url, session, "GET", "/records?perPage=500&fields=id,email")["items"]
    return {each["email"]: each["id"] for each in listed if each["email"].endswith(STAND_IN)}


def remove_temporary_admins(
    url: str, session: Login, *, only: str = "", after: Callable[[], None] = lambda: None
) -> list[str]:
    """Removes stand-ins, all or only the one with that address, when there are any and `after` has been waited for.

    Returns their addresses. Raises AdminError.
    """
    gone = {email: id for email, id in list_temporary_admins(url, session).items() if only in ("", email)}
    if gone:
        after()
    for id in gone.values():
        _asked(url, session, "DELETE", f"/records/{id}")
    return sorted(gone)


def _asked(url: str, session: Login, method: str, path: str, body: Any = None) -> Any:
    with client(headers={"Authorization": session.token}) as http:
        answer = ask(http, method, f"{url}{SUPERUSERS}{path}", body)
    return answer.json() if answer.content else None


def ask(http: httpx.Client, method: str, url: str, body: Any = None, **options: Any) -> httpx.Response:
    """The answer to a superuser's request that succeeded. Raises AdminError."""
    try:
        answer = http.request(method, url, json=body, **options)
    except httpx.HTTPError as error:
        raise unreachable(url, error) from None
    if not answer.is_success:
        raise refusal(url, answer)
    return answer


def unreachable(url: str, error: httpx.HTTPError) -> AdminError:
    """The error of a backend that gave no answer."""
    return AdminError(f"The backend at {_origin(url)} does not answer ({type(error).__name__}); try again: pulumi up")


def refusal(url: str, answer: httpx.Response) -> AdminError:
    """The error of a refused request, with PocketBase's own words for what it does not like; no values."""
    path = urlsplit(url).path
    return AdminError(
        f"The backend at {_origin(url)} answered {answer.status_code} to {answer.request.method} {path} as its "
        f"superuser{_reason(answer)}; try again: pulumi up"
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _reason(answer: httpx.Response) -> str:
    """PocketBase's messages by field, in brackets; empty without one."""
    try:
        fields = dict(answer.json().get("data") or {})
        said = "; ".join(f"{name}: {str(each['message']).rstrip('.')}" for name, each in sorted(fields.items()))
    except (ValueError, AttributeError, TypeError, KeyError):
        return ""
    return f" ({said})" if said else ""
