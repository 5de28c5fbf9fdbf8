"""The adoption of code that contains the backend's address is refused, for running code and for checkouts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import advice
from cli.adopt import LiveResources, address_refusals, fetch_code
from cli.commands import adopt as command
from cli.runs.store import Runs
from clients.workers_api import Workers, WorkersApiError
from errors import UserError, UserErrors
from tests.support.owners import owner
from tests.unit.adopt.test_checks import SETTINGS, app, bound, live, worker

HOST = "jellyfish-app-xml6o.ondigitalocean.app"
CODE = f"import x\nconst url = 'https://{HOST}'".encode()
API = "oracle-universe-api"


def refused(
    project: Path,
    code: dict[str, dict[str, bytes]],
    seen: LiveResources | None = None,
    services: tuple[str, ...] = SETTINGS.services,
) -> list[str]:
    found = address_refusals(SETTINGS, seen or live(), code, services, project)
    return [advice.text(each, "prod", "oracle adopt prod") for each in found]


def test_adoption_is_refused_when_the_api_code_contains_the_address(tmp_path: Path) -> None:
    [said] = refused(tmp_path, {"api": {"index.js": CODE}, "web": {}, "universe": {}})
    assert said == (
        f"oracle-universe-api runs code with the backend's address written in it: {HOST} (index.js:2:22). Each "
        "release of the backend gets another address, and the app at the one before is deleted. Fix: read the address "
        "from the binding POCKETBASE_URL, then run `npx wrangler deploy`, then run `oracle adopt prod`."
    )


def test_the_fix_sets_a_missing_binding_before_the_code_changes(tmp_path: Path) -> None:
    seen = live(workers={"api": worker(API, bindings=bound(PB_ADMIN_EMAIL="secret_text"))})
    [said] = refused(tmp_path, {"api": {"index.js": CODE}}, seen)
    assert (
        "Fix: run `npx wrangler secret put POCKETBASE_URL --name oracle-universe-api` and enter "
        "https://app.example.org, then read the address from the binding POCKETBASE_URL, then run `npx wrangler deploy`"
    ) in said


def test_every_module_of_every_worker_is_searched(tmp_path: Path) -> None:
    said = refused(tmp_path, {"api": {"a.js": b"", "b.js": CODE}, "web": {"_worker.js": CODE}})
    assert ["b.js:2:22" in said[0], "_worker.js:2:22" in said[1]] == [True, True]
    assert "let it call the API instead" in said[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"live_url": "https://pb.oraclenet.org"},
        {"default_ingress": "https://pb.oraclenet.org"},
        {"spec": {"domains": [{"domain": "pb.oraclenet.org"}]}},
    ],
)
def test_the_apps_custom_domains_are_searched_too(tmp_path: Path, changes: dict[str, Any]) -> None:
    code = {"api": {"index.js": b"fetch('https://pb.oraclenet.org/api')"}}
    [said] = refused(tmp_path, code, live(app=app(**changes)))
    assert "pb.oraclenet.org (index.js:1:16)" in said
    assert refused(tmp_path, code) == []


def test_checked_out_code_is_searched_too(tmp_path: Path) -> None:
    for path in ("services/api/src/worker.js", "services/web/public/index.html"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(CODE)
    api, web = refused(tmp_path, {})
    assert api.startswith(f"The checkout of api has the backend's address written in it: {HOST} (services/api/src/wor")
    assert api.endswith("Fix: read the address from the binding POCKETBASE_URL, then run `oracle adopt prod`.")
    assert "services/web/public/index.html:2:22" in web
    assert web.endswith("Fix: call the API at /_api, or at the apiUrl of /config.json, then run `oracle adopt prod`.")
    assert [each.partition(" has")[0] for each in refused(tmp_path, {}, services=("backend", "web"))] == [
        "The checkout of web"
    ]


def test_the_refusal_of_a_built_module_names_its_source_files(tmp_path: Path) -> None:
    for path in ("dist/index.js", "lib/pb.ts"):
        (tmp_path / "api" / path).parent.mkdir(parents=True)
        (tmp_path / "api" / path).write_bytes(CODE)
    api = SETTINGS.api.model_copy(update={"path": "api", "entry": "dist/index.js", "build": "make"})
    [said] = address_refusals(
        SETTINGS.model_copy(update={"workers": {**SETTINGS.workers, "api": api}}),
        live(),
        {},
        SETTINGS.services,
        tmp_path,
    )
    assert ", in the sources: lib/pb.ts:2:22. " in said.problem
    assert advice.text(said, "prod", "oracle adopt prod").endswith(
        "POCKETBASE_URL, then run `oracle build api --stack prod`, then run `oracle adopt prod`."
    )


def test_code_without_the_address_can_be_adopted(tmp_path: Path) -> None:
    code = {"api": {"index.js": b"export default { fetch: (r, env) => fetch(env.POCKETBASE_URL) }"}}
    assert refused(tmp_path, code) == []


class Engine:
    """An engine on a stack of no cloud."""

    def __init__(self, project: Path) -> None:
        self.environment = {"CLOUDFLARE_API_TOKEN": "token"}
        self.owner = owner("prod")
        self.stack = SimpleNamespace(
            name="prod", cloudflare="http://127.0.0.1:1", runs=project, project=project, settings=lambda: SETTINGS
        )


def test_fetch_code_downloads_the_modules_of_every_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Workers, "modules", lambda _, script: {script: CODE})
    found = fetch_code(Engine(tmp_path), SETTINGS)  # type: ignore[arg-type]
    assert {name: list(modules) for name, modules in found.items()} == {
        "api": [API],
        "web": ["oracle-net"],
        "universe": ["oracle-universe-web"],
    }


def test_fetch_code_fails_when_the_code_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def modules(_: Workers, script: str) -> dict[str, bytes]:
        raise WorkersApiError("Cloudflare refused the token.")

    monkeypatch.setattr(Workers, "modules", modules)
    with pytest.raises(UserError, match="refused the token"):
        fetch_code(Engine(tmp_path), SETTINGS)  # type: ignore[arg-type]


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_command_adopts_nothing_when_code_contains_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dry_run: bool
) -> None:
    monkeypatch.setattr(command, "ready", lambda _, make: Engine(tmp_path))
    monkeypatch.setattr(command, "_engine_without_changes", lambda _: Engine(tmp_path))
    monkeypatch.setattr(Runs, "refuse_busy", lambda *_: None)
    monkeypatch.setattr(command, "discover", lambda *_: replace(live(), apps=("jellyfish-app",)))
    monkeypatch.setattr(command, "_unadopted", lambda *_: SETTINGS.services)
    monkeypatch.setattr(command, "fetch_code", lambda *_: {"api": {"index.js": CODE}})
    with pytest.raises(UserErrors, match=rf"^Nothing was adopted\.\noracle-universe-api runs code .*{HOST}"):
        command.adopt("prod", dry_run=dry_run, yes=True)
