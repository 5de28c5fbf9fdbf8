"""The README's tour, the first deploy and an own stack, word for word as documented. Each test can run alone.

Nothing here reaches outside. What stands in for what it would reach, each by a step of the test that stands between two
commands of the documents, where a person would fill in what only they know:

- the real clouds are a second local cloud, at an address (127.0.0.2) that no stack counts as the local cloud;
- the official provider plugins, which the engine would fetch into the user's own Pulumi home, are the offline ones;
- staging's checkouts, their builds and its image are the services of this repository.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.engine.stacks import TEMPLATE
from tests.live.project import PROJECT, Project, with_other_ports
from tests.support.cloud import RunningCloud
from tests.support.waiting import free_port
from toolchain import cache

pytestmark = [pytest.mark.live, pytest.mark.slow]

WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
REAL = "127.0.0.2"
"""Where the cloud is that stands for the real ones."""
PASSPHRASE = "the team's own passphrase"
SECONDS = 1200
"""A tour takes two minutes on a machine that is not busy."""
ANSWERS = {b"[y/N] ": b"y\n", b"to go on (local): ": b"local\n"}
"""What a person types when a command asks."""


def tour() -> list[str]:
    """The commands of the README's tour."""
    text = (PROJECT / "README.md").read_text()
    section = text[text.index("## A tour of two minutes") : text.index("## Five commands")]
    return re.findall(r"^ {4}(\S.*)$", section, re.MULTILINE)


def first_deploy() -> list[str]:
    """The commands of docs/how-to/first-deploy.md."""
    return re.findall(r"^ {7}(\S.*)$", (PROJECT / "docs/how-to/first-deploy.md").read_text(), re.MULTILINE)


@dataclass
class Shell:
    """One bash with a terminal: each line that is typed has to succeed."""

    root: Path
    home: Path
    lines: list[str] = field(default_factory=list)

    def type(self, *lines: str) -> None:
        self.lines += lines

    def run(self) -> None:
        """Raises AssertionError with the screen's end where a line failed."""
        script = self.home / "typed.sh"
        script.write_text("".join(f"{line}\n{_check(line)}\n" for line in self.lines))
        environment = {
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            "HOME": str(self.home),
            "ORACLE_CACHE": str(cache.root()),
            "PYTHON": sys.executable,
            "PULUMI_HOME": str(self.home / ".pulumi"),  # the engine takes no notice of HOME
            "TERM": "dumb",
            "PULUMI_SKIP_CONFIRMATIONS": "true",  # answers the engine's question
        }
        pid, terminal = pty.fork()
        if pid == 0:  # pragma: no cover
            os.chdir(self.root)
            os.execvpe("bash", ["bash", "--norc", str(script)], environment)
        screen = _answered(terminal)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0, screen[-6000:]


def _check(line: str) -> str:
    return (
        f"status=$?; [ $status -eq 0 ] || {{ printf '\\n@@ %s ended with %s\\n' {shlex.quote(line)} $status; exit 1; }}"
    )


def _answered(terminal: int) -> str:
    """Types the answers; returns what was on the screen at the end."""
    screen, answered, end = b"", 0, time.monotonic() + SECONDS
    while True:
        ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"it takes too long: {screen[-3000:].decode(errors='replace')}"
        try:
            part = os.read(terminal, 65536)
        except OSError:  # how Linux says that the shell has gone
            part = b""
        if not part:
            return screen.decode(errors="replace")
        screen += part
        for question, answer in ANSWERS.items():
            if (at := screen.find(question, answered)) >= 0:
                answered = at + len(question)
                os.write(terminal, answer)


@contextmanager
def forwarded(port: int) -> Iterator[int]:
    """A port at the other address behind which this machine's `port` is."""

    class Forward(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as there:
                back = threading.Thread(target=_pump, args=(there, self.request), daemon=True)
                back.start()
                _pump(self.request, there)
                back.join(60)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server((REAL, 0), Forward) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A fresh clone of this checkout, but for the template's ports, in which nothing was ever brought up."""
    root = tmp_path_factory.mktemp("first") / "network"
    listed = subprocess.run(
        ["git", "-C", str(PROJECT), "ls-files", "-coz", "--exclude-standard"], capture_output=True, check=True
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (PROJECT / name).is_file() and not name.startswith("tests/"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, root / name)
    (root / TEMPLATE).write_text(with_other_ports((root / TEMPLATE).read_text()))
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*WHO, "commit", "-qm", "as it is"]):
        subprocess.run(["git", "-C", str(root), *words], check=True)
    project = Project(root, seconds=SECONDS)
    try:
        yield project
    finally:
        project.stop()


@pytest.fixture
def real_clouds(tmp_path: Path) -> Iterator[tuple[RunningCloud, int]]:
    """The cloud that stands for the real ones, and its port at the other address."""
    cloud = RunningCloud(tmp_path / "real", free_port(), free_port()).start()
    try:
        with forwarded(cloud.port) as port:
            yield cloud, port
    finally:
        cloud.stop()


