"""Where things are: the project, a stack's own files, and the environment in which its engine runs."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

import yaml_text
from cli.ui.errors import CommandError
from settings import CLOUDFLARE, DIGITALOCEAN, Settings, SettingsError, from_file
from toolchain import tools

PROJECT = Path(__file__).resolve().parents[2]
LOCAL_PASSPHRASE = "oracle-local"  # protects nothing outside this machine: the local stack holds no real secret
ELSEWHERE = "ORACLE_LOCAL_STATE"
"""Another place for the state of stacks on the local cloud, such as a bucket; the user's own is for the real clouds."""
FIRST = "local"  # the stack that `make up` brings up
NAME = re.compile(r"\w[\w.-]{0,99}", re.ASCII)
"""What the engine takes for a stack's name; one with a slash or with dots in front would be another file's."""
PROXIES = ("https_proxy", "http_proxy", "all_proxy", "grpc_proxy")
NEVER_BY_PROXY = ("127.0.0.1", "localhost", ".localhost", "::1")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Stack:
    """One stack of the project at `project`, from its `Pulumi.<name>.yaml`. Raises CommandError for what is no name."""

    name: str
    project: Path = PROJECT

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise CommandError(
                f'"{self.name}" is no stack\'s name, which has letters, digits, dashes, dots and underscores; the '
                "stacks there are: ls Pulumi.*.yaml"
            )

    @property
    def missing(self) -> CommandError:
        """The failure where the stack has no file."""
        what = "Bring it up" if self.name == FIRST else "One of your own on this machine"
        return CommandError(f"{self.absence}. {what}: {self.first_up}")

    @property
    def absence(self) -> str:
        """That the stack has no file, and which stacks have one; without a full stop."""
        there = ", ".join(get_or_none(self.project)) or "none"
        return f"There is no stack {self.name}: {self.file.name} does not exist. There are: {there}"

    @property
    def first_up(self) -> str:
        """The command that makes a stack of this name on this machine."""
        return "make up" if self.name == FIRST else f"oracle up {self.name}"

    @property
    def file(self) -> Path:
        return self.project / f"Pulumi.{self.name}.yaml"

    @property
    def private(self) -> Path:
        """Everything of ours that is not in git."""
        return self.project / ".oracle"

    def make_private(self, *folders: Path) -> None:
        """Makes folders below `private`, which only their owner may enter."""
        self.private.mkdir(exist_ok=True)
        self.private.chmod(0o700)
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def account(self) -> str:
        """The stack whose local cloud, Pulumi home and state this one shares; as a rule itself.

        Stacks at one address are in one account, as on the real clouds; the first of them there gives it its name.
        """
        if self._cloud.is_dir() or not self.file.is_file():
            return self.name
        others = (Stack(name, self.project) for name in get_or_none(self.project) if name != self.name)
        return next((each.name for each in others if each._cloud.is_dir() and each._is_at(self.endpoint)), self.name)

    @property
    def cloud_state(self) -> Path:
        """Of the local cloud that stands for this stack's account."""
        return Stack(self.account, self.project)._cloud

    @property
    def _cloud(self) -> Path:
        """The place of a local cloud that has this stack's name; the first stack's is another."""
        return self.private / "cloud" if self.name == FIRST else self.private / "clouds" / self.name

    def _is_at(self, endpoint: str | None) -> bool:
        try:
            return endpoint is not None and self.endpoint == endpoint
        except (CommandError, AttributeError):
            return False

    @property
    def runs(self) -> Path:
        """What every deploy, wipe, restore and update did, of all stacks."""
        return self.private / "runs"

    @property
    def home(self) -> Path:
        """The Pulumi home of stacks on the local cloud, so that the user's own is never touched."""
        return self.private / "pulumi" / self.account / "home"

    @property
    def state(self) -> Path:
        return self.private / "pulumi" / self.account / "state"

    def settings(self) -> Settings:
        """The stack's settings. Raises CommandError."""
        if not self.file.is_file():
            raise self.missing
        try:
            return from_file(self.file)
        except SettingsError as error:
            raise CommandError(str(error)) from None

    def config(self, key: str) -> Any:
        """A provider's plain configuration value, such as `digitalocean:apiEndpoint`, or None."""
        try:
            document = yaml_text.load(self.file.read_text()) or {}
        except FileNotFoundError:
            raise self.missing from None
        except yaml.YAMLError:
            self.settings()  # which says where
            raise
        return (document.get("config") or {}).get(key)

    @property
    def endpoint(self) -> str | None:
        """DigitalOcean's API when the stack names another than the real one."""
        value = self.config("digitalocean:apiEndpoint")
        return str(value).rstrip("/") if value else None

    @property
    def digitalocean(self) -> str:
        """The origin of DigitalOcean's API."""
        return self.endpoint or DIGITALOCEAN

    @property
    def cloudflare(self) -> str:
        """Cloudflare's API with its whole prefix."""
        return str(self.config("cloudflare:baseUrl") or CLOUDFLARE).rstrip("/")

    @property
    def on_local_cloud(self) -> bool:
        """Whether the stack's clouds are on this machine. Decided by its addresses, never by its name."""
        return self.endpoint is not None and urlsplit(self.endpoint).hostname in LOOPBACK

    @property
    def update(self) -> str:
        """The command that updates the stack."""
        if self.on_local_cloud:
            return self.first_up
        return f"pulumi up -s {self.name}"

    @property
    def cloud_port(self) -> int:
        return urlsplit(self.endpoint or "").port or 80

    @property
    def edge_port(self) -> int:
        return urlsplit(self.settings().workers_url.replace("{script}.", "")).port or 80


