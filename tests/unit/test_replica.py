"""The script around an image with Litestream: a path per app, a fresh start, a proof; and when the program calls it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clients.app_platform import CommandResult, ConsoleError
from clients.pocketbase import create_backup, download_backup, list_backups, upload_backup
from components.backend_generation import fingerprint
from errors import SetKey, UserError
from lifecycle import replica
from lifecycle.migration import restore_archive
from settings import ReplicaSettings, SettingsError, parse
from tests.support.fake_pocketbase import FakePocketBase
from tests.support.fakes import FakeAccount, FakeAppPlatform, app, target
from tests.support.waiting import until
from tests.unit import program
from tests.unit.test_backend_generation import RELEASE, settings

APP = "jellyfish-app-g1-r2"
LIVE = """dbs:
  - path: /app/pb_data/data.db # the database
    replicas:
      - type: s3
        bucket: oraclenet-pb-backup
        path: {place}
        endpoint: https://${{CF_ACCOUNT_ID}}.r2.cloudflarestorage.com
"""
OTHERS = """dbs:
- path: a.db
  replicas:
  - url: 's3://bucket/x'
  # a comment
  - path: /mnt/copy
    type: file
- path: b.db
  replicas:
    - type: file
      path: "{place}"
exec: ./serve
"""
# Shows its arguments, and what databases there are.
LITESTREAM = """#!/bin/sh
echo "$*" >>calls
case "$1" in
  databases) printf 'path replicas\\n%s/pb_data/data.db s3\\n' "$PWD" ;;
  restore) [ -e restorable ] && touch .replica-proof ;;
