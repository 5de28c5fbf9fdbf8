"""The reference backend, run as a container would run it: a copy of its folder, its entrypoint, its environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.support.http import ask
from tests.support.waiting import free_port, until

SOURCE = Path(__file__).parents[2] / "services" / "backend"
ADMIN = ("admin@oracle.test", "an-admin-password-1")
_FAST_PASSWORDS = """migrate((app) => {
  for (const name of ["_superusers", "humans", "agents"]) {
    const collection = app.findCollectionByNameOrId(name);
    collection.fields.getByName("password").cost = 4;
    app.save(collection);
  }
});
"""


def use_fast_passwords(folder: Path) -> None:
    """Give the copy of the backend in `folder` a last migration: bcrypt's lowest cost.

    A login takes a tenth of a second of processor else.
    """
    (folder / "pb_migrations" / "9999999999_fast_passwords.js").write_text(_FAST_PASSWORDS)


class Backend:
    """One running PocketBase. `folder` is made when it does not exist; what is in it (pb_data) survives a restart.

    Its passwords are hashed fast, unless it is `original`, which has the files of the reference backend alone.
    """

    def __init__(
        self,
        folder: Path,
        pocketbase: Path,
        env: Mapping[str, str] | None = None,
        port: int = 0,
        original: bool = False,
    ) -> None:
        if not folder.exists():
            shutil.copytree(SOURCE, folder)
            if not original:
                use_fast_passwords(folder)
        self.folder = folder
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        path = f"{pocketbase.parent}{os.pathsep}{os.environ['PATH']}"
        self.env = {"PATH": path, "HOST": "127.0.0.1", "PORT": str(self.port), **(env or {})}
        self.log = folder.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Backend:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when it answers. Raises RuntimeError with its log when it ends instead."""
        with self.log.open("ab") as log:
            command = [self.folder / "entrypoint.sh"]
            self._process = subprocess.Popen(
                command, cwd=self.folder.parent, env=self.env, stdout=log, stderr=subprocess.STDOUT
            )
        until(self._answers, f"{self.url}/api/health")

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs ./oracle-universe as one would on the console, from another directory."""
        program = self.folder / "oracle-universe"
        return subprocess.run(
            [program, *arguments],
            cwd=self.folder.parent,
            env=self.env,
            input="y\n",
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            self._process = None
            raise RuntimeError(f"the backend ended:\n{self.log.read_text()}")
        try:
            return ask("GET", f"{self.url}/api/health").is_success
        except httpx.TransportError:
            return False


@dataclass(frozen=True)
class Person:
    """Somebody who speaks to a backend: logged in with a token, or a guest without one."""

    url: str
    token: str = ""
    id: str = ""

    @classmethod
    def login(cls, url: str, collection: str, email: str, password: str) -> Person:
        """Raises httpx.HTTPStatusError when PocketBase does not let them in."""
        who = {"identity": email, "password": password}
        answer = (
            ask("POST", f"{url}/api/collections/{collection}/auth-with-password", json=who).raise_for_status().json()
        )
        return cls(url, answer["token"], answer["record"]["id"])

    @classmethod
    def register(cls, url: str, name: str) -> Person:
        """A new human NAME with the e-mail NAME@oracle.test and the password NAME-password."""
        email, password = f"{name.lower()}@oracle.test", f"{name}-password"
        human = {"name": name, "email": email, "password": password, "passwordConfirm": password}
        cls(url).create("humans", **human).raise_for_status()
        return cls.login(url, "humans", email, password)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return ask(method, self.url + path, token=self.token, **options)

    def create(self, collection: str, **fields: object) -> httpx.Response:
        return self.ask("POST", f"/api/collections/{collection}/records", json=fields)

    def list(self, collection: str, **query: str) -> httpx.Response:
        return self.ask("GET", f"/api/collections/{collection}/records", params=query)
