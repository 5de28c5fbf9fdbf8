"""From a Dockerfile to production: build, push, deploy, promote, roll back. One story: the tests run in order.

A real builder, a real registry on loopback; the local cloud pulls from there by digest, and runs what the layers hold.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from artifacts.images import Builder, ImageError
from tests.live.environments import Environments
from tests.live.project import Done, Project, assert_quiet
from tests.live.test_promotion import assert_fails_with, held, running_disk
from tests.support.registry import RegistryMissing, RunningRegistry, builder_environment, running_registry

pytestmark = [pytest.mark.live, pytest.mark.slow]
REPOSITORY = "team/oracle-universe-backend"
DOCKERFILE = """\
FROM scratch AS sources
COPY . /app

FROM scratch AS release
ARG GREETING=nothing
ENV GREETING=$GREETING
COPY --from=sources /app /app
WORKDIR /app
ENTRYPOINT ["./entrypoint.sh"]
"""
DIGESTS: dict[str, str] = {}
"""What ran at each point, for the tests that come after."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    try:
        with running_registry(tmp_path_factory.mktemp("registry")) as running:
            yield running
    except RegistryMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory, registry: RunningRegistry) -> Iterator[Environments]:
    """Staging builds from a Dockerfile, prod takes a digest from the same registry; nothing runs yet."""
    project = Project.copied(tmp_path_factory.mktemp("project"))
    project.environment.update(builder_environment(tmp_path_factory.mktemp("builder")))
    try:
        Builder.found({**os.environ, **project.environment})
    except ImageError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    (project.root / "services/backend/Dockerfile").write_text(DOCKERFILE)
    (project.root / "services/backend/.dockerignore").write_text("*.md\nDockerfile\n.dockerignore\n")
    (project.root / "services/backend/NOTES.md").write_text("not in the image")
    made = Environments.made(project)
    build = {"target": "release", "args": {"GREETING": "hello"}}
    set_image(made.staging, registry, build=build)
    try:
        yield made
    finally:
        made.stop()


def set_image(project: Project, registry: RunningRegistry, **source: Any) -> None:
    """Where the stack's image comes from."""
    document = yaml.safe_load(project.stack_file.read_text())
    image = {"host": registry.host, "registry": "team", "repository": "oracle-universe-backend", **source}
    document["config"]["oracle-net:backend"]["image"] = image
    project.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))


def deployed(project: Project) -> str:
    """The digest that the running app's spec names."""
    app = project.api("GET", f"/v2/apps/{project.outputs()['backendAppId']}")["app"]
    image = app["active_deployment"]["spec"]["services"][0]["image"]
    return str(image["digest"])


def entrypoint(project: Project) -> str:
    return (running_disk(project) / "app" / "entrypoint.sh").read_text()


def text(done: Done) -> str:
    return " ".join(done.well().output.split())


def test_the_image_is_built_pushed_and_deployed(environments: Environments, registry: RunningRegistry) -> None:
    staging = environments.staging
    done = staging.oracle("up", "staging").well()
    assert "Built: backend's image" in done.output
    (tag,) = registry.tags(REPOSITORY)
    assert tag.startswith("inputs-")
    DIGESTS["first"] = registry.digest(REPOSITORY, tag)
    assert deployed(staging) == DIGESTS["first"] == staging.outputs()["release"]["backend"]
    assert entrypoint(staging) == (staging.root / "services/backend/entrypoint.sh").read_text()
    assert not (running_disk(staging) / "app" / "NOTES.md").exists()


def test_an_unchanged_source_is_not_built_again(environments: Environments, registry: RunningRegistry) -> None:
    staging = environments.staging
    (staging.root / "services/backend/NOTES.md").write_text("changed, and left out by .dockerignore")
    done = staging.oracle("deploy", "backend", "--stack", "staging", "--yes")
    assert "Not built again: backend's image" in text(done)
    assert "Nothing to deploy" in text(done)
    assert_quiet(staging.pulumi("preview", "--stack", "staging"))
    assert len(registry.tags(REPOSITORY)) == 1


def test_a_preview_announces_a_build_and_builds_nothing(environments: Environments, registry: RunningRegistry) -> None:
    staging = environments.staging
    staging.edit("services/backend/entrypoint.sh", "exec ", "echo second\nexec ")
    assert "the backend's image will be built" in text(staging.pulumi("preview", "--stack", "staging"))
    assert "> to be built" in text(staging.oracle("plan", "staging"))
    assert len(registry.tags(REPOSITORY)) == 1


def test_a_failed_build_changes_nothing(environments: Environments, registry: RunningRegistry) -> None:
    staging = environments.staging
    before = held(staging)
    staging.edit("services/backend/Dockerfile", "COPY . /app", "COPY nothing-of-this-name /app")
    done = staging.up().failed()
    assert "The backend's image could not be built by" in done.output
    done = staging.oracle("deploy", "backend", "--stack", "staging", "--yes").failed()
    assert "The backend's image could not be built by" in done.output
    assert held(staging) == before
    staging.edit("services/backend/Dockerfile", "COPY nothing-of-this-name /app", "COPY . /app")


def test_a_plain_pulumi_update_builds_the_image(environments: Environments, registry: RunningRegistry) -> None:
    staging = environments.staging
    staging.up().well()
    DIGESTS["second"] = deployed(staging)
    assert DIGESTS["second"] != DIGESTS["first"]
    assert "echo second" in entrypoint(staging)
    assert len(registry.tags(REPOSITORY)) == 2
    assert_quiet(staging.pulumi("preview", "--stack", "staging"))


def test_the_image_is_promoted_by_its_digest(environments: Environments, registry: RunningRegistry) -> None:
    staging, prod = environments
    set_image(prod, registry, digest=DIGESTS["first"])
    prod.oracle("up", "prod").well()
    assert deployed(prod) == DIGESTS["first"]
    staging.oracle("promote", "staging", "prod", "--yes").well()
    assert deployed(prod) == DIGESTS["second"]
    assert "echo second" in entrypoint(prod)


def test_the_image_is_rolled_back(environments: Environments) -> None:
    prod = environments.prod
    prod.oracle("rollback", "prod", "--yes").well()
    assert deployed(prod) == DIGESTS["first"]
    assert "echo second" not in entrypoint(prod)


def test_a_digest_that_the_registry_has_lost_changes_nothing(
    environments: Environments, registry: RunningRegistry
) -> None:
    staging, prod = environments
    registry.lose(REPOSITORY, DIGESTS["second"])
    before, file = held(prod), prod.stack_file.read_bytes()
    lost = (
        rf"The registry of {registry.host}/team, repository oracle-universe-backend, no longer has the backend's image"
    )
    assert_fails_with(
        prod.oracle("rollback", "prod", "--yes"),
        rf"{lost} .* nothing was changed\. Fix: run `oracle rollback prod --list` .*",
    )
    assert_fails_with(
        staging.oracle("promote", "staging", "prod", "--yes"),
        rf"{lost} .* nothing was changed\. Fix: push the image .*",
    )
    assert_fails_with(
        staging.oracle("promote", "staging", "prod", "--receipt-only"), rf"{lost} .* nothing was changed\. .*"
    )
    assert (held(prod), prod.stack_file.read_bytes()) == (before, file)
    shown = json.loads(prod.oracle("rollback", "prod", "--list", "--json").output.partition("]")[0] + "]")
    assert DIGESTS["second"] not in json.dumps(shown)