esac
"""
# Says that it runs, and ends when it is told to.
SERVICE = """#!/bin/sh
mkdir -p pb_data/.data.db-litestream && echo 00112233 >pb_data/.data.db-litestream/generation
trap 'echo ended >>log; exit 7' TERM
echo begun >>log
while :; do sleep 0.05; done
"""


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """A container's disk: a service, Litestream's configuration, and a double of its program."""
    for name, text in {"service": SERVICE, "litestream": LITESTREAM}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "litestream.yml").write_text(LIVE.format(place="data"))
    return tmp_path


def environment(container: Path) -> dict[str, str]:
    own = replica.variables(ReplicaSettings(config="litestream.yml", command="./service"))
    return {"PATH": f"{container}:{os.environ['PATH']}", "BACKEND": APP, **own}


def start(container: Path) -> subprocess.Popen[str]:
    """As App Platform runs a component's command."""
    return subprocess.Popen(
        ["/bin/sh", "-c", f"exec {replica.RUN_COMMAND}"],
        cwd=container,
        env=environment(container),
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(container: Path, word: str) -> int:
    """As the program does in the container's console."""
    command = ["sh", "-c", replica.EVALUATE, "replica", word]
    done = subprocess.run(command, cwd=container, env=environment(container), check=False, capture_output=True)
    return done.returncode


def lines(container: Path, name: str = "log") -> list[str]:
    return (container / name).read_text().split("\n")[:-1] if (container / name).exists() else []


@contextmanager
def running(container: Path) -> Iterator[subprocess.Popen[str]]:
    with start(container) as process:
        try:
            until(lambda: lines(container), "the service runs")
            yield process
        finally:
            process.terminate()


def places(container: Path, text: str) -> tuple[int, str]:
    """What becomes of a configuration, and the status: 7 where the service has run, 64 where it was not started."""
    (container / "litestream.yml").write_text(text)
    with start(container) as process:
        until(lambda: lines(container) or process.poll() is not None, "the service runs, or was refused")
        process.terminate()
    return process.returncode, (container / "litestream.yml").read_text()


@pytest.mark.parametrize("place", ["data", '"data"', "'data'", "data # fixed", f"data/{APP}"])
def test_a_fixed_replica_path_gets_the_name_of_the_app(container: Path, place: str) -> None:
    status, found = places(container, LIVE.format(place=place))
    assert (status, found) == (7, LIVE.format(place=f'"data/{APP}"'))


@pytest.mark.parametrize("place", ["${BACKEND}", "x/$BACKEND", "${BACKEND}/y"])
def test_a_replica_path_with_the_app_name_is_not_changed(container: Path, place: str) -> None:
    status, found = places(container, OTHERS.format(place=place))
    assert status == 7
    expected = OTHERS.format(place=place).replace("'s3://bucket/x'", f'"s3://bucket/x/{APP}"')
    assert found == expected.replace("/mnt/copy", f'"/mnt/copy/{APP}"')


@pytest.mark.parametrize(
    "text",
    [
        "dbs: []\n",
        LIVE.format(place="data").replace("        path: data\n", ""),
        LIVE.format(place="data?region=auto"),
        LIVE.format(place="|"),
        LIVE.format(place=""),
        "dbs:\n  - path: a.db\n    replicas: [{type: file, path: data}]\n",
        "dbs:\n  - path: a.db\n    replica:\n      path: data\n",
        OTHERS.format(place="x").replace("path: /mnt/copy", "bucket: b"),
    ],
)
def test_an_unknown_configuration_prevents_the_start(container: Path, text: str) -> None:
    status, _ = places(container, text)
    assert status == 64
    assert lines(container) == []


def test_a_missing_configuration_prevents_the_start(container: Path) -> None:
    (container / "litestream.yml").unlink()
    with start(container) as process:
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 64
    assert "A replica in litestream.yml has no readable line path: or url:" in said


def test_the_container_stops_on_sigterm_with_the_status_of_its_service(container: Path) -> None:
    with running(container) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 7
    assert lines(container) == ["begun", "ended"]


def test_renew_restarts_the_service_with_its_data_and_a_new_replica(container: Path) -> None:
    with running(container) as process:
        (container / "pb_data/data.db").write_text("carried")
        until(lambda: (container / "pb_data/.data.db-litestream/generation").exists(), "the service has begun")
        (container / "pb_data/.data.db-litestream/old").touch()
        assert ask(container, "renew") == 0
        until(lambda: lines(container) == ["begun", "ended", "begun"], "the service runs again")
        assert process.poll() is None
        assert (container / "pb_data/data.db").read_text() == "carried"
        assert not (container / "pb_data/.data.db-litestream/old").exists()
        process.terminate()
        assert process.wait(20) == 7


def test_the_proof_restores_the_current_replica_generation(container: Path) -> None:
    assert ask(container, "prove") != 0, "no generation yet"
    (container / "pb_data/.data.db-litestream").mkdir(parents=True)
    (container / "pb_data/.data.db-litestream/generation").write_text("00112233\n")
    assert ask(container, "prove") != 0, "Litestream cannot restore it"
    (container / "restorable").touch()
    assert ask(container, "prove") == 0
    asked = f"restore -config litestream.yml -generation 00112233 -o .replica-proof {container}/pb_data/data.db"
    assert lines(container, "calls")[-1] == asked
    assert not (container / ".replica-proof").exists()


def test_the_script_contains_no_app_platform_reference() -> None:
    assert "${" not in replica.SCRIPT.read_text()


def test_the_script_is_the_command_only_for_an_app_with_a_replica() -> None:
    config = program.config_of("local")
    [plain] = program.plain(program.run(config).one("backend-app").inputs["spec"])["services"]
    assert "runCommand" not in plain
    backend = {**json.loads(config["oracle-net:backend"]), "replica": {"config": "/etc/litestream.yml"}}
    spec = program.plain(
        program.run({**config, "oracle-net:backend": json.dumps(backend)}).one("backend-app").inputs["spec"]
    )
    assert spec["services"][0]["runCommand"] == replica.RUN_COMMAND
    assert replica.is_replicated({"spec": spec}, spec["services"][0]["name"])
    assert not replica.is_replicated({"spec": {"services": [plain]}}, plain["name"])


def test_a_changed_replica_needs_a_new_app_and_no_replica_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (settings(replica={"config": name}) for name in ("one.yml", "two.yml"))
    found = {fingerprint(settings(), RELEASE), fingerprint(one, RELEASE), fingerprint(two, RELEASE)}
    assert len(found) == 3
    without = settings()
    monkeypatch.setattr(type(without.backend), "model_dump", _without_replica(type(without.backend).model_dump))
    assert fingerprint(without, RELEASE) in found, "a network without a replica must not get another app for the key"


def _without_replica(dump: Any) -> Any:
    def wrapped(*arguments: Any, **options: Any) -> dict[str, Any]:
        return {"replica": None, **{key: each for key, each in dump(*arguments, **options).items() if key != "replica"}}

    return wrapped


@pytest.mark.parametrize("where", ["env", "backendSecrets"])
def test_litestream_keys_without_a_configuration_are_refused(where: str) -> None:
    prefix = "oracle-net:"
    values: dict[str, Any] = {
        key.removeprefix(prefix): json.loads(value) if value[:1] in "{[" else value
        for key, value in program.config_of("local").items()
        if key.startswith(prefix)
    }
    keys = {"LITESTREAM_ACCESS_KEY_ID": "planted"}
    if where == "env":
        values["backend"]["env"] = keys
    else:
        values["backendSecrets"] = keys
    with pytest.raises(SettingsError, match="so its image has Litestream") as caught:
        parse(values)
    assert caught.value.helps == (SetKey("oracle-net:backend.replica.config", "/etc/litestream.yml"),)
    assert "planted" not in str(caught.value)
    values["backend"]["replica"] = {"config": "/etc/litestream.yml"}
    assert parse(values).backend.replica == ReplicaSettings(config="/etc/litestream.yml")
    values["backend"]["env"] = {"REPLICA_CONFIG": "mine"}
    with pytest.raises(SettingsError, match="REPLICA_CONFIG is a variable of the backend twice"):
        parse(values)


GOOD, BAD = CommandResult(status=0, output=""), CommandResult(status=1, output="some lines\nno matching backups found")


def platform(url: str, console: Callable[[Sequence[str]], CommandResult], replicated: bool = True) -> FakeAppPlatform:
    """An app with or without a replica."""
    return FakeAppPlatform(FakeAccount({"id": app("id", APP, url, replicated=replicated)}, console=console))


def answers(asked: list[str], *results: CommandResult) -> Callable[[Sequence[str]], CommandResult]:
    """A console that answers with the results, with the last one for ever, and notes the words that are asked."""
    left = list(results)

    def run(command: Sequence[str]) -> CommandResult:
        asked.append(command[-1])
        return left.pop(0) if len(left) > 1 else left[0]

    return run


def test_the_proof_is_repeated_until_it_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "backoff", lambda seconds, first: iter(range(5)))
    asked = list[str]()
    replica.verify(platform("", answers(asked, BAD, BAD, GOOD)), "id", "service")
    assert asked == ["prove"] * 3
    asked.clear()
    there = platform("", answers(asked, BAD))
    with pytest.raises(UserError, match=rf"The replica of {APP} cannot be restored \(no matching backups found\)"):
        replica.verify(there, "id", "service")
    assert asked == ["prove"] * 5
    with pytest.raises(ConsoleError, match="could not be restarted"):
        replica.start_anew(there, "id", "service")


@pytest.mark.parametrize("replicated, then", [(True, ["renew", "prove"]), (False, [])])
def test_restored_data_is_written_to_the_replica(tmp_path: Path, replicated: bool, then: list[str]) -> None:
    archive = tmp_path / "archive.zip"
    with FakePocketBase("new", records={"posts": 1}) as backend:
        create_backup(backend.url, backend.login(), "made.zip")
        download_backup(backend.url, backend.login(), "made.zip", archive)
        backend.write("posts", "later")
        upload_backup(backend.url, backend.login(), archive, "incoming.zip")  # by an attempt that ended halfway
        answer, logins = answers(backend.calls, GOOD), list[int]()

        def run(command: Sequence[str]) -> CommandResult:
            logins.append(sum(path.endswith("/auth-with-password") for path in backend.paths))
            return answer(command)

        backend.calls.clear()
        restore_archive(platform(backend.url, run, replicated), archive, target("id"))
        assert (backend.counts, backend.calls) == ({"posts": 1}, ["new: restore", *then])
        assert logins == sorted(set(logins)), "the logins work again before the replica is verified"
        assert [each.name for each in list_backups(backend.url, backend.login())] == ["made.zip"]
