"""A real container registry on loopback, and a real builder with a storage of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import bcrypt

from artifacts.images.registry import MANIFESTS
from clients.http import client, httpx
from tests.support.waiting import free_port, until

REGISTRIES = ("docker-registry", "registry")
START_SECONDS = 20.0
CONFIG = """\
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {folder}}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
"""
LOGIN = "auth: {{htpasswd: {{realm: tests, path: {file}}}}}\n"
STORAGE = """\
[storage]
driver = "vfs"
graphroot = "{folder}/storage"
runroot = "{folder}/run"
"""


class RegistryMissing(Exception):
    """Its program is not installed; the message says how to get it."""


@dataclass(frozen=True)
class RunningRegistry:
    """`host` is its name in image names."""

    host: str

    def tags(self, repository: str) -> set[str]:
        answer = self._ask("GET", f"{repository}/tags/list")
        return set(answer.json().get("tags") or []) if answer.status_code == 200 else set()

    def digest(self, repository: str, tag: str) -> str:
        return self._ask("HEAD", f"{repository}/manifests/{tag}").headers["docker-content-digest"]

    def lose(self, repository: str, digest: str) -> None:
        """Deletes a manifest, as a clean-up does."""
        assert self._ask("DELETE", f"{repository}/manifests/{digest}").status_code == 202

    def _ask(self, method: str, path: str) -> httpx.Response:
        with client(headers={"accept": ", ".join(MANIFESTS)}) as http:
            return http.request(method, f"http://{self.host}/v2/{path}")


def program() -> str:
    """The installed registry. Raises RegistryMissing."""
    found = next((path for name in REGISTRIES if (path := shutil.which(name))), None)
    if found is None:
        raise RegistryMissing("A container registry is not installed.\n  next: apt-get install docker-registry buildah")
    return found


@contextmanager
def running_registry(folder: Path, login: tuple[str, str] | None = None) -> Iterator[RunningRegistry]:
    """An empty registry for as long as the block lasts, which asks for the login if there is one. Raises
    RegistryMissing.
    """
    port = free_port()
    config = folder / "registry.yml"
    config.write_text(CONFIG.format(folder=folder / "registry", port=port))
    if login:
        hashed = bcrypt.hashpw(login[1].encode(), bcrypt.gensalt(rounds=4)).decode()
        (folder / "htpasswd").write_text(f"{login[0]}:{hashed}\n")
        with config.open("a") as file:
            file.write(LOGIN.format(file=folder / "htpasswd"))
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen([program(), "serve", str(config)], stdout=log, stderr=log)
    try:
        until(lambda: _answers(port), "the registry answers", START_SECONDS)
        yield RunningRegistry(f"127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait()


def builder_environment(folder: Path) -> dict[str, str]:
    """In which buildah and podman keep everything below a folder, and need no privileges; docker does not mind."""
    storage = folder / "storage.conf"
    storage.write_text(STORAGE.format(folder=folder))
    docker = folder / "docker"
    docker.mkdir()
    (docker / "config.json").write_text(json.dumps({}))
    return {
        "BUILDAH_ISOLATION": "chroot",
        "CONTAINERS_STORAGE_CONF": str(storage),
        "DOCKER_CONFIG": str(docker),
        "PATH": os.environ["PATH"],
    }


def _answers(port: int) -> bool:
    with suppress(httpx.HTTPError), client() as http:
        return http.get(f"http://127.0.0.1:{port}/v2/").status_code in (200, 401)
    return False
