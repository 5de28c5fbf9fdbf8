"""The program refuses code and files with the backend's address in them, before it declares a resource."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from settings import Settings, from_file
from sources.checkout import Built, Module, Site
from sources.release import read_sources
from stack_outputs import PINNED_VARIABLE
from storage.releases import place
from tests.support.stacks import LOCAL
from tests.unit import program

HOST = "jellyfish-app-xml6o.ondigitalocean.app"
API, WEB = "services/api/src/worker.js", "services/web/public/index.html"
WHY = "Each release of the backend gets another address, and the app at the one before is deleted."


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with checkouts of its own."""
    monkeypatch.delenv(PINNED_VARIABLE, raising=False)
    for name in ("web", "universe", "api", "backend"):
        shutil.copytree(
            program.PROJECT / "services" / name, tmp_path / "services" / name, ignore=shutil.ignore_patterns("pb_data")
        )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def append(path: Path, text: str) -> str:
    """Adds a line to a file; the line's number, as text."""
    before = path.read_text() if path.exists() else ""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{before}{text}\n")
    return str(before.count("\n") + 1)


def refused(config: Mapping[str, str] | None = None, *, preview: bool = False) -> str:
    """What the program says; nothing is declared when it refuses."""
    declared: list[str] = []

    def new_resource(_: program.Run, args: Any) -> tuple[str, dict[str, Any]]:
        declared.append(args.name)
        return "id", {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program.Run, "new_resource", new_resource)
        with pytest.raises(pulumi.RunError) as caught:
            program.run(config or program.config_of("local"), preview=preview)
    assert declared == []
    return str(caught.value)


def changed(service: str, **values: Any) -> dict[str, str]:
    config = program.config_of("local")
    workers = json.loads(config["oracle-net:workers"])
    workers[service] |= values
    return config | {"oracle-net:workers": json.dumps(workers)}


@pytest.mark.parametrize("preview", [True, False])
def test_an_api_with_the_backends_address_is_refused(project: Path, preview: bool) -> None:
    line = append(project / API, f"// https://{HOST}")
    assert refused(preview=preview) == (
        f"The backend's address is written in the code of api: {HOST} ({API}:{line}:12). {WHY} Fix: read the address "
        "from the binding POCKETBASE_URL, then run `pulumi up --stack unit`."
    )


def test_a_site_with_the_backends_address_is_refused(project: Path) -> None:
    line = append(project / WEB, f'<a href="https://{HOST}/_/">')
    assert refused() == (
        f"The backend's address is written in the files of web: {HOST} ({WEB}:{line}:18). {WHY} Fix: call the API at "
        "/_api, or at the apiUrl of /config.json, then run `pulumi up --stack unit`."
    )


def test_a_redirect_rule_with_the_backends_address_is_refused(project: Path) -> None:
    append(project / "services/universe/public/_redirects", f"/pb/* https://{HOST}/:splat 302")
    assert "files of universe: " in refused()


def test_the_refusal_of_a_built_module_names_the_sources_and_the_build(project: Path) -> None:
    (project / "services/api/dist").mkdir()
    shutil.copy(project / API, project / "services/api/dist/index.js")
    append(project / "services/api/dist/index.js", f"// {HOST}")
    append(project / "services/api/lib/pb.ts", f"export const PB_URL = 'https://{HOST}'")
    said = refused(changed("api", entry="dist/index.js", build="make"))
    assert f"{HOST} (services/api/dist/index.js:" in said
    assert ", in the sources: lib/pb.ts:1:32. " in said
    assert said.endswith(", then run `oracle build api --stack unit`, then run `pulumi up --stack unit`.")


def test_the_refusal_lists_every_service(project: Path) -> None:
    append(project / API, f"// {HOST}")
    append(project / WEB, f"<!-- {HOST} -->")
    api, web = refused().splitlines()
    assert "code of api: " in api
    assert "files of web: " in web


def test_other_addresses_are_accepted(project: Path) -> None:
    append(project / API, "// https://another-app-xml6o.ondigitalocean.app https://api.oraclenet.org")
    assert program.run(program.config_of("local")).outputs["apiUrl"]


def other_stack(project: Path, name: str, app: str = "jellyfish-app", domain: str = "api.oraclenet.org") -> None:
    """Writes the file of another stack, with other names and a domain for its API."""
    text = LOCAL.read_text().replace("appName: jellyfish-app", f"appName: {app}")
    text = text.replace("script: oracle-universe-api", f"script: oracle-universe-api-{name}")
    at = f"      domain: {{hostname: {domain}, zoneId: {'a' * 32}}}\n    web:"
    (project / f"Pulumi.{name}.yaml").write_text(text.replace("    web:", at))


