"""Commands and sessions in a terminal behind a websocket, with real shells on real pseudo-terminals."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket as sockets
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

import advice
from cli.main import app
from cli.ui.errors import CommandError
from clients.app_platform import typist
from clients.app_platform.console import Console, ConsoleError, run_command
from clients.app_platform.terminal import hold_session, show_command
from localcloud.processes import end_session
from tests.support.errors import raises_text
from tests.support.scripted import scripted

SECONDS = 20.0
LOGIN = "import os, sys; os.login_tty(0); os.execv(sys.argv[1], sys.argv[1:])"


@dataclass
class Terminal:
    """As App Platform's console: frames in, whatever the terminal prints out, in small pieces."""

    shell: str
    path: str
    piece: int = 7
    url: str = ""
    frames: list[dict[str, object]] = field(default_factory=list)
    lose: str = ""
    """Text that is lost on its way in."""
    cut: threading.Event = field(default_factory=threading.Event)
    """Set: the container goes."""
    polite: bool = True
    """Whether the socket is closed with a word when it does."""

    def serve(self, socket: ServerConnection) -> None:
        master, slave = pty.openpty()
        words = [sys.executable, "-I", "-S", "-c", LOGIN, self.shell, "-i"]
        shell = subprocess.Popen(
            words, stdin=slave, stdout=slave, stderr=slave, env={"PATH": self.path, "HOME": "/nonexistent"}
        )
        os.close(slave)
        threads = [
            threading.Thread(target=self._print, args=(master, socket)),
            threading.Thread(target=self._outlive, args=(shell,)),
            self._container(socket),
        ]
        for thread in threads:
            thread.start()
        try:
            for frame in socket:
                self._operate(master, json.loads(frame))
        except (ConnectionClosed, OSError):
            pass
        finally:
            self.cut.set()
            shell.kill()
            for thread in threads:
                thread.join()
            os.close(master)

    def _print(self, master: int, socket: ServerConnection) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        try:
            while data := os.read(master, self.piece):
                if text := decoder.decode(data):
                    socket.send(json.dumps({"data": text}))
        except (OSError, ConnectionClosed):
            socket.close()

    def _outlive(self, shell: subprocess.Popen[bytes]) -> None:
        """All that a shell has begun ends with it, as in a container: until then the terminal is open."""
        shell.wait()
        end_session(shell.pid)

    def _container(self, socket: ServerConnection) -> threading.Thread:
        def watch() -> None:
            self.cut.wait()
            socket.close() if self.polite else socket.socket.shutdown(sockets.SHUT_RDWR)

        return threading.Thread(target=watch)

    def _operate(self, master: int, message: dict[str, object]) -> None:
        self.frames.append(message)
        if message["op"] == "stdin":
            data = str(message["data"])
            rest = (data.replace(self.lose, "", 1) if self.lose else data).encode()
            while rest:
                rest = rest[os.write(master, rest) :]
        else:
            size = struct.pack("HHHH", message["height"], message["width"], 0, 0)
            fcntl.ioctl(master, termios.TIOCSWINSZ, size)


