"""Freeze the writes of a backend: PocketBase itself refuses them, and goes on answering reads.

A freeze is made of three things, all through PocketBase's API, all visible in its dashboard, all reversible:

1. a public view collection, `_write_freeze`, whose one record is called "moving" (the data is being copied), "moved"
   (another backend serves) or "open" (no freeze). It is empty once a freeze has ended by itself. Our front of the api
   Worker reads it (write_gate.js).
2. every superuser but the operator gets another e-mail address, with SUFFIX behind it. PocketBase ends the sessions of
   a superuser whose address changes, and refuses the address of before. The password stays.
3. every create, update and delete rule gets a condition that holds only after the freeze's end (`@now`).

Rules do not bind superusers, so 2 is needed; 3 binds everybody else. A freeze ends by itself at its end for everybody
but people at the dashboard, who need `unfreeze`. Freezing twice is freezing once, and a freeze that was killed halfway
is completed or taken back by the next one.

Collections are changed by PocketBase's import: all rules in one transaction, and without the migration files that its
"automigrate" writes for every other change of a collection (plugins/migratecmd). An image would carry such a file out
again when its process starts anew. So the view collection stays, once it has been made.

What it cannot stop: a route or a timer of the backend's own program that writes without asking a rule, and PocketBase's
links in e-mails (confirm an address, reset a password). Such writes are found afterwards, by comparing the data
(backups.content).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from clients.http import client, httpx
from clients.pocketbase.admin import OPERATOR, SUPERUSERS, Login, ask

MARKER = "_write_freeze"
MARKER_PATH = f"/api/collections/{MARKER}/records"
OPEN = "SELECT 'open' AS id FROM _collections LIMIT 1"
"""From a table, although nothing is read from it: a connection of SQLite's that reads no table does not see that a view
has changed, and would go on answering with the one of before.
"""
SUFFIX = ".write-freeze.invalid"
"""Ends the address of a superuser who may not log in; no mail ever gets there (RFC 2606)."""
RULES = ("createRule", "updateRule", "deleteRule")
TAG = '"write-freeze" != ""'
"""Always true; tells our condition from a rule of the service's own that asks for the time."""
CLOSED = re.compile(rf'@now >= "[^"]*" && {re.escape(TAG)}(?: && \((?P<rule>.*)\))?', re.DOTALL)
PAGE = 200
LONGEST = timedelta(days=7)
"""A replaced app is frozen so long, and anew by each update that finds it. Its last backup has the freeze in it: where
somebody restores that by hand, rules hold again after this time.
"""

State = Literal["moving", "moved"]


def freeze(url: str, operator: Login, state: State, seconds: float | None = None) -> datetime:
    """Refuse writes from now on, for `seconds` by the backend's clock, at most LONGEST. Returns the end (UTC).

    `operator` is a session of the operator, who alone keeps its login. Raises AdminError.
    """
    with client(timeout=30, headers={"Authorization": operator.token}) as http:
        end = backend_time(url) + (LONGEST if seconds is None else timedelta(seconds=seconds))
        _end_sessions(http, url)
        for _ in range(2):  # once more for what was added in between
            _import(http, url, [_mark(state, end)])
            _import(http, url, list(_closed(_all(http, url, "/api/collections"), end)))
            _rename_superusers(http, url)
    return end


def unfreeze(url: str, operator: Login) -> bool:
    """Take writes again; True when there was a freeze, or a part of one. Raises AdminError."""
    with client(timeout=30, headers={"Authorization": operator.token}) as http:
        collections = _all(http, url, "/api/collections")
        renamed = _restore_superusers(http, url)
        opened = list(_opened(collections))
        _import(http, url, opened)
        marked = any(each["name"] == MARKER and each["viewQuery"] != OPEN for each in collections)
        if marked:
            _import(http, url, [_marker(OPEN)])
        return bool(opened) or renamed or marked


