"""The backend's superusers: log in, check the admin's login, and repair it.

PocketBase's command line takes a password as an argument, which every user of the machine can read in the process list.
So the console gets a one-time password, and the declared password is set through the API right after it. Then the one
in the process list is invalid. Routes: https://pocketbase.io/docs/api-records/ (auth-with-password, update record).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from clients.http import client, httpx
from errors import First, Remedy, SetKey, UserError
from retry import backoff

SUPERUSERS = "/api/collections/_superusers"
OPERATOR = "operator@oracle-net.invalid"
"""The program's own superuser. Its password is generated, is only in the Pulumi state, and is not rotated. With it the
program can read, freeze and repair a backend even if the admin's password does not work.
"""
TEMPORARY_SUFFIX = "@temporary-admin.invalid"
"""The end of a temporary admin's address. Mail to it is never delivered (RFC 2606)."""
Upsert = Callable[[str, str], None]
"""Creates or changes a superuser (e-mail address, password) without a login."""


class AdminError(UserError):
    """A superuser's request or login failed. The text never contains a password."""


class SecondFactorWanted(AdminError):
    """The password is right, but PocketBase requires a second factor (MFA), which no program can give."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """A session of a superuser."""

    token: str
    id: str


@dataclass(frozen=True, kw_only=True)
class TemporaryAdmin:
    """A superuser that exists during a change of the admin's password."""

    email: str
    password: str = field(repr=False)


def login(url: str, email: str, password: str, timeout: float = 10.0, seconds: float = 10.0) -> Login | None:
    """Log in as a superuser; None when PocketBase refuses the credentials.

    Raises AdminError for any other failure, and SecondFactorWanted when PocketBase requires a second factor.
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
            answer = _json_object(response)
            if response.status_code == 200 and (session := _session(answer)) is not None:
                return session
            if response.status_code == 401 and answer.get("mfaId"):  # the password is right (apis/record_helpers.go)
                raise SecondFactorWanted(
                    f"The backend at {url} requires a second factor (MFA) from {email}, which no program can give. The "
                    "password is right and was not changed.",
                    First(
                        "switch MFA off in the dashboard (collection _superusers, Options); to log in there, use the "
                        f"code that `superuser otp {email}` prints in the backend's console"
                    ),
                )
            if response.status_code in (400, 401, 403, 404) and "status" in answer:  # else a proxy's or an edge's page
                return None
            status = str(response.status_code) if answer else f"{response.status_code} without PocketBase's JSON"
    raise AdminError(f"The backend at {url} answered {status} to a superuser's login.", Remedy.READ_BACKEND_LOG)


def ensure_admin(url: str, email: str, password: str, operator: str, upsert: Upsert | None = None) -> bool:
    """Make sure that the admin and the operator can log in, and end a write freeze. Returns whether anything changed.

    `operator` is the operator's password; empty for a backend without operator. Each of the two repairs the other
    through PocketBase's API. A backend on a new disk knows neither: `upsert` creates its admin. It starts a second
    process on the database, so pass it only for a backend that is not in use.

    Raises AdminError.
    """
    from clients.pocketbase.freeze import freeze_state

    session = login(url, email, password)
    if session is not None:
        operator_changed = bool(operator) and ensure_operator(url, session, operator)
        if not operator or freeze_state(url) is None:
            return operator_changed
    repairer = login(url, OPERATOR, operator) if operator else None
    if repairer is None and upsert is None:
        raise AdminError(
            f"The backend at {url} refuses the logins of its admin {email} and of {OPERATOR}.",
            Remedy.SHOW_ADMIN_PASSWORD,
        )
    if repairer is None:
        assert upsert is not None
        repairer = _log_in_after_upsert(url, email, upsert)
    repair(url, repairer, email, password)
    session = login(url, email, password)
    if session is None:
        raise AdminError(f"The backend at {url} refuses its admin's login after the repair.", Remedy.RETRY)
    if operator:
        ensure_operator(url, session, operator)
    return True


def ensure_operator(url: str, admin: Login, password: str) -> bool:
    """Make sure that the operator exists with this password. Returns whether anything changed. Raises AdminError."""
    if login(url, OPERATOR, password) is not None:
        return False
    set_superuser(url, admin, OPERATOR, password)
    return True


def repair(url: str, operator: Login, email: str, password: str) -> None:
    """Set the admin's declared address and password, and end a write freeze. Raises AdminError."""
    from clients.pocketbase.freeze import unfreeze

    unfreeze(url, operator)
    if login(url, email, password) is None:
        set_superuser(url, operator, email, password)


def set_superuser(url: str, session: Login, email: str, password: str) -> None:
    """Create a superuser, or set its password, which ends its sessions. Raises AdminError."""
    listed = _request(url, session, "GET", "/records?perPage=500&fields=id,email")["items"]
    known = next((each["id"] for each in listed if each["email"] == email), None)
    body = {"email": email, "password": password, "passwordConfirm": password}
    if known is None:
        _request(url, session, "POST", "/records", body)
    else:
        _request(url, session, "PATCH", f"/records/{known}", body)


