"""Freeze the writes of a backend: PocketBase itself refuses them, and still answers reads.

A freeze has three parts. All use PocketBase's API, are visible in its dashboard, and can be undone:

1. A public view collection, `_write_freeze`. The id of its one record is "moving" (the data is being copied), "moved"
   (another backend serves) or "open" (no freeze). It has no record after a freeze has expired. The write gate of the
   api Worker reads it (write_gate.js).
2. Every superuser except the operator gets another e-mail address: its own, with SUFFIX at the end. PocketBase ends the
   sessions of a superuser whose address changes, and refuses the former address. The password is not changed.
3. Every create, update and delete rule gets a condition that is true only after the freeze's end (`@now`).

Rules do not apply to superusers, so 2 is needed; 3 applies to everybody else. At its end a freeze expires, except for
the superusers' addresses, which need `unfreeze`. Freezing twice has the effect of freezing once. A freeze that was
killed halfway is completed by the next `freeze`, or undone by `unfreeze`.

Collections are changed by PocketBase's import, which changes all rules in one transaction. It also writes no migration
files, as "automigrate" does for every other change of a collection (plugins/migratecmd): a new process of the image
would apply such a file again. So the view collection is never deleted.

A freeze does not stop routes and timers of the backend's own program that write without rules, or PocketBase's links in
e-mails (confirm an address, reset a password). Such writes are found afterwards, by comparing the content digests
(storage.backups.archive).
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
"""The query names a table without using it. A SQLite connection that reads no table does not notice that a view has
changed, and would still answer with the former view.
"""
SUFFIX = ".write-freeze.invalid"
"""The end of the address of a frozen superuser. Mail to it is never delivered (RFC 2606)."""
RULES = ("createRule", "updateRule", "deleteRule")
TAG = '"write-freeze" != ""'
"""Always true. It distinguishes our condition from the service's own rules that use the time."""
CLOSED = re.compile(rf'@now >= "[^"]*" && {re.escape(TAG)}(?: && \((?P<rule>.*)\))?', re.DOTALL)
PAGE = 200
LONGEST = timedelta(days=7)
"""The longest freeze, which a replaced app gets, and again in each update. The app's last backup contains the freeze.
If somebody restores it by hand, the rules allow writes again after this time.
"""

State = Literal["moving", "moved"]


def freeze(url: str, operator: Login, state: State, seconds: float | None = None) -> datetime:
    """Refuse writes from now on, for `seconds` by the backend's clock; None is LONGEST. Returns the end (UTC).

    `operator` is a session of the operator, the only superuser that can still log in. Raises AdminError.
    """
    with client(timeout=30, headers={"Authorization": operator.token}) as http:
        end = backend_time(url) + (LONGEST if seconds is None else timedelta(seconds=seconds))
        _end_sessions(http, url)
        for _ in range(2):  # twice, for collections and superusers that are added during the first round
            _import(http, url, [_mark(state, end)])
            _import(http, url, list(_closed(_all(http, url, "/api/collections"), end)))
            _rename_superusers(http, url)
    return end


def unfreeze(url: str, operator: Login) -> bool:
    """Allow writes again. Returns whether there was a freeze or a part of one. Raises AdminError."""
    with client(timeout=30, headers={"Authorization": operator.token}) as http:
        collections = _all(http, url, "/api/collections")
        had_renamed = _restore_superusers(http, url)
        opened = list(_opened(collections))
        _import(http, url, opened)
        had_marker = any(each["name"] == MARKER and each["viewQuery"] != OPEN for each in collections)
        if had_marker:
            _import(http, url, [_marker(OPEN)])
        return bool(opened) or had_renamed or had_marker


def freeze_state(url: str, timeout: float = 5.0) -> State | Literal["ended"] | None:
    """Read the freeze's state, without a login: "ended" if it expired; None for no freeze, and without an answer."""
    try:
        with client(timeout=timeout) as http:
            answer = http.get(f"{url}{MARKER_PATH}", params={"perPage": "1", "skipTotal": "1"})
        items = answer.json()["items"] if answer.status_code == 200 else None
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return None
    if items is None:
        return None
    state = items[0].get("id") if items else "ended"
    known: dict[str, State | Literal["ended"]] = {"moving": "moving", "moved": "moved", "ended": "ended"}
    return known.get(str(state))


def backend_time(url: str) -> datetime:
    """Return the time of the backend's clock, to the second. Raises AdminError."""
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
    """Create collections, or change their given fields (core/collection_import.go).

    Import the view collection alone. Together with others, PocketBase would save it, and then save its former query.
    """
    if not collections:
        return
    ask(http, "PUT", f"{url}/api/collections/import", {"collections": collections, "deleteMissing": False})


def _restore_superusers(http: httpx.Client, url: str) -> bool:
    """Restore the superusers' own addresses, which ends their sessions. Returns whether there were any.

    An image that creates its admin at its start creates another one if it restarts during a freeze, for example after a
    restore. That one is deleted.
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
    """End the sessions of superusers that an earlier freeze renamed. After it expired, they could write."""
    for email, superuser in _superusers(http, url).items():
        if email.endswith(SUFFIX):
            ask(http, "PATCH", f"{url}{SUPERUSERS}/records/{superuser}", {"tokenKey": secrets.token_hex(25)})


def _rename_superusers(http: httpx.Client, url: str) -> None:
    """Rename the superusers. One that the image created again during an earlier freeze is deleted."""
    known = _superusers(http, url)
    for email, superuser in known.items():
        if email != OPERATOR and not email.endswith(SUFFIX):
            if email + SUFFIX in known:
                ask(http, "DELETE", f"{url}{SUPERUSERS}/records/{superuser}")
            else:
                _rename(http, url, superuser, email + SUFFIX)


def _superusers(http: httpx.Client, url: str) -> dict[str, str]:
    """Return the superusers' ids by address."""
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
    """Return the rule with a condition that is false before `moment` (UTC in PocketBase's format)."""
    condition = f'@now >= "{moment}" && {TAG}'
    return f"{condition} && ({rule})" if rule else condition


def open_rule(rule: str) -> str:
    """Undo `close_rule`. Any other rule is returned unchanged."""
    match = CLOSED.fullmatch(rule)
    return (match["rule"] or "") if match else rule


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