def warned(config: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_, **__: said.append(text))
    program.run(config)
    return said


def test_the_address_of_another_stacks_backend_is_refused(project: Path) -> None:
    """Code on staging with this address would use production's data."""
    other_stack(project, "prod")
    line = append(project / API, f"// https://{HOST}")
    config = program.config_of("local")
    config["oracle-net:backend"] = config["oracle-net:backend"].replace('"jellyfish-app"', '"jellyfish-app-staging"')
    said = refused(config)
    assert said.startswith(f"The backend's address is written in the code of api: {HOST} ({API}:{line}:12). {WHY}")


def test_the_api_address_of_another_stack_in_a_site_is_a_warning(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not refused, since it may be part of a text for people."""
    other_stack(project, "prod")
    line = append(project / WEB, "<code>curl https://api.oraclenet.org/api/oracles</code>")
    append(project / API, "// https://api.oraclenet.org")
    [said] = warned(program.config_of("local"), monkeypatch)
    assert said == (
        f"The address of the API of prod is written in the files of web: api.oraclenet.org ({WEB}:{line}:20). If "
        "it is more than a text for people, these pages use the data of prod. Fix: call the API at /_api, or at the "
        "apiUrl of /config.json."
    )


def test_the_stacks_own_api_address_and_broken_files_cause_no_warning(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "Pulumi.local.yaml").write_text(LOCAL.read_text())
    (project / "Pulumi.broken.yaml").write_text("config: [")
    append(project / WEB, "<code>http://oracle-universe-api.oracle.workers.localhost:8401</code>")
    assert warned(program.config_of("local"), monkeypatch) == []


def test_released_bytes_with_the_address_are_refused(project: Path) -> None:
    """The checkouts are clean; the bytes come from the release archive."""
    release = program.run(program.config_of("local")).outputs["release"]
    release["workers"]["api"] = kept_with(project, API, f"// {HOST}", module)
    release["assets"]["web"] = kept_with(project, WEB, f"<!-- {HOST} -->", files)
    said = refused(program.config_of("local") | {"oracle-net:receipt": json.dumps(release)})
    code, assets = release["workers"]["api"][:12], release["assets"]["web"][:12]
    assert f"code of api that the receipt names ({code}): {HOST} (worker.js:" in said
    assert f"files of web that the receipt names ({assets}): {HOST} (index.html:" in said
    assert said.endswith("deploy that in the stack that it is promoted from, then run `oracle promote FROM unit`.")


def kept_with(project: Path, name: str, text: str, built: Callable[[Path], Built]) -> str:
    """Keeps what a checkout builds with one more line in a file, which is as before then; the digest."""
    clean = (project / name).read_text()
    append(project / name, text)
    other = built(project)
    place(project, other.item).write_bytes(other.packed())
    (project / name).write_text(clean)
    return other.item.digest


def module(project: Path) -> Module:
    return Module("api", project, settings().api)


def files(project: Path) -> Site:
    return Site("web", project, settings().sites["web"])


def settings() -> Settings:
    return from_file(LOCAL)


def test_an_adopted_api_with_the_address_is_accepted(project: Path) -> None:
    append(project / API, f"// {HOST}")
    program.run(changed("api", adopted={"version": "version-12345678"}))


def keep(project: Path, monkeypatch: pytest.MonkeyPatch, services: list[str], api: str) -> None:
    path = project / "pinned.json"
    release = read_sources(settings(), project).release
    path.write_text(json.dumps({"services": services, "release": release, "api": api}))
    monkeypatch.setenv(PINNED_VARIABLE, str(path))


def test_retained_services_with_the_address_are_accepted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(project, monkeypatch, ["backend", "api", "universe"], f"// {HOST}")
    append(project / API, f"// {HOST}")
    append(project / "services/universe/public/index.html", f"<!-- {HOST} -->")
    program.run(program.config_of("local"))
    append(project / WEB, f"<!-- {HOST} -->")
    said = refused()
    assert "files of web: " in said
    assert "universe" not in said
    assert "code of api" not in said


def test_a_retained_api_with_the_address_is_refused_if_the_backend_changes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(project, monkeypatch, ["api", "web", "universe"], f"first\n// {HOST}")
    assert refused() == (
        f"The backend's address is written in the code of api that runs: {HOST} (worker.js:2:4). {WHY} Fix: read the "
        "address from the binding POCKETBASE_URL, then run `oracle deploy api --stack unit`."
    )
    keep_clean = json.loads((project / "pinned.json").read_text()) | {"api": "export default {}"}
    (project / "pinned.json").write_text(json.dumps(keep_clean))
    program.run(program.config_of("local"))
