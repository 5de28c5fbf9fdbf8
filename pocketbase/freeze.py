"""Freeze the writes of a backend: PocketBase itself refuses them, and goes on answering reads.

A freeze is made of three things, all through PocketBase's API, all visible in its dashboard, all reversible:

1. a public view collection, `_write_freeze`, that says "moving" (the data is being copied) or "moved" (another backend
   serves). It is empty once the freeze has ended by itself. Our front of the api Worker reads it (api_front.js).
2. every superuser but the operator gets another e-mail address, with SUFFIX behind it. PocketBase ends the sessions of
   a superuser whose address changes, and refuses the address of before. The password stays.
3. every create, update and delete rule gets a condition that holds only after the freeze's end (`@now`).

Rules do not bind superusers, so 2 is needed; 3 binds everybody else. A freeze ends by itself at its end for everybody
but people at the dashboard, who need `unfreeze`. Freezing twice is freezing once, and a freeze that was killed halfway
is completed or taken back by the next one.

What it cannot stop: a route or a timer of the backend's own program that writes without asking a rule, and PocketBase's
links in e-mails (confirm an address, reset a password). Such writes are found afterwards, by comparing the data
(backups.content).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from httpclient import client, httpx
from pocketbase.admin import OPERATOR, SUPERUSERS, Login, ask

MARKER = "_write_freeze"
MARKER_PATH = f"/api/collections/{MARKER}/records"
SUFFIX = ".write-freeze.invalid"
"""Ends the address of a superuser who may not log in; no mail ever gets there (RFC 2606)."""
RULES = ("createRule", "updateRule", "deleteRule")
TAG = '"write-freeze" != ""'
"""Always true; tells our condition from a rule of the service's own that asks for the time."""
CLOSED = re.compile(rf'@now >= "[^"]*" && {re.escape(TAG)}(?: && \((?P<rule>.*)\))?', re.DOTALL)
PAGE = 200
FOR_EVER = timedelta(days=36500)

State = Literal["moving", "moved"]


def freeze(url: str, operator: Login, state: State, seconds: float | None = None) -> datetime:
    """Refuse writes from now on, for `seconds` by the backend's clock, or for good. Returns the end (UTC).

    `operator` is a session of the operator, who alone keeps its login. Raises AdminError.
    """
    with client(timeout=30, headers={"Authorization": operator.token}) as http:
        end = backend_time(url) + (FOR_EVER if seconds is None else timedelta(seconds=seconds))
        _mark(http, url, state, end)
        _restore_superusers(http, url)  # ends the sessions that began when an earlier freeze had ended by itself
        for _ in range(2):  # once more for what was added in between
            _rename_superusers(http, url)
            _close_rules(http, url, end)
    return end


def unfreeze(url: str, operator: Login) -> bool:
    """Take writes again; True when there was a freeze, or a part of one. Raises AdminError."""
    with client(timeout=30, headers={"Authorization": operator.token}) as http:
        collections = _all(http, url, "/api/collections")
        changed = [_open(http, url, each) for each in collections]
        changed += _restore_superusers(http, url)
        if any(each["name"] == MARKER for each in collections):
            ask(http, "DELETE", f"{url}/api/collections/{MARKER}")
            changed.append(True)
        return any(changed)


def freeze_state(url: str, timeout: float = 5.0) -> State | Literal["ended"] | None:
    """What the backend says of its freeze; "ended" when it has ended by itself, None without one or without an answer.
    Needs no login.
    """
    try:
        with client(timeout=timeout) as http:
            answer = http.get(f"{url}{MARKER_PATH}", params={"perPage": "1", "skipTotal": "1"})
        found = answer.json()["items"] if answer.status_code == 200 else None
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return None
    if found is None:
        return None
    said = found[0].get("id") if found else None
    return "moving" if said == "moving" else "moved" if said == "moved" else "ended"


def backend_time(url: str) -> datetime:
    """The backend's clock, to the second. Raises AdminError."""
    with client(timeout=10) as http:
        answer = ask(http, "GET", f"{url}/api/health")
    try:
        return parsedate_to_datetime(answer.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.now(UTC)


def _mark(http: httpx.Client, url: str, state: State, end: datetime) -> None:
    query = f"SELECT '{state}' AS id WHERE unixepoch('now') < {int(end.timestamp())}"
    path = f"{url}/api/collections"
    if any(each["name"] == MARKER for each in _all(http, url, "/api/collections")):
        ask(http, "PATCH", f"{path}/{MARKER}", {"viewQuery": query})
        return
    body = {"name": MARKER, "type": "view", "viewQuery": query, "listRule": "", "viewRule": ""}
    ask(http, "POST", path, body)


def _restore_superusers(http: httpx.Client, url: str) -> list[bool]:
    """Gives superusers their own addresses back; their sessions end. One entry for each.

    An image that makes its admin when it starts has made another one when the backend was restarted in a freeze, as
    after a restore: that one goes.
    """
    known = {each["email"]: each["id"] for each in _all(http, url, f"{SUPERUSERS}/records")}
    frozen = [email for email in known if email.endswith(SUFFIX)]
    for email in frozen:
        own = email.removesuffix(SUFFIX)
        if own in known:
            ask(http, "DELETE", f"{url}{SUPERUSERS}/records/{known[own]}")
        _rename(http, url, known[email], own)
    return [True] * len(frozen)


def _rename_superusers(http: httpx.Client, url: str) -> None:
    for each in _all(http, url, f"{SUPERUSERS}/records"):
        if each["email"] != OPERATOR and not each["email"].endswith(SUFFIX):
            _rename(http, url, each["id"], each["email"] + SUFFIX)


def _rename(http: httpx.Client, url: str, superuser: str, email: str) -> None:
    ask(http, "PATCH", f"{url}{SUPERUSERS}/records/{superuser}", {"email": email})


def _close_rules(http: httpx.Client, url: str, end: datetime) -> None:
    moment = f"{end:%Y-%m-%d %H:%M:%S}.000Z"
    for each in _all(http, url, "/api/collections"):
        if each["system"] or each["type"] == "view":
            continue
        closed = {name: close_rule(open_rule(each[name]), moment) for name in RULES if each[name] is not None}
        if any(closed[name] != each[name] for name in closed):
            ask(http, "PATCH", f"{url}/api/collections/{each['name']}", closed)


def _open(http: httpx.Client, url: str, collection: Mapping[str, Any]) -> bool:
    opened = {name: open_rule(collection[name]) for name in RULES if collection.get(name) is not None}
    changed = any(opened[name] != collection[name] for name in opened)
    if changed:
        ask(http, "PATCH", f"{url}/api/collections/{collection['name']}", opened)
    return changed


def close_rule(rule: str, moment: str) -> str:
    """The rule, which holds for nobody before `moment` (PocketBase's own form, UTC)."""
    condition = f'@now >= "{moment}" && {TAG}'
    return f"{condition} && ({rule})" if rule else condition


def open_rule(rule: str) -> str:
    """The rule as it was before `close_rule`; any other rule as it is."""
    found = CLOSED.fullmatch(rule)
    return (found["rule"] or "") if found else rule


def _all(http: httpx.Client, url: str, path: str) -> list[dict[str, Any]]:
    return list(_pages(http, url, path))


def _pages(http: httpx.Client, url: str, path: str) -> Iterator[dict[str, Any]]:
    page = 1
    while True:
        query = f"perPage={PAGE}&page={page}&sort=created&skipTotal=1"
        items = ask(http, "GET", f"{url}{path}?{query}").json()["items"]
        yield from items
        if len(items) < PAGE:
            return
        page += 1