def _json_object(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object in the answer; empty for any other answer."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _session(answer: dict[str, Any]) -> Login | None:
    try:
        return Login(token=str(answer["token"]), id=str(answer["record"]["id"]))
    except (KeyError, TypeError):
        return None


def _log_in_after_upsert(url: str, email: str, upsert: Upsert) -> Login:
    one_time = secrets.token_hex(24)  # never begins with a dash, which would make it an option
    upsert(email, one_time)
    session = login(url, email, one_time)
    if session is None:
        raise AdminError(
            f"The backend at {url} refuses the admin that the command in its console has just created.",
            First("check that `oracle-net:backend.console` is the command of the backend itself"),
        )
    return session


def change_password(url: str, session: Login, old: str, new: str) -> None:
    """Change the superuser's own password, which ends all its sessions. Raises AdminError."""
    body = {"oldPassword": old, "password": new, "passwordConfirm": new}
    with client() as http:
        try:
            response = http.patch(
                f"{url}{SUPERUSERS}/records/{session.id}", json=body, headers={"Authorization": session.token}
            )
        except httpx.HTTPError as error:
            raise unreachable(url, error) from None
    if response.status_code != 200:
        raise AdminError(
            f"The backend at {url} refused the admin's new password (status {response.status_code}).",
            SetKey("oracle-net:adminPassword", secret=True),
        )


def add_temporary_admin(url: str, session: Login, password: str) -> TemporaryAdmin:
    """Create a temporary admin with a random address and this password, and log in as it.

    So PocketBase accepts or refuses the password before anything depends on it. Raises AdminError, without leaving a
    temporary admin behind.
    """
    temporary = TemporaryAdmin(email=f"{secrets.token_hex(8)}{TEMPORARY_SUFFIX}", password=password)
    body = {"email": temporary.email, "password": temporary.password, "passwordConfirm": temporary.password}
    _request(url, session, "POST", "/records", body)
    if login(url, temporary.email, temporary.password) is None:
        remove_temporary_admins(url, session, only=temporary.email)
        raise AdminError(f"The backend at {url} refuses the superuser that it has just created.", Remedy.RETRY)
    return temporary


def superuser_since(url: str, session: Login, email: str) -> str | None:
    """Return when a superuser was created: ISO 8601 in UTC; None if there is none. Raises AdminError."""
    listed = _request(url, session, "GET", "/records?perPage=500&fields=email,created")["items"]
    created = next((each["created"] for each in listed if each["email"] == email), None)
    return str(created).replace(" ", "T") if created else None


def list_temporary_admins(url: str, session: Login) -> dict[str, str]:
    """Return the ids of all temporary admins by address. Raises AdminError."""
    listed = _request(url, session, "GET", "/records?perPage=500&fields=id,email")["items"]
    return {each["email"]: each["id"] for each in listed if each["email"].endswith(TEMPORARY_SUFFIX)}


def remove_temporary_admins(
    url: str, session: Login, *, only: str = "", after: Callable[[], None] = lambda: None
) -> list[str]:
    """Delete all temporary admins, or the one with the address `only`. Returns their addresses.

    If there are any, `after` is called before. Raises AdminError.
    """
    removed = {email: id for email, id in list_temporary_admins(url, session).items() if only in ("", email)}
    if removed:
        after()
    for id in removed.values():
        _request(url, session, "DELETE", f"/records/{id}")
    return sorted(removed)


def _request(url: str, session: Login, method: str, path: str, body: Any = None) -> Any:
    with client(headers={"Authorization": session.token}) as http:
        answer = ask(http, method, f"{url}{SUPERUSERS}{path}", body)
    return answer.json() if answer.content else None


def ask(http: httpx.Client, method: str, url: str, body: Any = None, **options: Any) -> httpx.Response:
    """Send a superuser's request and return the successful answer. Raises AdminError."""
    try:
        answer = http.request(method, url, json=body, **options)
    except httpx.HTTPError as error:
        raise unreachable(url, error) from None
    if not answer.is_success:
        raise refusal(url, answer)
    return answer


def unreachable(url: str, error: httpx.HTTPError) -> AdminError:
    """Return the error for a backend that does not answer."""
    return AdminError(f"The backend at {_origin(url)} does not answer ({type(error).__name__}).", Remedy.RETRY)


def refusal(url: str, answer: httpx.Response) -> AdminError:
    """Return the error for a refused request, with PocketBase's message for each field, but without values."""
    path = urlsplit(url).path
    return AdminError(
        f"The backend at {_origin(url)} answered {answer.status_code} to {answer.request.method} {path} as its "
        "superuser.",
        Remedy.RETRY,
        cause=_reason(answer),
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _reason(answer: httpx.Response) -> str:
    """Return PocketBase's messages by field; empty if there are none."""
    try:
        fields = dict(answer.json().get("data") or {})
        return "; ".join(f"{name}: {str(each['message']).rstrip('.')}" for name, each in sorted(fields.items()))
    except (ValueError, AttributeError, TypeError, KeyError):
        return ""
