"""A fake of PocketBase behind its API, for the real client: it holds state, and records what changes it."""

from __future__ import annotations

import io
import json
import re
import sqlite3
import time
import zipfile
from collections.abc import Mapping
from contextlib import closing
from email import message_from_bytes
from typing import Any, cast

from clients.pocketbase import OPERATOR, Login, login
from clients.pocketbase.freeze import MARKER
from tests.support.fakes import EMAIL, OPERATOR_PASSWORD, PASSWORD
from tests.support.stub_server import Reply, Request, StubServer

UPDATED = "2026-11-22 16:00:00.000Z"
SUPERUSERS = "_superusers"
DONE = Reply(status=204)
MISSING = Reply({"status": 404, "message": "not found"}, 404)
REFUSED = Reply({"status": 400, "message": "refused", "data": {}}, 400)


class FakePocketBase(StubServer):
    """One backend, while its `with` lasts. A fresh one has the admin, the operator and no records.

    `calls` gets "NAME: what" for each change. A change in `refuses` is refused: "add", "password", "backup" …
    """

    def __init__(
        self,
        name: str = "backend",
        calls: list[str] | None = None,
        records: Mapping[str, int] | None = None,
        passwords: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(self._route, keep_alive=True)
        self.name = name
        self.calls: list[str] = [] if calls is None else calls
        self.refuses: set[str] = set()
        self.asked: list[dict[str, Any]] = []
        """Others' requests, as in the log."""
        self.files = 0
        self.second_factor = False
        """Whether a login needs a second factor."""
        self.superusers: list[dict[str, str]] = []
        for email, password in (passwords or {EMAIL: PASSWORD, OPERATOR: OPERATOR_PASSWORD}).items():
            self.add_superuser(email, password)
        self.records: dict[str, dict[str, str]] = {}
        """The time of the last write of each record, by id, by collection."""
        self.collections: dict[str, dict[str, Any]] = {
            SUPERUSERS: {"name": SUPERUSERS, "type": "auth", "system": True, "fields": []}
        }
        for collection, count in (records or {}).items():
            self.write(collection, *(f"{collection}-{number}" for number in range(count)))
        self._backups: dict[str, bytes] = {}
        self._signs: set[str] = set()

    def __enter__(self) -> FakePocketBase:
        super().__enter__()
        return self

    def login(self) -> Login:
        """A session of the admin."""
        session = login(self.url, EMAIL, self.passwords[EMAIL])
        assert session is not None
        return session

    def add_superuser(self, email: str, password: str, created: str = "2026-11-01 00:00:00.000Z") -> None:
        """Make a superuser without a request, as the image does."""
        made = {"id": f"s-{len(self.superusers)}-{email}", "email": email, "password": password, "created": created}
        self.superusers.append(made)

    def replace_disk(self) -> None:
        """An empty disk, as in a new container: the image makes the admin."""
        self.superusers.clear()
        self.add_superuser(EMAIL, PASSWORD, created="2036-01-01 00:00:00.000Z")
        self.records.clear()

    def write(self, collection: str, *ids: str, at: str = UPDATED) -> None:
        """Write records of a collection, which is made if there is none."""
        rules = dict.fromkeys(("createRule", "updateRule", "deleteRule"), "")
        kind = "auth" if collection == "humans" else "base"
        fields = [{"name": "updated", "type": "autodate"}, {"name": "photo", "type": "file", "maxSelect": 1}]
        made = {"id": collection, "name": collection, "type": kind, "system": False, "fields": fields, **rules}
        self.collections.setdefault(collection, made)
        self.records.setdefault(collection, {}).update(dict.fromkeys(ids, at))

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(records) for name, records in self.records.items() if records}

    @property
    def passwords(self) -> dict[str, str]:
        return {each["email"]: each["password"] for each in self.superusers}

    @property
    def freeze(self) -> str:
        """The state in the view collection of a freeze: "moving", "moved" or "open"."""
        query = self.collections.get(MARKER, {}).get("viewQuery", "SELECT 'open' …")
        return str(query).split("'")[1]

    def _route(self, request: Request) -> Reply:
        match request.method, *request.path.removeprefix("/api/").split("/"):
            case "GET", "health":
                return Reply({"code": 200, "data": {"canBackup": True}})
            case "GET", "logs":
                return Reply({"items": self.asked if "userAgent" in request.parameters["filter"] else [{}]})
            case (("GET" | "PATCH"), "settings"):
                return Reply({})
            case "POST", "crons", _:
                return DONE
            case method, "collections", "_superusers", *rest if rest:
                return self._superusers(method, rest, request.json)
            case method, "collections", "_mfas", "records", *rest:
                return self._sign(method, *rest)
            case method, "collections", *rest:
                return self._collections(method, rest, request)
            case "POST", "files", "token":
                return Reply({"token": "t"})
            case method, "backups", *rest:
                return self._stored(method, rest, request)
        return MISSING

    def _superusers(self, method: str, rest: list[str], body: Any) -> Reply:
        if rest == ["auth-with-password"]:
            login = body["identity"], body["password"]
            found = [each for each in self.superusers if (each["email"], each["password"]) == login]
            if not found:
                return REFUSED
            if self.second_factor:
                return Reply({"mfaId": "m"}, 401)
            return Reply({"token": "t", "record": found[0]})
        if method == "GET":
            return Reply({"items": self.superusers, "totalItems": len(self.superusers)})
        if method == "POST":
            if self._refuses("add", body["email"]):
                return REFUSED
            self.add_superuser(body["email"], body["password"])
            return Reply({})
        superuser = next(each for each in self.superusers if each["id"] == rest[1])
        if method == "DELETE":
            if self._refuses("remove", superuser["email"]):
                return REFUSED
            self.superusers.remove(superuser)
        elif "password" in body:
            old = body.get("oldPassword", superuser["password"])
            if old != superuser["password"] or self._refuses("password", superuser["email"]):
                return REFUSED
        superuser.update({name: body[name] for name in ("email", "password") if name in (body or {})})
        return Reply({})

    def _refuses(self, change: str, whose: str = "") -> bool:
        """Whether a change is refused; else it is recorded. Temporary admins have random addresses."""
        label = "a temporary admin" if whose.endswith("@temporary-admin.invalid") else whose
        if change not in self.refuses:
            self.calls.append(f"{self.name}: {change} {label}".rstrip())
        return change in self.refuses

    def _collections(self, method: str, rest: list[str], request: Request) -> Reply:
        if method == "PUT":
            before = self.freeze
            for each in request.json["collections"]:
                known = self.collections.setdefault(each["name"], {"system": False, "fields": []})
                known.update(each)
            if self.freeze != before:
                self._refuses(f"freeze {self.freeze}")
            return DONE
        if not rest:
            return Reply({"items": sorted(self.collections.values(), key=lambda each: str(each["name"]))})
        if rest[0] not in self.collections or rest[1:] != ["records"]:
            return Reply({"id": rest[0]}) if rest == [SUPERUSERS] else MISSING
        if rest[0] == MARKER:
            end = re.search(r"< (\d+)", self.collections[MARKER]["viewQuery"])
            return Reply({"items": [{"id": self.freeze}] if not end or time.time() < int(end[1]) else []})
        records = self.records.get(rest[0], {})
        if request.parameters.get("filter"):  # the records with a file
            return Reply({"totalItems": self.files if rest[0] == "posts" else 0})
        newest = [{"updated": max(records.values())}] if records else []
        return Reply({"totalItems": len(records), "items": newest})

    def _sign(self, method: str, *rest: str) -> Reply:
        if method == "POST":
            self._signs.add("sign")
            return Reply({"id": "sign", "created": UPDATED})
        return Reply({}) if rest and rest[0] in self._signs else MISSING

    def _stored(self, method: str, rest: list[str], request: Request) -> Reply:
        match method, *rest:
            case ("GET",):
                sizes = {name: len(content) for name, content in self._backups.items()}
                return Reply([{"key": name, "size": size, "modified": UPDATED} for name, size in sizes.items()])
            case ("POST",):
                if self._refuses("backup"):
                    return REFUSED
                self._backups[request.json["name"]] = self._archive()
            case "POST", "upload":
                head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
                [file] = (part for part in message_from_bytes(head + request.body).walk() if part.get_filename())
                if file.get_filename() in self._backups:
                    return REFUSED
                self._backups[str(file.get_filename())] = cast(bytes, file.get_payload(decode=True))
            case "GET", name:
                return Reply(self._backups[name])
            case "DELETE", name:
                if self._backups.pop(name, None) is None:
                    return MISSING
            case "POST", name, "restore":
                self._refuses("restore")
                self._restore(self._backups[name])
        return DONE

    def _archive(self) -> bytes:
        """All data in PocketBase's form: a zip with a database, which has a table for each collection."""
        file = io.BytesIO()
        with closing(sqlite3.connect(":memory:")) as database, zipfile.ZipFile(file, "w") as zipped:
            database.execute("CREATE TABLE _collections (name, type, system, fields, all_of_it)")
            for name, each in self.collections.items():
                values = (name, each["type"], each["system"], json.dumps(each["fields"]), json.dumps(each))
                database.execute("INSERT INTO _collections VALUES (?, ?, ?, ?, ?)", values)
                if name == SUPERUSERS:
                    database.execute("CREATE TABLE _superusers (id, email, password, created)")
                    rows = [tuple(superuser.values()) for superuser in self.superusers]
                    database.executemany("INSERT INTO _superusers VALUES (?, ?, ?, ?)", rows)
                elif each["type"] != "view":
                    database.execute(f"CREATE TABLE {name} (id, updated, photo)")
                    database.executemany(f"INSERT INTO {name} VALUES (?, ?, '')", self.records.get(name, {}).items())
            database.commit()
            zipped.writestr("data.db", database.serialize())
        return file.getvalue()

    def _restore(self, archive: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(archive)) as zipped, closing(sqlite3.connect(":memory:")) as database:
            database.deserialize(zipped.read("data.db"))
            found = database.execute("SELECT all_of_it FROM _collections").fetchall()
            self.collections = {each["name"]: each for each in (json.loads(text) for (text,) in found)}
            keys = ("id", "email", "password", "created")
            rows = database.execute("SELECT id, email, password, created FROM _superusers")
            self.superusers = [dict(zip(keys, row, strict=True)) for row in rows]
            own = [name for name, each in self.collections.items() if each["type"] != "view" and name != SUPERUSERS]
            self.records = {name: dict(database.execute(f"SELECT id, updated FROM {name}")) for name in own}
        self._signs.clear()
