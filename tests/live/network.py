"""What the tests ask of a running network: its records and files, as its admin sees them, and its backups."""

from __future__ import annotations

import hashlib
import itertools
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]

from clients.http import client
from tests.live.project import Project
from tests.support.waiting import until

PAGE = 1000  # PocketBase answers with no more at once
KEEPSAKES = {
    "name": "keepsakes",
    "type": "base",
    "fields": [
        {"name": "title", "type": "text"},
        {"name": "file", "type": "file", "maxSelect": 1, "maxSize": 10_000_000},
    ],
}


def admin(project: Project, method: str, path: str, body: Any = None, **options: Any) -> Any:
    """A request to the backend as its superuser."""
    outputs = project.outputs()
    with client(timeout=60) as http:
        login = {"identity": outputs["adminEmail"], "password": outputs["adminPassword"]}
        session = http.post(f"{outputs['backendUrl']}/api/collections/_superusers/auth-with-password", json=login)
        assert session.status_code == 200, session.text
        headers = {"Authorization": session.json()["token"]}
        answer = http.request(method, outputs["backendUrl"] + path, json=body, headers=headers, **options)
    assert answer.status_code < 400, answer.text
    return answer.json() if "json" in answer.headers.get("content-type", "") else answer.content


def say(project: Project, title: str) -> None:
    """A new human's post, through the API."""
    url = project.outputs()["apiUrl"]
    with client() as http:
        human = {"name": "Bea", "email": f"{title.replace(' ', '-')}@example.org", "password": "bea-password"}
        token = http.post(f"{url}/api/register", json=human).json()["token"]
        made = http.post(
            f"{url}/api/posts", json={"title": title, "body": "said"}, headers={"Authorization": f"Bearer {token}"}
        )
    assert made.status_code == 201, made.text


def plant(project: Project, content: bytes = b"kept byte for byte\x00\xff") -> None:
    """Something of every kind: a human with a password, a post, and a record with a file."""
    url = project.outputs()["apiUrl"]
    with client() as http:
        human = {"name": "Ada", "email": "ada@example.org", "password": "ada-password"}
        token = http.post(f"{url}/api/register", json=human).json()["token"]
        post = {"title": "planted", "body": "here before"}
        assert http.post(f"{url}/api/posts", json=post, headers={"Authorization": f"Bearer {token}"}).status_code == 201
    if "keepsakes" not in [each["name"] for each in admin(project, "GET", "/api/collections?perPage=100")["items"]]:
        admin(project, "POST", "/api/collections", KEEPSAKES)
    files = {"file": ("keepsake.bin", content)}
    admin(project, "POST", "/api/collections/keepsakes/records", files=files)


def holdings(project: Project) -> dict[str, Any]:
    """Every record of every collection of ours, and each file's digest."""
    found: dict[str, Any] = {}
    for collection in admin(project, "GET", "/api/collections?perPage=100")["items"]:
        name = collection["name"]
        if not name.startswith("_"):
            found[name] = list(records(project, name))
    for record in found.get("keepsakes", []):
        content = admin(project, "GET", f"/api/files/keepsakes/{record['id']}/{record['file']}")
        record["sha256"] = hashlib.sha256(content).hexdigest()
    return found


def titles(project: Project) -> set[str]:
    """The titles of all posts."""
    return {str(post["title"]) for post in records(project, "posts")}


def records(project: Project, collection: str) -> Iterator[dict[str, Any]]:
    """All of a collection, by id."""
    for page in itertools.count(1):
        path = f"/api/collections/{collection}/records?perPage={PAGE}&page={page}&sort=id"
        items = admin(project, "GET", path)["items"]
        yield from items
        if len(items) < PAGE:
            return


def backups(project: Project) -> list[dict[str, Any]]:
    """The stack's backups, newest first."""
    return list(json.loads(project.oracle("backups", "--json").well().output))


def backed_up_titles(project: Project, backup: str, scratch: Path) -> set[str]:
    """The titles of all posts in a backup's database."""
    archive = project.root / f".oracle/backups/organization/oracle-net/{project.stack}/{backup}.zip"
    if not archive.exists():
        key = project.pulumi("config", "get", "oracle-net:backupKey", "--stack", "local").well().output.strip()
        sealed, archive = archive.with_name(f"{backup}.zip.age"), scratch / "opened.zip"
        pyrage.decrypt_file(str(sealed), str(archive), [pyrage.x25519.Identity.from_str(key)])
    with zipfile.ZipFile(archive) as opened:
        database = opened.extract("data.db", scratch)
    with closing(sqlite3.connect(database)) as connection:
        return {title for (title,) in connection.execute("SELECT title FROM posts")}


def apps(project: Project) -> list[str]:
    """The names of the account's apps."""
    return sorted(app["spec"]["name"] for app in project.api("GET", "/v2/apps")["apps"] or [])


def until_settled(project: Project, app: str) -> None:
    """Waits until the app's newest deployment serves."""

    def settled() -> bool:
        newest = project.api("GET", f"/v2/apps/{app}/deployments")["deployments"][0]
        found = project.api("GET", f"/v2/apps/{app}")["app"]["active_deployment"]
        return bool(newest["phase"] == "ACTIVE" and found["id"] == newest["id"])

    until(settled, "the newest deployment serves", seconds=60)


def running(project: Project) -> str:
    """The release that the API's backend says it is."""
    with client() as http:
        return str(http.get(f"{project.outputs()['apiUrl']}/api/health").json()["backend"]["version"])


def generation(project: Project) -> int:
    return int(project.config["oracle-net:generation"])


def raise_generation(project: Project) -> None:
    value = str(generation(project) + 1)
    project.pulumi("config", "set", "oracle-net:generation", value, "--stack", "local").well()
