"""`oracle console` in the backend's container, used by scripts and people. Each test can run alone."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import pytest

from tests.live.project import Done, Project
from tests.support.waiting import until

pytestmark = pytest.mark.live

SECONDS = 60.0
SUPERUSERS = "import sqlite3; print(*sqlite3.connect('pb_data/data.db').execute('select email from _superusers'))"


def run(project: Project, *command: str) -> Done:
    return project.oracle("console", "backend", "--", *command)


def test_a_long_command_returns_its_status_and_output(project: Project) -> None:
    script = "ls -d pb_data; printf 'grüße € 漢字\\n\\n\\t'; printf %s \"$1\"; exit 7"
    done = run(project, "sh", "-c", script, "sh", "x" * 20_000)
    assert (done.status, done.output) == (7, f"pb_data\ngrüße € 漢字\n\n\t{'x' * 20_000}")


def test_the_component_name_works_and_local_input_is_not_consumed(project: Project) -> None:
    service = project.config["oracle-net:backend"]["service"]
    print_much = 'i=0; while [ $i -lt 4000 ]; do echo "line $i $1"; i=$((i+1)); done'
    words = [sys.executable, "-m", "cli", "console", service, "--", "sh", "-c", print_much, "sh", "é" * 20]
    left = subprocess.run(
        ["sh", "-c", '"$@"; cat', "sh", *words],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(project.root)},
        input=b"not for it",
        stdout=subprocess.PIPE,
        check=True,
    )
    lines = "".join(f"line {number} {'é' * 20}\n" for number in range(4000))
    assert len(lines.encode()) > 200_000
    assert left.stdout.decode() == f"{lines}not for it"


def test_the_command_ends_when_its_output_is_no_longer_read(project: Project) -> None:
    words = [sys.executable, "-m", "cli", "console", "backend", "--", "sh", "-c", "echo pid=$$.; exec yes"]
    left = subprocess.run(
        ["sh", "-c", '{ "$@"; echo "status $?" >&2; } | head -n 1', "sh", *words],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(project.root)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert left.stderr == "status 141\n"
    found = re.fullmatch(r"pid=(\d+)\.\n", left.stdout)
    assert found
    until(lambda: not psutil.pid_exists(int(found[1])), "the remote command is gone")


def test_a_command_reads_the_database(project: Project) -> None:
    done = run(project, sys.executable, "-c", SUPERUSERS).well()
    assert project.config["oracle-net:adminEmail"] in done.output


def test_control_c_is_sent_to_the_remote_command(project: Project) -> None:
    script = "trap 'echo told; exit 9' INT; echo ready; while :; do sleep 0.05; done"
    with project.start_oracle("console", "backend", "--", "sh", "-c", script) as local:
        assert local.stdout
        assert local.stdout.readline() == "ready\n"
        local.send_signal(signal.SIGINT)
        assert local.communicate(timeout=SECONDS)[0] == "told\n"
    assert local.returncode == 9


@dataclass
class Person:
    """A terminal of 30 rows and 100 columns with `oracle console backend` at it."""

    process: subprocess.Popen[bytes]
    master: int
    seen: str = ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def see(self, pattern: str) -> str:
        end = time.monotonic() + SECONDS
        while not re.search(pattern, self.seen):
            assert time.monotonic() < end, self.seen
            self._look()
        return self.seen

    def leave(self) -> int:
        """Looks until the command has ended; its status."""
        end = time.monotonic() + SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < end, self.seen
            self._look()
        self._look()
        return self.process.returncode

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def settings(self) -> list[object]:
        return list(termios.tcgetattr(self.master))

    def _look(self) -> None:
        if select.select([self.master], [], [], 0.2)[0]:
            self.seen += os.read(self.master, 65536).decode(errors="replace")


@contextmanager
def session(project: Project) -> Iterator[Person]:
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    login = "import os, sys; os.login_tty(0); os.execv(sys.executable, [sys.executable, '-m', 'cli', *sys.argv[1:]])"
    words = [sys.executable, "-S", "-c", login, "console", "backend"]
    environment = {**os.environ, "PYTHONPATH": str(project.root)}
    process = subprocess.Popen(words, cwd=project.root, env=environment, stdin=slave, stdout=slave, stderr=slave)
    try:
        yield Person(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(slave)
        os.close(master)


def test_a_session_works_at_a_terminal(project: Project) -> None:
    with session(project) as person:
        before = person.settings()
        person.type("echo $((40+2)); ls -d pb_data; stty size\r")
        person.see(r"42\r\npb_data\r\n30 100\r\n")
        assert person.settings() != before
        person.resize(41, 137)
        person.type(
            "until [ \"$(stty size)\" = '41 137' ]; do sleep 0.05; done; echo re''sized\r"
        )  # it comes by itself
        person.see("resized")
        person.type("exit 5\r")
        assert person.leave() == 5
        assert person.settings() == before
    assert "token" not in person.seen


def test_a_session_ends_with_its_container(project: Project) -> None:
    """The backend is restarted with an empty disk during the session: the module's last test."""
    with session(project) as person:
        before = person.settings()
        person.type("echo $((40+2))\r")
        person.see(r"42\r\n")
        (app,) = project.api("GET", "/v2/apps")["apps"]
        project.api("POST", f"/v2/apps/{app['id']}/restart", {})
        assert person.leave() == 1
        assert person.settings() == before
    last = " ".join(person.seen[person.seen.rindex("\r\noracle: ") :].split())
    assert last == (
        "oracle: The backend's console ended before the command: its container was replaced or stopped, or the "
        "connection broke. Fix: run `oracle console backend --stack local`."
    )