def get_or_none(project: Path) -> list[str]:
    """The names of the project's stacks, as their files tell."""
    names = (path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in project.glob("Pulumi.*.yaml"))
    return sorted(name for name in names if NAME.fullmatch(name))


def located_tools() -> tools.Tools:
    """The tools' places. Raises CommandError naming the one that is missing."""
    try:
        return tools.locate()
    except tools.ToolMissing as error:
        raise CommandError(str(error)) from None


def exports(stack: Stack, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables after which plain `pulumi` commands work on the stack. Raises CommandError.

    A stack on the local cloud gets a Pulumi home, a state and tokens of its own; any other only its name and the tools'
    places, since its state and tokens are the user's. `environment` is the user's.
    """
    located = located_tools()
    venv = Path(sys.prefix)
    path = [str(located.engine_bin), str(venv / "bin"), *_other_path(environment, located.engine_bin, venv / "bin")]
    found = {"PATH": os.pathsep.join(path), "VIRTUAL_ENV": str(venv), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    found |= {"PULUMI_SUPPRESS_NEO_LINK": "true", "PULUMI_STACK": stack.name}
    found |= _direct_loopback(environment)
    return {**found, **_local_exports(stack, environment)} if stack.on_local_cloud else found


def _direct_loopback(environment: Mapping[str, str]) -> dict[str, str]:
    """Keeps what is on this machine from the proxies that the environment names.

    The engine, its program and its plugins talk on loopback, and the program's gRPC goes through `https_proxy` unless
    `no_proxy` says otherwise. Other programs read these names in capitals.
    """
    if not any(environment.get(name) or environment.get(name.upper()) for name in PROXIES):
        return {}
    listed = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    entries = [entry for entry in re.split(r"[\s,]+", listed) if entry]
    value = ",".join(dict.fromkeys([*entries, *NEVER_BY_PROXY]))
    return {"NO_PROXY": value, "no_proxy": value}


def _local_exports(stack: Stack, environment: Mapping[str, str]) -> dict[str, str]:
    found = {
        "PULUMI_HOME": str(stack.home),
        "PULUMI_BACKEND_URL": environment.get(ELSEWHERE) or stack.state.as_uri(),  # with # and % escaped
        "PULUMI_CONFIG_PASSPHRASE": LOCAL_PASSPHRASE,
        # The plugins are in the home above; without this the engine looks for more on the internet at each run.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    try:
        tokens = json.loads((stack.cloud_state / "tokens.json").read_text())
    except FileNotFoundError:
        return found
    return {
        **found,
        "DIGITALOCEAN_TOKEN": tokens["digitalocean"],
        "CLOUDFLARE_API_TOKEN": tokens["cloudflare"],
        "CLOUDFLARE_ACCOUNT_ID": tokens["accountId"],
    }


def _other_path(environment: Mapping[str, str], *own: Path) -> list[str]:
    mine = {str(path) for path in own}
    return [entry for entry in environment.get("PATH", "").split(os.pathsep) if entry and entry not in mine]
