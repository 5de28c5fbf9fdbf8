"""The builder of images: the program, its arguments and variables, and no secret in an argument."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from artifacts.images.builder import Builder
from artifacts.images.dockerfile import DockerfileImage
from artifacts.images.errors import ImageError
from artifacts.images.inputs import Inputs
from artifacts.images.logins import Login
from artifacts.images.repository import Repository
from tests.artifacts.images.conftest import backend
from tests.support.errors import raises_text, shown_text
from tests.support.scripted import Reply, scripted

HERE = Repository(host="127.0.0.1:5000", path="team/app")
GHCR = Repository(host="ghcr.io", path="team/app")
DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
STUB = """#!/bin/sh
echo "{name} $*" >> {home}/said
case "$1" in
version|info) exit {works} ;;
build) env > {home}/env; echo "step one"; for last; do :; done; ls "$last" > {home}/context; exit {builds} ;;
push) cat "$DOCKER_CONFIG/config.json" "$REGISTRY_AUTH_FILE" > {home}/login 2>/dev/null; exit 0 ;;
esac
"""


def installed(home: Path, name: str, works: int = 0, builds: int = 0) -> None:
    path = home / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(STUB.format(name=name, home=home, works=works, builds=builds))
    path.chmod(0o755)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "bin").mkdir()
    return {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path)}


@pytest.fixture
def only_stubs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A real builder of this machine is not seen."""
    monkeypatch.setattr(
        "artifacts.images.builder.shutil.which",
        lambda name, path=None: str(tmp_path / "bin" / name) if (tmp_path / "bin" / name).exists() else None,
    )


def said(home: Path) -> list[str]:
    return (home / "said").read_text().splitlines()


@pytest.mark.usefixtures("only_stubs")
def test_the_first_working_builder_is_chosen(tmp_path: Path, environment: dict[str, str]) -> None:
    installed(tmp_path, "docker", works=1)
    installed(tmp_path, "buildah")
    assert Builder.found(environment).program == "buildah"
    installed(tmp_path, "podman")
    assert Builder.found(environment).program == "podman"
    installed(tmp_path, "docker")
    assert Builder.found(environment).program == "docker"


@pytest.mark.usefixtures("only_stubs")
def test_a_missing_builder_is_one_sentence(tmp_path: Path, environment: dict[str, str]) -> None:
    installed(tmp_path, "docker", works=1)
    installed(tmp_path, "podman", works=1)
    with pytest.raises(ImageError) as caught:
        Builder.found(environment)
    assert shown_text(caught.value) == (
        "No program on this machine can build the backend's image (docker has no daemon that answers; podman does not "
        "work here; buildah is not installed). Fix: start docker's daemon; or run `sudo apt-get install buildah` to "
        "install a builder."
    )


def test_a_build_gets_the_platform_the_target_and_the_arguments(
    tmp_path: Path, environment: dict[str, str], project: Path
) -> None:
    installed(tmp_path, "docker")
    (project / "backend/NOTES.md").write_text("left out")
    lines: list[str] = []
    inputs = Inputs.of(backend(build={"target": "release", "args": {"B": "2", "A": "1 1"}}), project)
    Builder("docker", {**environment, "DIGITALOCEAN_TOKEN": "planted-token"}).build(inputs, "name:tag", lines.append)
    (command,) = said(tmp_path)
    assert command.startswith("docker build --platform linux/amd64 --file ")
    assert " --tag name:tag --target release --build-arg A=1 1 --build-arg B=2 " in command
    assert lines == ["step one"]
    assert "planted-token" not in (tmp_path / "env").read_text()
    assert (tmp_path / "context").read_text().split() == ["Dockerfile", "main.sh", "src"]


def test_a_failed_build_is_a_sentence_with_the_end_of_its_output(
    tmp_path: Path, environment: dict[str, str], project: Path
) -> None:
    installed(tmp_path, "docker", builds=3)
    fix = r"Fix: fix the error in this output, then run `pulumi up --stack prod`\.$"
    with raises_text(ImageError, rf"(?s)could not be built by docker \(status 3\): step one\. {fix}"):
        Builder("docker", environment).build(Inputs.of(backend(), project), "name:tag", lambda _: None)


