"""A real local cloud in a process of its own, as `make up` starts it, but for its libraries' import."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from tests.support import forked
from tests.support.http import ask
from tests.support.waiting import until

PROJECT = Path(__file__).parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Tokens:
    """As in the local cloud's tokens.json."""

    digitalocean: str
    cloudflare: str
    account_id: str


@dataclass(frozen=True)
class Programs:
    """What the local cloud runs."""

    node: Path
    node_modules: Path
    pocketbase: Path

    @classmethod
    def found(cls) -> Programs:
        """From the environment (ORACLE_NODE, ORACLE_NODE_MODULES, ORACLE_POCKETBASE) or from the toolchain."""
        if "ORACLE_NODE" in os.environ:
            beside = Path(sys.executable).with_name("pocketbase")
            pocketbase = Path(os.environ.get("ORACLE_POCKETBASE", beside))
            return cls(Path(os.environ["ORACLE_NODE"]), Path(os.environ["ORACLE_NODE_MODULES"]), pocketbase)
        from toolchain import tools

        located = tools.locate()
        return cls(located.node, located.node_modules, located.pocketbase)


@dataclass
class RunningCloud:
    """`python -m localcloud` on a state folder and two ports; start, stop and kill may be repeated."""

    root: Path
    port: int
    edge_port: int
    programs: Programs = field(default_factory=Programs.found)
    process: forked.Forked | None = None

    @property
    def url(self) -> str:
        """The control plane."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def edge_url(self) -> str:
        """The edge; apps and Workers are told apart by the Host header."""
        return f"http://127.0.0.1:{self.edge_port}"

    @property
    def log_file(self) -> Path:
        """What the process printed, over all starts."""
        return self.root / "cloud.log"

    @property
    def tokens(self) -> Tokens:
        """Made at the first start."""
        kept = json.loads((self.root / "tokens.json").read_text())
        return Tokens(kept["digitalocean"], kept["cloudflare"], kept["accountId"])

    def command(self) -> list[str]:
        """The whole command line."""
        paths = {
            "--state": self.root,
            "--port": self.port,
            "--edge-port": self.edge_port,
            "--node": self.programs.node,
            "--node-modules": self.programs.node_modules,
            "--pocketbase": self.programs.pocketbase,
        }
        options = [text for name, value in paths.items() for text in (name, str(value))]
        return [sys.executable, "-m", "localcloud", *options]

    def start(self) -> RunningCloud:
        """Returns when it serves. Raises RuntimeError with what it printed when it ends instead."""
        self.launch()
        try:
            until(self.serves, "the local cloud answers", START_SECONDS)
        except BaseException:
            self.kill()
            raise
        return self

    def launch(self) -> None:
        """Start without waiting."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.process = forked.start(self.command()[1:], PROJECT, os.environ, self.log_file, self.log_file)

    def serves(self) -> bool:
        """Is it up? Raises RuntimeError when its process has ended."""
        if self.process and self.process.poll() is not None:
            raise RuntimeError(f"the local cloud ended with status {self.process.returncode}:\n{self.log()}")
        with contextlib.suppress(httpx.TransportError):
            return ask("GET", f"{self.url}/_cloud/health").status_code == 200
        return False

    def log(self) -> str:
        """All that the process printed."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def stop(self) -> int:
        """SIGTERM, and the exit status; 0 when it was not running."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9: nothing is put in order, and what it started is left running."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(number)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def children_of(root: Path) -> list[psutil.Process]:
    """Running processes that have their working directory below a folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(root):
                found.append(process)
    return found
