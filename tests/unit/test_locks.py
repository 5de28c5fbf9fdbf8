"""The place of a state, and the holder of its lock."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from unittest.mock import Mock

import pytest

from cli.engine import recover
from cli.engine.locks import bucket_at, folder_at, held_in
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack, exports
from tests.support.errors import refused
from tests.support.stacks import LOCAL

DEAD = 4_000_000  # above any process number


class Store:
    """A bucket's objects."""

    def __init__(self, objects: dict[str, str]) -> None:
        self.objects = objects

    def names(self, prefix: str) -> list[str]:
        return sorted(name for name in self.objects if name.startswith(prefix))

    def read_text(self, name: str) -> str | None:
        return self.objects.get(name)

    def delete(self, name: str) -> None:
        self.objects.pop(name, None)


def lock(pid: int, host: str | None = None) -> str:
    held = {
        "pid": pid,
        "hostname": host or socket.gethostname(),
        "username": "ada",
        "timestamp": "2026-11-22T20:00:00Z",
    }
    return json.dumps(held)


def store() -> Store:
    base = ".pulumi/locks/organization/oracle-net"
    return Store(
        {
            f"{base}/prod/1.json": lock(DEAD),
            f"{base}/prod/2.json": '{"pid": 1',
            f"{base}/production/3.json": lock(os.getpid(), "another"),
        }
    )


@pytest.mark.parametrize(
    "url, bucket, prefix, endpoint",
    [
        ("s3://states", "states", "", None),
        ("s3://states/team/a?region=eu-1", "states", "team/a", None),
        ("s3://s?endpoint=https://x.r2.cloudflarestorage.com&use_path_style=true", "s", "", "https://x.r2.cloudflarestorage.com"),
        ("s3://s?endpoint=sgp1.digitaloceanspaces.com", "s", "", "https://sgp1.digitaloceanspaces.com"),
        ("s3://s?endpoint=127.0.0.1:9000&disable_https=true", "s", "", "http://127.0.0.1:9000"),
    ],
)  # fmt: skip
def test_a_bucket_is_parsed_from_its_address(url: str, bucket: str, prefix: str, endpoint: str | None) -> None:
    found = bucket_at(url)
    assert found is not None
    assert (found.place.bucket, found.place.prefix, found.place.endpoint) == (bucket, prefix, endpoint)


@pytest.mark.parametrize("url", ["", "file:///x", "https://api.pulumi.com", "s3://"])
def test_other_addresses_are_not_buckets(url: str) -> None:
    assert bucket_at(url) is None


def test_a_folder_is_parsed_from_its_address() -> None:
    assert folder_at("file:///home/ada/my%20state") == Path("/home/ada/my state")
    assert folder_at("s3://states") is None


@pytest.mark.parametrize("name", ["plain", "we#ird", "100%41", "a b", "what?", "caf\u00e9"])
def test_the_local_state_is_found_in_a_folder_of_any_name(name: str, tmp_path: Path) -> None:
    """The engine reads an address, in which some of these characters are special."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "Pulumi.local.yaml").write_text(LOCAL.read_text())
    stack = Stack("local", folder)
    url = exports(stack)["PULUMI_BACKEND_URL"]
    assert url.isascii()
    assert not set("#? ") & set(url)
    assert folder_at(url) == stack.state


def test_only_the_locks_of_the_stack_are_read() -> None:
    (found,) = held_in(store(), "prod")  # type: ignore[arg-type]
    assert (found.pid, found.user, found.alive) == (DEAD, "ada", False)


def engine(stack: str) -> Engine:
    made = Mock(Engine)
    made.stack = Mock()
    made.stack.name = stack
    made.environment = {"PULUMI_BACKEND_URL": "s3://states"}
    made.export.return_value = {}
    return made


def test_a_lock_of_a_dead_process_in_a_bucket_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    held = store()
    monkeypatch.setattr(recover, "bucket_at", lambda _: held)
    assert recover.recover(engine("prod")) == [f"removed the lock of process {DEAD}, which is dead"]
    assert not held_in(held, "prod")  # type: ignore[arg-type]


def test_a_lock_of_another_machine_is_not_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    held = store()
    monkeypatch.setattr(recover, "bucket_at", lambda _: held)
    with refused(
        r"of ada on another, since .* Fix: wait for it; or run `pulumi cancel --stack production` if no update runs on "
        r"that machine\.$"
    ):
        recover.recover(engine("production"))
    assert len(held.objects) == 3