@pytest.mark.parametrize("program", ["docker", "podman", "buildah"])
def test_a_login_is_passed_in_a_file_and_not_in_an_argument(
    tmp_path: Path, environment: dict[str, str], program: str
) -> None:
    installed(tmp_path, program)
    (tmp_path / ".docker/contexts").mkdir(parents=True)
    (tmp_path / ".docker/config.json").write_text('{"currentContext": "colima", "credsStore": "keys"}')
    Builder(program, environment).push(GHCR, "ghcr.io/team/app:1", Login("ada", "planted-password"), lambda _: None)
    assert said(tmp_path) == [f"{program} push ghcr.io/team/app:1"]
    config = json.loads((tmp_path / "login").read_text())
    assert config["auths"] == {"ghcr.io": {"auth": Login("ada", "planted-password").basic}}
    assert config.get("currentContext") == ("colima" if program == "docker" else None)
    assert "credsStore" not in config


def test_a_registry_on_loopback_is_used_without_tls(tmp_path: Path, environment: dict[str, str]) -> None:
    for program in ("docker", "buildah"):
        installed(tmp_path, program)
        Builder(program, environment).push(HERE, str(HERE), None, lambda _: None)
    assert said(tmp_path) == [f"docker push {HERE}", f"buildah push --tls-verify=false {HERE}"]


def there(digest: str) -> Reply:
    return Reply("{}", headers={"docker-content-digest": digest, "content-type": "application/json"})


@pytest.mark.usefixtures("only_stubs")
def test_an_image_is_built_once_and_pinned_by_the_registrys_digest(
    tmp_path: Path, environment: dict[str, str], project: Path
) -> None:
    installed(tmp_path, "docker")
    with scripted() as at:
        image = DockerfileImage(backend(at.address.removeprefix("http://")), project, "", environment)
        path = f"/v2/team/app/manifests/{image.tag}"
        at.answers[path] = [Reply("", 404), Reply("", 404), there(DIGEST)]
        assert image.digest() is None
        assert image.make(lambda _: None) == DIGEST
        assert [line.split()[1] for line in said(tmp_path)] == ["version", "build", "push"]
        assert image.digest() == DIGEST


@pytest.mark.usefixtures("only_stubs")
def test_an_image_pushed_by_another_build_meanwhile_is_used(
    tmp_path: Path, environment: dict[str, str], project: Path
) -> None:
    """Two digests of the same inputs would leave one of them untagged, so that the registry could delete it."""
    installed(tmp_path, "docker")
    with scripted() as at:
        image = DockerfileImage(backend(at.address.removeprefix("http://")), project, "", environment)
        at.answers[f"/v2/team/app/manifests/{image.tag}"] = [there(OTHER)]
        assert image.make(lambda _: None) == OTHER
    assert "push" not in [line.split()[1] for line in said(tmp_path)]


@pytest.mark.usefixtures("only_stubs")
def test_a_rebuild_tags_the_former_image(tmp_path: Path, environment: dict[str, str], project: Path) -> None:
    installed(tmp_path, "docker")
    with scripted() as at:
        image = DockerfileImage(backend(at.address.removeprefix("http://")), project, "", environment)
        own = f"/v2/team/app/manifests/before-{'a' * 12}"
        at.answers |= {
            f"/v2/team/app/manifests/{image.tag}": [there(DIGEST), there(OTHER)],
            f"/v2/team/app/manifests/{DIGEST}": [there(DIGEST)],
            own: [Reply("", 201)],
        }
        assert image.make(lambda _: None, again=True) == OTHER
        assert f"PUT {own}" in at.asked


@pytest.mark.usefixtures("only_stubs")
def test_a_push_without_a_result_is_one_sentence(tmp_path: Path, environment: dict[str, str], project: Path) -> None:
    installed(tmp_path, "docker")
    with scripted() as at:
        image = DockerfileImage(backend(at.address.removeprefix("http://")), project, "", environment)
        with raises_text(ImageError, r"docker has pushed .*, but the registry does not have it\. Fix: run `pulumi up"):
            image.make(lambda _: None)