@contextmanager
def serving(terminal: Terminal) -> Iterator[Terminal]:
    with serve(terminal.serve, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        terminal.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/?token=planted-token"
        try:
            yield terminal
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(params=["dash", "bash"])
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal with this shell at it, which is also what `sh` is there."""
    shell = shutil.which(request.param)
    if shell is None:
        pytest.skip(f"there is no {request.param} on this machine")
    (tmp_path / "sh").symlink_to(shell)
    with serving(Terminal(shell, f"{tmp_path}:{os.environ['PATH']}")) as made:
        yield made


@pytest.fixture
def url(terminal: Terminal) -> str:
    return terminal.url


def test_a_command_returns_its_output_and_status(url: str) -> None:
    result = run_command(url, ["sh", "-c", "echo one; echo two >&2; exit 3"])
    assert (result.status, result.output) == (3, "one\ntwo")


WORDS = (
    "a b 'c' $HOME; exit 9",
    '!! !$ `id` $(id) \\n \\\\ % %s "',
    "tab\tnew\nlines\n\nand \x01\x03\x04\x11\x13\x15\x1a\x1c\x7f keys",
    "ä € 漢字 😀",
    "",
    "-n",
    "\n\n",
)


def test_arguments_arrive_unchanged(url: str) -> None:
    with Console(url, SECONDS) as console:
        assert "".join(console.run(["printf", "<%s>", *WORDS])) == "".join(f"<{word}>" for word in WORDS)
    assert console.status == 0


def test_arguments_that_are_not_text_arrive_unchanged(url: str) -> None:
    word = os.fsdecode(b"\xff\xfe\x80")
    result = run_command(url, ["sh", "-c", 'printf %s "$1" | od -An -tx1', "sh", word])
    assert result.output.split() == ["ff", "fe", "80"]


def test_a_command_longer_than_the_line_limit_of_a_terminal_works(url: str) -> None:
    words = [f"{number:03}{'é' * 1000}" for number in range(12)]
    result = run_command(url, ["printf", "%s\n", *words])
    assert result.output.splitlines() == words


def test_a_command_that_was_garbled_on_the_way_is_not_run(terminal: Terminal, tmp_path: Path) -> None:
    terminal.lose = "important"
    with pytest.raises(ConsoleError, match="lost a part of the command, so nothing was run"):
        run_command(terminal.url, ["touch", str(tmp_path / "not-important")])
    assert not list(tmp_path.glob("not-*"))


def test_the_output_is_exactly_that_of_the_command(url: str) -> None:
    with Console(url) as console:
        text = "".join(console.run(["printf", "\\n\\033[31mred\\033[0m\\r\\n\\ttab\\n\\nno newline"]))
    assert text == "\n\x1b[31mred\x1b[0m\r\n\ttab\n\nno newline"


def test_output_is_streamed_before_the_command_ends(terminal: Terminal, tmp_path: Path) -> None:
    wait = f"echo first; while ! [ -e {tmp_path}/go ]; do sleep 0.05; done; echo second"
    with Console(terminal.url, SECONDS) as console:
        pieces = console.run(["sh", "-c", wait])
        seen = ""
        while "first\n" not in seen:
            seen += next(pieces)
        (tmp_path / "go").touch()
        assert (seen + "".join(pieces)).split() == ["first", "second"]


def test_large_output_arrives_complete(terminal: Terminal) -> None:
    terminal.piece = 4096
    with Console(terminal.url, SECONDS) as console:
        text = "".join(console.run([sys.executable, "-c", "for n in range(20000): print(f'line {n} €')"]))
    assert text == "".join(f"line {number} €\n" for number in range(20000))


def test_output_that_resembles_the_end_marker_is_passed_on(url: str) -> None:
    with Console(url, SECONDS) as console:
        begin, whole = console._mark[:9], console._mark
        text = "".join(console.run(["printf", "%s", f"{begin}{begin} {whole} e x {whole} e"]))
    assert text == f"{begin}{begin} {whole} e x {whole} e"
    assert console.status == 0


def test_a_command_has_no_input_and_no_terminal(url: str) -> None:
    result = run_command(url, ["sh", "-c", "cat; test -t 0 || test -t 1 || test -t 2 || echo no terminal"])
    assert result.output == "no terminal"


def test_a_missing_command_has_status_127(url: str) -> None:
    assert run_command(url, ["./no-such-command"]).status == 127


def test_a_shell_builtin_returns_its_status(url: str) -> None:
    assert run_command(url, ["exit", "255"]).status == 255


def test_a_command_without_output_returns_an_empty_text(url: str) -> None:
    assert run_command(url, ["true"]).output == ""


def test_a_shell_that_dies_is_an_error_that_does_not_show_the_command(url: str) -> None:
    kill = "read -r _ _ _ _ _ session _ </proc/self/stat; kill -9 $session; echo planted-password; exec sleep 100"
    with pytest.raises(ConsoleError, match="ended before the command") as caught:
        run_command(url, ["sh", "-c", kill], seconds=10)
    assert "planted" not in str(caught.value)


def test_an_unreachable_console_is_an_error_that_does_not_show_the_token() -> None:
    with pytest.raises(ConsoleError, match="could not be opened") as caught:
        run_command("ws://127.0.0.1:9/?token=planted-token", ["true"], seconds=5)
    assert "planted" not in str(caught.value)


def test_a_command_that_exceeds_its_timeout_is_an_error(url: str) -> None:
    with raises_text(ConsoleError, r"did not answer in time\. Fix: run `pulumi up --stack prod`\.$"):
        run_command(url, ["sleep", "1000"], seconds=1)


@pytest.mark.parametrize("polite", [True, False])
def test_a_container_that_stops_during_a_command_is_an_error(terminal: Terminal, polite: bool) -> None:
    terminal.polite = polite
    with Console(terminal.url) as console:
        pieces = console.run(["sh", "-c", "echo here; exec sleep 1000"])
        assert next(pieces)
        terminal.cut.set()
        with pytest.raises(ConsoleError, match="its container was replaced or stopped"):
            "".join(pieces)
    assert console.status == -1


def test_a_silent_console_stays_open_by_empty_frames(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typist, "KEEP_ALIVE_SECONDS", 0.05)
    with Console(terminal.url, SECONDS) as console:
        pieces = console.run(["sh", "-c", "echo begun; exec sleep 1000"])
        assert next(pieces)
        before = len(terminal.frames)
        wait_until(lambda: len(terminal.frames) > before + 2)
    assert terminal.frames[before:] == [{"op": "stdin", "data": ""}] * (len(terminal.frames) - before)


def test_control_c_interrupts_the_command_which_chooses_its_status(url: str) -> None:
    with Console(url, SECONDS) as console:
        pieces = console.run(["sh", "-c", "trap 'echo told; exit 9' INT; echo ready; while :; do sleep 0.05; done"])
        seen = ""
        while "ready" not in seen:
            seen += next(pieces)
        console.typist.interrupt()
        assert "told" in "".join(pieces)
    assert console.status == 9


def test_control_c_ends_a_command_without_a_handler(url: str) -> None:
    with Console(url, SECONDS) as console:
        pieces = console.run(["sh", "-c", "echo ready; exec sleep 1000"])
        assert next(pieces)
        console.typist.interrupt()
        "".join(pieces)
    assert console.status == 130


def test_a_second_control_c_closes_the_console(url: str) -> None:
    with Console(url, SECONDS) as console:
        pieces = console.run(["sh", "-c", "trap '' INT; echo ready; exec sleep 1000"])
        assert next(pieces)
        console.typist.interrupt()
        console.typist.interrupt()
        with pytest.raises(ConsoleError, match="closed before the command ended"):
            "".join(pieces)


@pytest.mark.parametrize("frame", ["no JSON", "[]", "null"])
def test_an_unexpected_frame_is_an_error(frame: str) -> None:
    def answer(socket: ServerConnection) -> None:
        socket.send(frame)
        list(socket)

    with serve(answer, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with pytest.raises(ConsoleError, match="something else than output"):
            run_command(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/", ["true"], seconds=SECONDS)
        server.shutdown()
        thread.join()


OPEN = "Fix: run `oracle console backend --stack prod` to open the backend's console."
REFUSED = [
    (
        ["web", "--stack", "prod", "--", "ls"],
        f"web is a Worker, and Workers have no console. {OPEN}",
    ),
    (
        ["oracle-net", "--stack", "prod"],
        f"oracle-net is a Worker, and Workers have no console. {OPEN}",
    ),
    (
        ["wbe", "--stack", "prod", "--", "ls"],
        f"There is no service wbe. {OPEN}",
    ),
    (
        ["backend", "--stack", "prod"],
        "A shell needs a terminal. Fix: run `oracle console backend --stack prod -- COMMAND` to run a command.",
    ),
]


@pytest.mark.parametrize("words, text", REFUSED)
def test_a_service_without_a_console_is_refused_in_one_sentence(words: list[str], text: str) -> None:
    with pytest.raises(CommandError) as caught:
        CliRunner().invoke(app, ["console", *words], catch_exceptions=False)
    assert advice.text(caught.value, "prod", "") == text


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@dataclass
class Keyboard:
    """Somebody's terminal: the session at it runs in this thread, `act` in another."""

    master: int
    slave: int
    seen: str = ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait(self, pattern: str) -> None:
        end = time.monotonic() + SECONDS
        while not re.search(pattern, self.seen):
            assert time.monotonic() < end, self.seen
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 4096).decode(errors="replace")

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(os.getpid(), signal.SIGWINCH)  # which a terminal sends to those whose own it is


