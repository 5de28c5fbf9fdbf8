"""The console: a real shell behind a websocket."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from clients.app_platform import Console, ConsoleError
from tests.localcloud.account import Account, Json
from tests.support.waiting import until

SECONDS = 15


@pytest.fixture(scope="module")
def app(account: Account) -> Json:
    return account.up("console", app_envs=[{"key": "SECRET_WORD", "value": "open-sesame", "type": "SECRET"}])


def address(account: Account, app: Json, **query: str) -> str:
    answer = account.http.get(f"/v2/apps/{app['id']}/components/web/exec", params=query)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["url"])


@contextmanager
def shell(url: str) -> Iterator[ClientConnection]:
    with connect(url, proxy=None, open_timeout=SECONDS, close_timeout=2) as socket:
        yield socket


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def type_in(socket: ClientConnection, text: str) -> None:
    socket.send(json.dumps({"op": "stdin", "data": text}))


def read_until(socket: ClientConnection, pattern: str) -> str:
    text = ""
    while not re.search(pattern, text):
        text += json.loads(socket.recv(timeout=SECONDS))["data"]
    return text


def close_code(socket: ClientConnection) -> int | None:
    """Read to the end; how the server closed."""
    try:
        while True:
            socket.recv(timeout=SECONDS)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def test_a_command_runs_in_the_components_directory_and_environment(account: Account, app: Json) -> None:
    with shell(address(account, app)) as socket:
        assert f"ws://127.0.0.1:{account.cloud.port}/" in address(account, app)
        type_in(socket, "stty -echo\n")
        type_in(socket, 'echo "word=$SECRET_WORD port=$PORT"; ls; test -t 0 && echo is""-a-tty; echo st=$?\n')
        text = read_until(socket, r"st=\d")
    assert "word=open-sesame" in text
    assert "program.py" in text
    assert "is-a-tty" in text
    assert "st=0" in text


def test_input_is_echoed_and_the_terminal_can_be_resized(account: Account, app: Json) -> None:
    with shell(address(account, app)) as socket:
        socket.send(json.dumps({"op": "resize", "width": 132, "height": 43}))
        type_in(socket, "stty size\n")
        text = read_until(socket, r"\d+ \d+\r\n")
    assert "stty size" in text
    assert "43 132" in text


def test_an_empty_frame_types_nothing(account: Account, app: Json) -> None:
    with shell(address(account, app)) as socket:
        type_in(socket, "")
        type_in(socket, "echo a''live\n")
        assert "alive" in read_until(socket, "alive")


def test_the_end_of_the_shell_closes_normally(account: Account, app: Json) -> None:
    with shell(address(account, app)) as socket:
        type_in(socket, "echo last''-words; exit 3\n")
        assert "last-words" in read_until(socket, "last-words")
        assert close_code(socket) == 1000


def test_a_client_that_leaves_ends_the_shell_and_its_background_jobs(account: Account, app: Json) -> None:
    with shell(address(account, app)) as socket:
        type_in(socket, "nohup sleep 1000 & echo pids=$$,$!.; sleep 1000\n")
        found = re.search(r"pids=(\d+),(\d+)\.", read_until(socket, r"pids=\d+,\d+\."))
        assert found
        pids = [int(found[1]), int(found[2])]
        assert all(map(running, pids))
    until(lambda: not any(map(running, pids)), "the shell is gone", SECONDS)


def test_control_c_reaches_the_command(account: Account, app: Json) -> None:
    with shell(address(account, app)) as socket:
        type_in(socket, "sh -c 'echo rea\"\"dy; exec sleep 1000'\n")
        read_until(socket, "ready")
        type_in(socket, "\x03")
        type_in(socket, "echo int''errupted\n")
        assert "interrupted" in read_until(socket, "interrupted")


def test_large_output_and_non_ascii_text_arrive_complete(account: Account, app: Json) -> None:
    with shell(address(account, app)) as socket:
        type_in(socket, "stty -echo -onlcr; echo qui''et\n")
        read_until(socket, "quiet")
        type_in(socket, "i=0; while [ $i -lt 3000 ]; do echo \"Zeile $i äöü€\"; i=$((i+1)); done; echo fin''ished\n")
        text = read_until(socket, "finished")
    assert [f"Zeile {number} äöü€" in text for number in (0, 1500, 2999)] == [True] * 3


def test_a_console_address_works_only_once(account: Account, app: Json) -> None:
    url = address(account, app)
    with shell(url):
        pass
    for used in (url, url.split("?")[0], url.split("?")[0] + "?token=guess"):
        with pytest.raises(InvalidStatus) as refused, shell(used):
            pass
        assert refused.value.response.status_code == 403


WRONG_FRAMES = ["not json", "[]", '{"op": "nonsense"}', '{"op": "resize", "width": "x"}', '{"op": "stdin"}']


@pytest.mark.parametrize("frame", WRONG_FRAMES)
def test_an_invalid_frame_closes_the_console(account: Account, app: Json, frame: str) -> None:
    with shell(address(account, app)) as socket:
        socket.send(frame)
        assert close_code(socket) == 1003


def test_deployment_and_instance_can_be_named(account: Account, app: Json) -> None:
    instance = account.http.get(f"/v2/apps/{app['id']}/instances").json()["instances"][0]["instance_name"]
    assert address(account, app, instance_name=instance)
    other = account.http.get(f"/v2/apps/{app['id']}/components/web/exec", params={"instance_name": "other"})
    assert other.status_code == 404
    path = f"/v2/apps/{app['id']}/deployments/{app['active_deployment']['id']}/components/web/exec"
    with shell(account.http.get(path).json()["url"]) as socket:
        type_in(socket, "echo he''re\n")
        read_until(socket, "here")


def test_an_app_without_a_running_instance_has_no_console(account: Account) -> None:
    app = account.create(account.spec("no-console", digest="sha256:" + "1" * 64))
    account.wait(app["id"], app["pending_deployment"]["id"], "ERROR")
    assert account.http.get(f"/v2/apps/{app['id']}/components/web/exec").status_code == 409


def test_a_fault_closes_the_console(account: Account, app: Json) -> None:
    account.fault(app="console", step="exec")
    with shell(address(account, app)) as socket:
        assert close_code(socket) == 1011
    with shell(address(account, app)) as socket:
        type_in(socket, "echo fi''ne\n")
        read_until(socket, "fine")


def test_a_restart_ends_open_consoles(account: Account) -> None:
    app = account.up("console-restart")
    with shell(address(account, app)) as socket:
        type_in(socket, "echo op''en\n")
        read_until(socket, "open")
        deployment = account.http.post(f"/v2/apps/{app['id']}/restart").json()["deployment"]
        account.wait(app["id"], deployment["id"], "ACTIVE")
        assert close_code(socket) == 1000


def test_the_programs_own_client_gets_the_status_of_a_long_command(account: Account, app: Json) -> None:
    word = "ä€ \x03\t'" * 2000
    with Console(address(account, app), SECONDS) as console:
        output = "".join(console.run(["sh", "-c", 'printf "%s %s" "$SECRET_WORD" "$1"; exit 7', "sh", word]))
    assert (console.status, output) == (7, f"open-sesame {word}")


def test_the_programs_own_client_reports_a_replaced_container(account: Account) -> None:
    app = account.up("console-replaced")
    with Console(address(account, app), SECONDS) as console:
        output = console.run(["sh", "-c", "echo op''en; exec sleep 1000"])
        assert next(output)
        deployment = account.http.post(f"/v2/apps/{app['id']}/restart").json()["deployment"]
        with pytest.raises(ConsoleError, match="its container was replaced or stopped"):
            "".join(output)
    account.wait(app["id"], deployment["id"], "ACTIVE")
