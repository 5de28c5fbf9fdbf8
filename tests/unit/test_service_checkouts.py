"""The services' checkouts in a rehearsal: which run, at which revisions, and the stack file written for them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.commands.rehearse import _change
from cli.engine import stacks
from cli.engine.revisions import git
from cli.engine.stacks import TEMPLATE
from cli.engine.workspace import Stack
from cli.rehearse.service_checkouts import Services, find
from cli.ui.errors import CommandError
from tests.support.stacks import LOCAL

WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
STAGING = """\
config:
  oracle-net:backend:
    appName: jellyfish-app-staging
    path: ../oracle-universe-backend
    image: {repository: oracle-universe-backend, digest: "sha256:0"}
  oracle-net:workers:
    api:
      script: oracle-universe-api-staging
      path: ../oracle-universe-api
      build: npx wrangler deploy --dry-run --outdir dist
      entry: dist/worker.js
      compatibilityDate: "2025-06-01"
      domain: {hostname: api.example.org, zoneId: abc}
      health: {path: /ping, status: 200}
    web:
      script: oracle-net-staging
      path: ../oracle-net-web
      assets: dist
    universe:
      script: oracle-universe-web-staging
      path: services/universe
      assets: public
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a staging stack; beside it a checkout of the api with two commits, and a folder."""
    made = tmp_path / "project"
    (made / TEMPLATE).parent.mkdir(parents=True)
    (made / TEMPLATE).write_text(LOCAL.read_text())
    (made / "Pulumi.staging.yaml").write_text(STAGING)
    checkout(tmp_path / "oracle-universe-api", "first", "second")
    (tmp_path / "oracle-universe-backend").mkdir()
    return made


def checkout(folder: Path, *texts: str, below: str = "") -> None:
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    for text in texts:
        (folder / below).mkdir(parents=True, exist_ok=True)
        (folder / below / "worker.ts").write_text(text)
        git(folder, "add", "-A")
        git(folder, *WHO, "commit", "-q", "-m", text)
        git(folder, "tag", text)


def commit(project: Path, name: str) -> str:
    return git(project.parent / "oracle-universe-api", "rev-parse", "--short=10", name)


def test_each_service_is_listed_with_the_code_that_runs_for_it(project: Path) -> None:
    found = find(project, "staging", {})
    assert found.lines == [
        f"api: ../oracle-universe-api at {commit(project, 'HEAD')}",
        (
            "backend: this repository's reference service, because its image is a container image, "
            "which a rehearsal does not run"
        ),
        "web: this repository's reference service, because there is no checkout ../oracle-net-web",
        "universe: this repository's reference service, because services/universe is in this repository",
    ]
    assert found.changed == []


def test_a_change_of_a_service_and_uncommitted_files_are_listed(project: Path) -> None:
    (project.parent / "oracle-universe-api/worker.ts").write_text("not committed")
    found = find(project, "staging", {"api": "first..second"})
    first, second = commit(project, "first"), commit(project, "second")
    assert found.lines[0] == (
        f"api: ../oracle-universe-api at {first}, then {second}; its uncommitted changes are left out"
    )
    assert [each.service for each in found.changed] == ["api"]


def test_without_a_stack_file_every_service_is_a_reference_service(project: Path) -> None:
    assert find(project, "elsewhere", {}).lines == [
        (
            "every service: this repository's reference service, because there is no Pulumi.elsewhere.yaml "
            "that names its checkout"
        )
    ]


def test_a_folder_that_is_not_a_checkout_is_not_used(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    (project.parent / "oracle-net-web").mkdir()
    assert find(project, "staging", {}).references["web"] == "../oracle-net-web is not a git checkout"


@pytest.mark.parametrize(
    "change, why",
    [
        ({"web": "a..b"}, r"of web cannot be rehearsed, because there is no checkout \.\./oracle-net-web\.$"),
        ({"backend": "a..b"}, "because its image is a container image"),
        ({"apo": "a..b"}, "because Pulumi.staging.yaml names no such service"),
        ({"api": "nowhere..HEAD"}, "There is no revision nowhere"),
    ],
)
def test_an_impossible_change_of_a_service_is_refused(project: Path, change: dict[str, str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        find(project, "staging", change)


@pytest.mark.parametrize("asked", ["api", "=a..b", "api="])
def test_invalid_words_for_a_change_are_refused(asked: str) -> None:
    with pytest.raises(CommandError, match=r"must name a service and revisions of its checkout\.$"):
        _change(asked)
    assert _change("api=main..HEAD") == ("api", "main..HEAD")


def placed(project: Path, services: Services, folder: Path, *, head: bool) -> dict[str, Any]:
    """The rehearsal's stack in its clone of the project, once the services are in their place."""
    stack = Stack("local", folder / "project")
    if not stack.file.exists():
        (folder / "project" / TEMPLATE).parent.mkdir(parents=True)
        (folder / "project" / TEMPLATE).write_text(LOCAL.read_text())
        stacks.write(stack)
        services.clone(folder)
    services.place(folder, stack, head=head)
    list(stacks.provide(stack))  # as `oracle up` does it: what is placed stays
    return dict(yaml.safe_load(stack.file.read_text())["config"])