@pytest.fixture
def keyboard() -> Iterator[Keyboard]:
    master, slave = pty.openpty()
    made = Keyboard(master, slave)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    yield made
    os.close(slave)
    os.close(master)


def at(keyboard: Keyboard, url: str, act: Callable[[], None]) -> int:
    """The session's status, while `act` sits at the keyboard; afterwards the terminal is as it was before."""
    before = termios.tcgetattr(keyboard.slave)
    problems: list[BaseException] = []

    def sit() -> None:
        try:
            act()
        except BaseException as problem:
            problems.append(problem)
            os.kill(os.getpid(), signal.SIGTERM)

    person = threading.Thread(target=sit)
    try:
        with Console(url) as console:
            person.start()
            return hold_session(console, keyboard.slave, keyboard.slave)
    finally:
        person.join()
        assert not problems, problems
        assert termios.tcgetattr(keyboard.slave) == before
        assert signal.getsignal(signal.SIGWINCH) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_session_behaves_like_a_terminal(url: str, keyboard: Keyboard) -> None:
    def act() -> None:
        keyboard.type("stty size; tty >/dev/null && echo is-a''-terminal\r")
        keyboard.wait("30 100\r\n")
        keyboard.wait("is-a-terminal")
        keyboard.resize(41, 137)
        keyboard.type("until [ \"$(stty size)\" = '41 137' ]; do sleep 0.05; done; echo re''sized\r")
        keyboard.wait("resized\r\n")
        keyboard.type("sh -c 'echo rea''dy; exec sleep 1000'\r")
        keyboard.wait("ready")
        keyboard.type("\x03")
        keyboard.type("echo st=$?; echo 'ä€'\r")
        keyboard.wait("st=130")
        keyboard.wait("ä€\r\n")
        keyboard.type("exit 7\r")

    assert at(keyboard, url, act) == 7
    assert "exec sh" not in keyboard.seen