def freeze_state(url: str, timeout: float = 5.0) -> State | Literal["ended"] | None:
    """What the backend says of its freeze; "ended" when it has ended by itself, None for none and without an answer.
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
    said = found[0].get("id") if found else "ended"
    known: dict[str, State | Literal["ended"]] = {"moving": "moving", "moved": "moved", "ended": "ended"}
    return known.get(str(said))


def backend_time(url: str) -> datetime:
    """The backend's clock, to the second. Raises AdminError."""
    with client(timeout=10) as http:
        answer = ask(http, "GET", f"{url}/api/health")
    try:
        return parsedate_to_datetime(answer.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.now(UTC)


def _mark(state: State, end: datetime) -> dict[str, Any]:
    return _marker(f"SELECT '{state}' AS id FROM _collections WHERE unixepoch('now') < {int(end.timestamp())} LIMIT 1")


def _marker(query: str) -> dict[str, Any]:
    return {"name": MARKER, "type": "view", "viewQuery": query, "listRule": "", "viewRule": ""}


def _import(http: httpx.Client, url: str, collections: list[dict[str, Any]]) -> None:
    """Makes collections, or changes what is given of them (core/collection_import.go). The view goes by itself: with
    others in one import PocketBase saves it, and then its older query once more.
    """
    if not collections:
        return
    ask(http, "PUT", f"{url}/api/collections/import", {"collections": collections, "deleteMissing": False})


def _restore_superusers(http: httpx.Client, url: str) -> bool:
    """Gives superusers their own addresses back; their sessions end. True when there was one.

    An image that makes its admin when it starts has made another one when the backend was restarted in a freeze, as
    after a restore: that one goes.
    """
    known = _superusers(http, url)
    frozen = [email for email in known if email.endswith(SUFFIX)]
    for email in frozen:
        own = email.removesuffix(SUFFIX)
        if own in known:
            ask(http, "DELETE", f"{url}{SUPERUSERS}/records/{known[own]}")
        _rename(http, url, known[email], own)
    return bool(frozen)


def _end_sessions(http: httpx.Client, url: str) -> None:
    """End the sessions of superusers whom an earlier freeze has renamed: when it had ended, they could write."""
    for email, superuser in _superusers(http, url).items():
        if email.endswith(SUFFIX):
            ask(http, "PATCH", f"{url}{SUPERUSERS}/records/{superuser}", {"tokenKey": secrets.token_hex(25)})


def _rename_superusers(http: httpx.Client, url: str) -> None:
    """One whom the image has made when it was restarted in an earlier freeze goes: the one of before is renamed."""
    known = _superusers(http, url)
    for email, superuser in known.items():
        if email != OPERATOR and not email.endswith(SUFFIX):
            if email + SUFFIX in known:
                ask(http, "DELETE", f"{url}{SUPERUSERS}/records/{superuser}")
            else:
                _rename(http, url, superuser, email + SUFFIX)


def _superusers(http: httpx.Client, url: str) -> dict[str, str]:
    """The id of each, by its address."""
    return {each["email"]: each["id"] for each in _all(http, url, f"{SUPERUSERS}/records")}


def _rename(http: httpx.Client, url: str, superuser: str, email: str) -> None:
    ask(http, "PATCH", f"{url}{SUPERUSERS}/records/{superuser}", {"email": email})


def _closed(collections: list[dict[str, Any]], end: datetime) -> Iterator[dict[str, Any]]:
    moment = f"{end:%Y-%m-%d %H:%M:%S}.000Z"
    for each in collections:
        if not each["system"] and each["type"] != "view":
            rules = {name: close_rule(open_rule(each[name]), moment) for name in RULES if each[name] is not None}
            if any(rules[name] != each[name] for name in rules):
                yield {"id": each["id"], "name": each["name"], **rules}


def _opened(collections: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for each in collections:
        rules = {name: open_rule(each[name]) for name in RULES if each.get(name) is not None}
        if any(rules[name] != each[name] for name in rules):
            yield {"id": each["id"], "name": each["name"], **rules}


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
