"""A copy of this project in a folder of its own, on ports of its own, driven as a person drives it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from cli.engine import stacks
from cli.engine.workspace import LOCAL_PASSPHRASE, Stack
from clients.http import client, httpx
from tests.support import forked, stack_state
from tests.support.backend import use_fast_passwords
from tests.support.waiting import free_port, until

PROJECT = Path(__file__).parents[2]
COMMAND_SECONDS = 240
START_SECONDS = 60


@dataclass(frozen=True)
class Done:
    """A finished command: its exit status, and all that it printed."""

    status: int
    output: str

    def well(self) -> Done:
        """This, when it succeeded."""
        assert self.status == 0, self.output
        return self

    def failed(self) -> Done:
        """This, when it failed as it should: with words for people."""
        assert self.status != 0, self.output
        assert "Traceback" not in self.output, self.output
        return self


def changes(done: Done) -> dict[str, int]:
    """The engine's own count of what it did, such as {"updated": 1, "unchanged": 28}."""
    counted = re.findall(r"^ +(?:\d+ changes\. )?[~+-]{0,2} ?(\d+) (\w+)$", done.output, re.MULTILINE)
    found = {word: int(count) for count, word in counted}
    # On a busy machine the engine may count an error after all is done: it gives a plugin five seconds to acknowledge
    # the end, and complains when it does not. It ends with status 0 then, and nothing was done otherwise.
    if done.status == 0 and "exited prematurely" in done.output:
        found.pop("errored", None)
    return found


def changed_names(done: Done) -> set[str]:
    """The resources that the engine says it has changed."""
    return _names(done, "created|updated|replaced|deleted")


def planned_names(preview: Done) -> set[str]:
    """The resources that a preview would change."""
    return _names(preview, "create|update|replace|delete")


def _names(done: Done, words: str) -> set[str]:
    """The resources whose line ends with one of the words."""
    return set(re.findall(rf"^ +(?:[~+-]+ +)?\S+:\S+:\w+ ([\w-]+) (?:{words})\b", done.output, re.MULTILINE))


def assert_quiet(done: Done) -> None:
    """The command succeeded, and the engine had nothing to do."""
    assert changes(done.well()).keys() == {"unchanged"}, done.output


def with_other_ports(text: str) -> str:
    """A stack's file on ports that nobody listens on."""
    return text.replace(":8400", f":{free_port()}").replace(":8401", f":{free_port()}")