def test_a_container_that_stops_ends_the_session(terminal: Terminal, keyboard: Keyboard) -> None:
    def act() -> None:
        keyboard.type("echo he''re\r")
        keyboard.wait("here\r\n")
        terminal.cut.set()

    with pytest.raises(ConsoleError, match="its container was replaced or stopped"):
        at(keyboard, terminal.url, act)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_session_restores_the_terminal(
    terminal: Terminal, keyboard: Keyboard, number: signal.Signals
) -> None:
    def act() -> None:
        keyboard.type("echo he''re\r")
        keyboard.wait("here\r\n")
        assert not termios.tcgetattr(keyboard.slave)[3] & termios.ECHO
        os.kill(os.getpid(), number)

    with pytest.raises(ConsoleError, match="closed before"):
        at(keyboard, terminal.url, act)


def test_control_c_of_the_user_ends_the_command(terminal: Terminal) -> None:
    reading, writing = os.pipe()

    def act() -> None:
        with open(reading, "rb", closefd=False) as output:
            assert output.read(5) == b"ready"  # it may come in pieces
        os.kill(os.getpid(), signal.SIGINT)

    person = threading.Thread(target=act)
    person.start()
    with Console(terminal.url, SECONDS) as console:
        assert show_command(console, ["sh", "-c", "printf ready; exec sleep 1000"], writing) == 130
    person.join()
    os.close(reading)
    os.close(writing)


def test_a_remote_console_is_reached_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with scripted() as proxy:
        monkeypatch.setenv("https_proxy", proxy.address)
        with raises_text(ConsoleError, r"could not be opened \(InvalidProxyStatus\)\. Fix: run `pulumi up"):
            run_command("wss://console.example/shell?token=t", ["true"])
        assert proxy.asked == ["CONNECT console.example:443"]