def filled_in(root: Path, cloud: RunningCloud, port: int) -> str:
    """`Pulumi.staging.yaml` with what only a person knows, and with what is replaced here (see above)."""
    document = yaml.safe_load((root / "Pulumi.staging.yaml").read_text())
    ours = yaml.safe_load((root / TEMPLATE).read_text())["config"]
    config: dict[str, Any] = document["config"]
    config["oracle-net:accountId"] = cloud.tokens.account_id
    config["oracle-net:workersUrl"] = f"http://{{script}}.staging.workers.localhost:{cloud.edge_port}"
    config["digitalocean:apiEndpoint"] = f"http://{REAL}:{port}"
    config["cloudflare:baseUrl"] = f"http://{REAL}:{port}/client/v4"
    for name, section in config["oracle-net:workers"].items():
        here = ours["oracle-net:workers"][name]
        section.pop("build")
        section |= {key: here[key] for key in ("path", "entry", "assets") if key in here}
    backend = config["oracle-net:backend"]
    backend["path"] = "services/backend"
    backend["image"] = {**ours["oracle-net:backend"]["image"], "store": f"http://{REAL}:{port}/_cloud/images"}
    return str(yaml.safe_dump(document, sort_keys=False))


def envrc(root: Path, cloud: RunningCloud, state: Path) -> str:
    """.envrc with the tokens, and with the state in a folder, as docs/how-to/state.md names it."""
    text = (root / ".envrc.example").read_text()
    text = text.replace("DIGITALOCEAN_TOKEN=\n", f"DIGITALOCEAN_TOKEN={cloud.tokens.digitalocean}\n")
    text = text.replace("CLOUDFLARE_API_TOKEN=\n", f"CLOUDFLARE_API_TOKEN={cloud.tokens.cloudflare}\n")
    text = text.replace(
        "# export PULUMI_BACKEND_URL=file:///home/you/oracle-state\n", f"export PULUMI_BACKEND_URL={state.as_uri()}\n"
    )
    return text.replace(
        "# export PULUMI_CONFIG_PASSPHRASE=\n", f"export PULUMI_CONFIG_PASSPHRASE={shlex.quote(PASSPHRASE)}\n"
    )


@pytest.mark.timeout(2 * SECONDS)
def test_the_tour_and_the_first_deploy_work_in_one_shell(
    checkout: Project, real_clouds: tuple[RunningCloud, int], tmp_path: Path
) -> None:
    root, (cloud, port) = checkout.root, real_clouds
    home, state, prepared = (tmp_path / name for name in ("home", "state", "prepared"))
    for folder in (home, state, prepared):
        folder.mkdir()
    (prepared / "envrc").write_text(envrc(root, cloud, state))
    (prepared / "staging").write_text(filled_in(root, cloud, port))
    people = {
        "cp .envrc.example": f"cp {prepared}/envrc .envrc && chmod 600 .envrc",
        ". ./.envrc": f"cp {prepared}/staging Pulumi.staging.yaml && .venv/bin/python -m offline_plugins install "
        "$PULUMI_HOME random digitalocean cloudflare",
    }
    shell = Shell(root, home)
    shell.type(*tour())
    shell.type('test -z "$(git status --porcelain)"', "test $PULUMI_STACK = local")
    for line in first_deploy():
        shell.type(line, *(step for begin, step in people.items() if line.startswith(begin)))
    shell.type(
        "test $PULUMI_STACK = staging",
        'test "$(pulumi stack --show-name)" = staging',
        "pulumi preview --expect-no-changes",
    )
    shell.type("! PULUMI_CONFIG_PASSPHRASE=oracle-local pulumi stack output --show-secrets")
    shell.run()
    assert [path.name for path in (state / ".pulumi/stacks/oracle-net").glob("*.json")] == ["staging.json"]
    local = root / ".oracle/pulumi/local/state/.pulumi/stacks/oracle-net"
    assert [path.name for path in local.glob("*.json")] == ["local.json"]
    assert not list((root / ".oracle/pulumi/local/home/workspaces").glob("*")), "no stack was selected for others"
    kept = json.loads((state / ".pulumi/stacks/oracle-net/staging.json").read_text())
    assert len(kept["checkpoint"]["latest"]["resources"]) > 10


def status(project: Project) -> bytes:
    """What git says has changed in the checkout."""
    words = ["git", "-C", str(project.root), "status", "--porcelain"]
    return subprocess.run(words, capture_output=True, check=True).stdout


@pytest.mark.timeout(SECONDS)
def test_an_own_stack_is_created_and_deleted_beside_local(checkout: Project) -> None:
    project = checkout
    if not (project.root / ".venv").exists():  # the tour makes one
        (project.root / ".venv").symlink_to(sys.prefix)
    project.oracle("up").well()
    before, changed = project.outputs(), status(project)  # the tour has filled in staging's file
    ada = project.on("ada")
    said = ada.oracle("up", "ada").well().output
    assert said.startswith("The stack ada is new: Pulumi.ada.yaml, written from localcloud/stack.yaml")
    outputs = ada.outputs()
    assert outputs["backendApp"] == "jellyfish-app-ada"
    for service in ("backend", "api", "web", "universe"):
        assert outputs[f"{service}Url"] != before[f"{service}Url"]
    ada.oracle("wipe", "ada", "--yes").well()
    assert 'generation: "2"' in ada.stack_file.read_text()
    ada.oracle("up", "ada").well()
    assert 'generation: "2"' in ada.stack_file.read_text()
    assert project.outputs() == before
    assert status(project) == changed
    ada.pulumi("destroy", "--run-program", "--yes").well()
    ada.pulumi("stack", "rm", "ada", "--yes").well()
    assert not ada.stack_file.exists()
    assert project.outputs() == before