@dataclass
class Project:
    """`root` is the copy. Its stack is `local`, on other ports, unless another is asked `on`."""

    root: Path
    stack: str = "local"
    environment: dict[str, str] = field(default_factory=dict)
    seconds: float = COMMAND_SECONDS
    """What a command may take."""

    @classmethod
    def copied(cls, root: Path) -> Project:
        """This checkout as it is, but for the tests and the documents; its backend hashes passwords fast."""
        listed = subprocess.run(
            ["git", "-C", str(PROJECT), "ls-files", "-coz", "--exclude-standard"], capture_output=True, check=True
        ).stdout
        for name in filter(None, listed.decode().split("\0")):
            source = PROJECT / name
            if source.is_file() and not name.startswith(("tests/", "docs/", ".github/")):
                target = root / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        use_fast_passwords(root / "services/backend")
        (root / ".venv").symlink_to(sys.prefix)
        project = cls(root)
        project._write_stack()
        return project

    def copy(self, root: Path) -> Project:
        """This project with its state, cloud and ports, in another folder; only one of them may run at a time."""
        shutil.copytree(self.root, root, symlinks=True)
        for plugin in (root / f".oracle/pulumi/{self.stack}/home/plugins").glob("*/pulumi-resource-*"):
            plugin.write_text(plugin.read_text().replace(str(self.root), str(root)))
        return Project(root, self.stack, self.environment, self.seconds)

    def start(self) -> None:
        """Its local cloud and all that runs on it, as they were when it stopped."""
        self.oracle("cloud", "start", "--stack", self.stack).well()

        def serves() -> bool:
            with client() as http, contextlib.suppress(httpx.HTTPError):
                return http.get(f"{self.outputs()['apiUrl']}/api/health").status_code == 200
            return False

        until(serves, "the api and its backend serve", START_SECONDS)

    def _write_stack(self) -> None:
        """As the first `oracle up` writes it, but on other ports."""
        stacks.write(Stack(self.stack, self.root))
        self.stack_file.write_text(with_other_ports(self.stack_file.read_text()))

    def on(self, stack: str) -> Project:
        """The same project, seen by another of its stacks."""
        return Project(self.root, stack, self.environment, self.seconds)

    @property
    def stack_file(self) -> Path:
        return self.root / f"Pulumi.{self.stack}.yaml"

    @property
    def state_file(self) -> Path:
        return self.root / f".oracle/pulumi/{self.stack}/state/.pulumi/stacks/oracle-net/{self.stack}.json"

    @property
    def cloud_state(self) -> Path:
        return self.root / (".oracle/cloud" if self.stack == "local" else f".oracle/clouds/{self.stack}")

    @property
    def config(self) -> dict[str, Any]:
        return dict(yaml.safe_load(self.stack_file.read_text())["config"])

    @cached_property
    def endpoint(self) -> str:
        """Read once: the engine writes the file anew, and it is empty for a moment then."""
        return str(self.config["digitalocean:apiEndpoint"])

    def oracle(self, *arguments: str) -> Done:
        """The command, as a script runs it."""
        environment = {**os.environ, "PYTHONPATH": str(self.root), **self.environment}
        done = forked.python(["-m", "cli", *arguments], self.root, environment, self.seconds, merged=True)
        return Done(done.status, done.output)

    def start_oracle(self, *arguments: str) -> subprocess.Popen[str]:
        """The command in the background, in a process group of its own; its output is in `.stdout`."""
        environment = {**os.environ, "PYTHONPATH": str(self.root), **self.environment}
        return subprocess.Popen(
            [sys.executable, "-m", "cli", *arguments],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def pulumi(self, *arguments: str, **environment: str) -> Done:
        """Plain `pulumi`, in the environment that `oracle env` prints."""
        return self._run(["pulumi", *arguments, "--non-interactive"], {**self.engine_environment, **environment})

    def up(self) -> Done:
        return self.pulumi("up", "--yes", "--skip-preview", "--stack", self.stack)

    @cached_property
    def engine_environment(self) -> dict[str, str]:
        printed = self.oracle("env", self.stack).well().output
        words = [shlex.split(line)[1] for line in printed.splitlines() if line.startswith("export ")]
        return {**os.environ, **self.environment, **dict(word.split("=", 1) for word in words)}

    def _run(self, command: list[str], environment: dict[str, str]) -> Done:
        done = subprocess.run(
            command,
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=self.seconds,
            check=False,
        )
        return Done(done.returncode, done.stdout)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs with their secrets: out of its state file, or the engine's where it has none."""
        if not self.state_file.exists():
            return self.engine_outputs()
        return stack_state.outputs(self.state_file, LOCAL_PASSPHRASE)

    def engine_outputs(self) -> dict[str, Any]:
        """The same, as the engine answers."""
        shown = self.pulumi("stack", "output", "--json", "--show-secrets", "--stack", self.stack).well().output
        return dict(json.loads(shown))

    def tokens(self) -> dict[str, str]:
        return dict(json.loads((self.cloud_state / "tokens.json").read_text()))

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """DigitalOcean's API, or the local cloud's own, as its owner."""
        with client(timeout=60, headers={"Authorization": f"Bearer {self.tokens()['digitalocean']}"}) as http:
            response = http.request(method, f"{self.endpoint}{path}", json=body)
        assert response.status_code < 400, response.text
        return response.json() if response.content else None

    def fault(self, **fault: Any) -> None:
        """Trouble for the next matching requests or deployments (localcloud/faults.py)."""
        self.api("POST", "/_cloud/faults", fault)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text()
        assert old in text, f"{old!r} is not in {name}"
        path.write_text(text.replace(old, new, 1))

    def stop(self) -> None:
        self.oracle("down", self.stack)
