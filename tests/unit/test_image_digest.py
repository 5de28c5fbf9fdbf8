"""A backend that is built from a Dockerfile: previews, updates and runs, and the questions to the registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from artifacts.folders import ArtifactError
from cli.builds import image as images
from cli.builds.builds import builds, run_builds
from cli.deploy.service_plan import TO_BE_BUILT, version
from cli.doctor.images import image as doctor_image
from cli.engine.workspace import Stack
from errors import Fix
from settings import SettingsError, parse
from stack_outputs import UNBUILT, Release
from tests.support.errors import refused
from tests.support.scripted import Reply, Scripted, scripted
from tests.support.stacks import stack_file
from tests.unit import program
from tests.unit.test_settings import changed, values

DIGEST = f"sha256:{'a' * 64}"
STUB = """#!/bin/sh
echo "$1" >> {home}/said
echo "the builder's $1"
exit $(cat {home}/status)
"""


@dataclass
class Scene:
    """A project with a checkout, a registry that answers as told, and a builder that only says what it was told."""

    root: Path
    at: Scripted

    def config(self, **image: Any) -> dict[str, Any]:
        source = {"host": self.at.address.removeprefix("http://"), "repository": "app", **(image or {"build": {}})}
        return {**values()["backend"], "path": "checkout", "image": source}

    def stack(self, **image: Any) -> Stack:
        document = yaml.safe_load(stack_file("local").read_text())
        document["config"]["oracle-net:backend"] = self.config(**image)
        (self.root / "Pulumi.local.yaml").write_text(yaml.safe_dump(document))
        return Stack("local", self.root)

    def run(self, *, preview: bool) -> program.Run:
        config = program.config_of("local") | {"oracle-net:backend": json.dumps(self.config())}
        return program.run(config, preview=preview)

    def has(self, *there: bool) -> None:
        """What the registry says of the tag, one answer after the other; the last for ever."""
        answer = Reply("", headers={"docker-content-digest": DIGEST})
        self.at.answers[self.path] = [answer if each else Reply("", 404) for each in there]

    @property
    def path(self) -> str:
        image = images.image_of(Stack("local", self.root))
        return f"/v2/app/manifests/{image.tag}"

    @property
    def said(self) -> list[str]:
        file = self.root / "said"
        return [word for word in file.read_text().split() if word != "version"] if file.exists() else []


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout/Dockerfile").write_text("FROM scratch\n")
    for name in ("services", "components", "lifecycle", "sources"):
        (tmp_path / name).symlink_to(program.PROJECT / name)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text(STUB.format(home=tmp_path))
    (tmp_path / "bin/docker").chmod(0o755)
    (tmp_path / "status").write_text("0")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(images, "exports", lambda _: {})
    monkeypatch.chdir(tmp_path)
    with scripted() as at:
        made = Scene(tmp_path, at)
        made.stack()
        yield made


def test_a_preview_shows_the_digest_of_an_existing_image(scene: Scene) -> None:
    scene.has(True)
    assert program.plain(scene.run(preview=True).one("backend-app").inputs["spec"])["services"][0]["image"] == {
        "registryType": "DOCR",
        "registry": scene.at.address.removeprefix("http://"),
        "repository": "app",
        "digest": DIGEST,
    }
    assert scene.said == []


def test_a_preview_does_not_build_a_missing_image(scene: Scene) -> None:
    scene.has(False)
    release = scene.run(preview=True).outputs["release"]
    assert release["backend"] == f"{UNBUILT}{images.image_of(Stack('local', scene.root)).inputs.hash}"
    assert version(release, "backend") == TO_BE_BUILT
    assert scene.said == []


def test_an_update_builds_a_missing_image(scene: Scene) -> None:
    scene.has(False, False, True)
    assert scene.run(preview=False).outputs["release"]["backend"] == DIGEST
    assert scene.said == ["build", "push"]


def test_a_failed_build_ends_the_update_before_any_resource_is_registered(scene: Scene) -> None:
    scene.has(False)
    (scene.root / "bin/docker").write_text(STUB.format(home=scene.root).replace("exit", '[ "$1" = version ] || exit'))
    (scene.root / "status").write_text("3")
    with pytest.raises(pulumi.RunError, match=r"(?s)could not be built by docker \(status 3\).*the builder's build\b"):
        scene.run(preview=False)


def test_a_registry_failure_ends_the_preview_in_one_sentence(scene: Scene) -> None:
    scene.at.answers[scene.path] = [Reply("", 500)]
    with pytest.raises(pulumi.RunError, match=r"failed at a request for app \(status 500\)\. Fix: wait a minute"):
        scene.run(preview=True)


def test_a_run_builds_the_image_only_once(scene: Scene) -> None:
    scene.has(False, False, True)
    heard = [line for done in run_builds(builds(scene.stack(), ["backend"])) for line in done.report("local")]
    name = f"{scene.at.address.removeprefix('http://')}/app@{DIGEST}"
    assert heard == [f"Built: backend's image ({name})"]
    log = scene.root / ".oracle/logs/build-backend-image.log"
    assert log.read_text() == "the builder's build\nthe builder's push\n"
    (again,) = run_builds(builds(scene.stack(), ["backend"]))
    assert list(again.report("local")) == [f"Not built again: backend's image, whose source has not changed ({name})"]
    assert scene.said == ["build", "push"]


def test_the_build_command_runs_before_the_image_is_looked_up(scene: Scene) -> None:
    stack = scene.stack()
    document = yaml.safe_load(stack.file.read_text())
    document["config"]["oracle-net:backend"]["build"] = "echo made > made.txt"
    stack.file.write_text(yaml.safe_dump(document))
    (scene.root / "checkout/made.txt").write_text("made\n")
    scene.has(True)
    (scene.root / "checkout/made.txt").unlink()
    done = list(run_builds(builds(stack, ["backend"])))
    assert [(each.service, each.is_new) for each in done] == [("backend", True), ("backend's image", False)]


def test_a_run_without_a_builder_is_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.has(False)
    (scene.root / "bin/docker").unlink()
    monkeypatch.setenv("PATH", f"{scene.root}/bin")
    with pytest.raises(
        ArtifactError, match=r"^No program on this machine can build the backend's image \(docker is not "
    ):
        list(run_builds(builds(scene.stack(), ["backend"])))


def test_the_image_is_built_only_for_the_backend_and_without_a_receipt(scene: Scene) -> None:
    stack = scene.stack()
    assert builds(stack, ["web"]) == []
    assert builds(stack, ["backend"], images=False) == []
    document = yaml.safe_load(stack.file.read_text())
    names = {"workers": ("api", "web", "universe"), "assets": ("web", "universe")}
    bytes_ = {kind: dict.fromkeys(which, "b" * 64) for kind, which in names.items()}
    document["config"]["oracle-net:receipt"] = {"backend": DIGEST, **bytes_}
    stack.file.write_text(yaml.safe_dump(document))
    assert builds(stack, ["backend"]) == []


def test_a_digest_that_the_registry_has_lost_is_refused(scene: Scene) -> None:
    stack = scene.stack(digest=DIGEST)
    release = Release(backend=DIGEST, workers={}, assets={}, commits={})
    with refused(r"no longer has the backend's image aaaaaaaaaaaa .* nothing was changed\. Fix: run `or else`\.$"):
        images.refuse_lost(stack, release, None, Fix("or else"))
    images.refuse_lost(stack, release, DIGEST)
    scene.at.answers[f"/v2/app/manifests/{DIGEST}"] = [Reply("", headers={"docker-content-digest": DIGEST})]
    images.refuse_lost(stack, release, None)
    scene.at.answers[f"/v2/app/manifests/{DIGEST}"] = [Reply("", 500)]
    with pytest.raises(ArtifactError, match=r"failed at a request for app \(status 500\)"):
        images.refuse_lost(stack, release, None)


def test_an_image_of_the_local_cloud_is_looked_up_in_its_own_store(scene: Scene) -> None:
    stack = scene.stack(digest=DIGEST)
    text = stack.file.read_text().replace("http://127.0.0.1:8400", scene.at.address)
    document = yaml.safe_load(text)
    del document["config"]["oracle-net:backend"]["image"]["host"]
    stack.file.write_text(yaml.safe_dump(document))
    assert not images.has_image(stack, DIGEST)
    scene.at.answers[f"/_cloud/images/{DIGEST}"] = [Reply()]
    assert images.has_image(stack, DIGEST)
    assert scene.at.asked[-1] == f"HEAD /_cloud/images/{DIGEST}?repository=app"


def test_doctor_shows_if_the_image_exists_and_which_builder_there_is(scene: Scene) -> None:
    def told() -> list[tuple[str, str]]:
        stack = scene.stack()
        import os

        return [(each.level, each.what) for each in doctor_image(stack, stack.settings(), os.environ)]

    scene.has(False)
    assert [level for level, _ in told()] == ["ok", "ok"]
    assert "is not built yet: an update builds it" in told()[0][1]
    assert told()[1][1] == "docker can build it"
    scene.has(True)
    assert told()[0][1].endswith("can be read; what is checked out is aaaaaaaaaaaa")
    scene.at.answers[scene.path] = [Reply("", 403)]
    assert [level for level, _ in told()] == ["fail"]


def test_doctor_reports_a_missing_pinned_digest(scene: Scene) -> None:
    stack = scene.stack(digest=DIGEST)
    (finding,) = doctor_image(stack, stack.settings(), {})
    assert (finding.level, finding.remedy.split()[:2]) == ("fail", ["docker", "push"])
    assert "does not have aaaaaaaaaaaa, which is declared" in finding.what


@pytest.mark.parametrize(
    "image, sentence",
    [
        ({"repository": "a", "build": {}, "digest": DIGEST}, "needs one of digest, build and path"),
        ({"repository": "a", "build": {}, "registryType": "GHCR"}, "is pushed to GHCR and needs its namespace there"),
        ({"repository": "a", "build": {"file": "x"}}, "backend.image.build.file is not a key that this program knows"),
        (
            {"repository": "a", "build": {}, "host": "registry.example.com"},
            "image.host should be a registry on this mach",
        ),
    ],
)
def test_invalid_image_settings_are_refused(image: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        parse(changed("backend.image", image))


def test_a_dockerfile_build_without_a_checkout_is_refused() -> None:
    section = {**values()["backend"], "image": {"repository": "a", "build": {}}}
    del section["path"]
    with pytest.raises(SettingsError, match=r"has an image\.build and needs the path of the checkout"):
        parse(changed("backend", section))