def test_the_rehearsals_stack_runs_a_clone_of_the_checkout(project: Path, tmp_path: Path) -> None:
    services = find(project, "staging", {"api": "first..second"})
    folder = tmp_path / "rehearsal"
    for head, text in ((False, "first"), (True, "second")):
        config = placed(project, services, folder, head=head)
        assert (folder / "checkouts/api/worker.ts").read_text() == text
        assert config["oracle-net:workers"]["api"] == {
            "script": "oracle-universe-api",
            "path": "../checkouts/api",
            "build": "npx wrangler deploy --dry-run --outdir dist",
            "entry": "dist/worker.js",
            "compatibilityDate": "2025-06-01",
            "health": {"path": "/ping", "status": 200},
        }
        assert config["oracle-net:workers"]["web"]["path"] == "services/web"
        assert Stack("local", folder / "project").settings().health["api"].path == "/ping"
    assert git(project.parent / "oracle-universe-api", "status", "--porcelain") == ""


def test_the_stack_file_of_the_rehearsed_revision_is_used(project: Path, tmp_path: Path) -> None:
    """It is read from git when it is tracked there."""
    services, folder = find(project, "staging", {}), tmp_path / "rehearsal"
    placed(project, services, folder, head=False)
    (folder / "project/Pulumi.staging.yaml").write_text(STAGING.replace("npx wrangler", "bunx wrangler"))
    assert placed(project, services, folder, head=True)["oracle-net:workers"]["api"]["build"].startswith(
        "bunx wrangler"
    )


def test_a_stack_file_of_the_former_layout_is_accepted(project: Path, tmp_path: Path) -> None:
    document = yaml.safe_load(STAGING)
    config = document["config"]
    config |= {f"oracle-net:{name}": each for name, each in config.pop("oracle-net:workers").items()}
    (project / "Pulumi.staging.yaml").write_text(yaml.safe_dump(document))
    found = find(project, "staging", {"api": "first..second"})
    assert list(found.checkouts) == ["api"]
    assert set(found.references) == {"backend", "web", "universe"}
    config = placed(project, found, tmp_path / "rehearsal", head=True)
    assert config["oracle-net:workers"]["api"]["entry"] == "dist/worker.js"


def test_a_worker_without_a_reference_service_is_cloned(project: Path, tmp_path: Path) -> None:
    document = yaml.safe_load(STAGING)
    mail = {"script": "oracle-mail-staging", "path": "../mail", "entry": "w.js", "compatibilityDate": "2025-06-01"}
    document["config"]["oracle-net:workers"]["mail"] = mail
    (project / "Pulumi.staging.yaml").write_text(yaml.safe_dump(document))
    nothing = "mail: nothing, because there is no checkout ../mail, and this repository has no reference service for it"
    assert nothing in find(project, "staging", {}).lines
    checkout(project.parent / "mail", "only")
    workers = placed(project, find(project, "staging", {}), tmp_path / "rehearsal", head=True)["oracle-net:workers"]
    assert workers["mail"] == {**mail, "path": "../checkouts/mail"}
    assert Stack("local", tmp_path / "rehearsal/project").settings().services[-3:] == ("mail", "universe", "web")


def test_a_revision_with_a_container_image_uses_the_reference_backend(project: Path, tmp_path: Path) -> None:
    document = yaml.safe_load(STAGING)
    document["config"]["oracle-net:backend"]["image"] = {"path": "../oracle-universe-backend"}
    (project / "Pulumi.staging.yaml").write_text(yaml.safe_dump(document))
    checkout(project.parent / "oracle-universe-backend", "only")
    services, folder = find(project, "staging", {}), tmp_path / "rehearsal"
    placed(project, services, folder, head=False)
    (folder / "project/Pulumi.staging.yaml").write_text(STAGING)
    assert placed(project, services, folder, head=True)["oracle-net:backend"]["path"] == "../checkouts/backend"


def test_a_service_in_a_subfolder_of_its_repository_works(project: Path, tmp_path: Path) -> None:
    checkout(project.parent / "mono", "only", below="apps/web")
    text = STAGING.replace("../oracle-net-web", "../mono/apps/web")
    (project / "Pulumi.staging.yaml").write_text(text)
    config = placed(project, find(project, "staging", {}), tmp_path / "rehearsal", head=False)
    assert config["oracle-net:workers"]["web"]["path"] == "../checkouts/web/apps/web"
    assert (tmp_path / "rehearsal/checkouts/web/apps/web/worker.ts").read_text() == "only"


def test_a_backend_image_in_a_subfolder_of_its_checkout_works(project: Path, tmp_path: Path) -> None:
    document = yaml.safe_load(STAGING)
    document["config"]["oracle-net:backend"] |= {
        "build": "make image",
        "console": "./server superuser upsert",
        "image": {
            "repository": "x",
            "path": "../oracle-universe-backend/image",
            "run": ["./start"],
            "store": "http://x",
        },
    }
    (project / "Pulumi.staging.yaml").write_text(yaml.safe_dump(document))
    checkout(project.parent / "oracle-universe-backend", "only")
    backend = placed(project, find(project, "staging", {}), tmp_path / "rehearsal", head=False)["oracle-net:backend"]
    assert backend["appName"] == "jellyfish-app"
    assert (backend["path"], backend["build"]) == ("../checkouts/backend", "make image")
    assert backend["console"] == "./server superuser upsert"
    assert backend["image"]["path"] == "../checkouts/backend/image"
    assert backend["image"]["run"] == ["./start"]
    assert backend["image"]["store"].endswith("/_cloud/images")
