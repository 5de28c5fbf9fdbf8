"""A real builder and a real registry with a login: build, push, look-up, and no login in an argument."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from artifacts.images import Builder, DockerfileImage, ImageError
from tests.artifacts.images.conftest import backend
from tests.support.errors import raises_text
from tests.support.registry import RegistryMissing, RunningRegistry, builder_environment, running_registry

pytestmark = pytest.mark.slow
USER, PASSWORD = "ada", "planted-password"
WATCH = """
import sys, psutil
seen = set()
print("ready", flush=True)
while True:
    for each in psutil.process_iter(["cmdline"]):
        words = " ".join(each.info["cmdline"] or [])
        if words not in seen:
            seen.add(words)
            print(words, flush=True)
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RunningRegistry]:
    (tmp_path / "at").mkdir()
    try:
        with running_registry(tmp_path / "at", (USER, PASSWORD)) as running:
            yield running
    except RegistryMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "builder").mkdir()
    found = {**os.environ, **builder_environment(tmp_path / "builder")}
    try:
        Builder.found(found)
    except ImageError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    return found


def log_in(environment: dict[str, str], host: str, password: str) -> None:
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    (Path(environment["DOCKER_CONFIG"]) / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


def test_an_image_is_built_pushed_and_found_without_a_login_in_an_argument(
    registry: RunningRegistry, environment: dict[str, str], project: Path
) -> None:
    log_in(environment, registry.host, PASSWORD)
    image = DockerfileImage(backend(registry.host), project, "", environment)
    assert image.digest() is None
    watching = subprocess.Popen([sys.executable, "-c", WATCH], stdout=subprocess.PIPE, text=True)
    assert watching.stdout is not None
    assert watching.stdout.readline() == "ready\n"
    lines: list[str] = []
    try:
        digest = image.make(lines.append)
    finally:
        watching.terminate()
        seen = watching.communicate()[0]
    assert image.digest() == digest
    encoded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert " push " in seen
    assert PASSWORD not in seen
    assert encoded not in seen
    assert PASSWORD not in "\n".join(lines)


@pytest.mark.parametrize("password", ["another", ""])
def test_a_refused_or_missing_login_is_one_sentence(
    registry: RunningRegistry, environment: dict[str, str], project: Path, password: str
) -> None:
    if password:
        log_in(environment, registry.host, password)
    image = DockerfileImage(backend(registry.host), project, "", environment)
    text = r"^127\..*/team/app may not be read with the login on this machine\. Fix: run `docker login 127\."
    with raises_text(ImageError, text):
        image.digest()


def test_a_rebuild_of_the_same_inputs_tags_the_former_image(
    registry: RunningRegistry, environment: dict[str, str], project: Path
) -> None:
    log_in(environment, registry.host, PASSWORD)
    image = DockerfileImage(backend(registry.host), project, "", environment)
    first = image.make(lambda _: None)
    again = image.make(lambda _: None, again=True)
    tag = f"before-{first.removeprefix('sha256:')[:12]}"
    assert image.registry.digest(tag) == first
    assert image.digest() == again
