"""The project, a stack's own files, and the environment of a stack's engine."""

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
from errors import Fix, Remedy, UserError
from settings import CLOUDFLARE, DIGITALOCEAN, Settings, from_file
from toolchain import tools

PROJECT = Path(__file__).resolve().parents[2]
LOCAL_PASSPHRASE = "oracle-local"  # protects nothing outside this machine: the local stack has no real secret
ELSEWHERE = "ORACLE_LOCAL_STATE"
"""The variable for another state of local stacks, such as a bucket; the user's own state is for the real clouds."""
FIRST = "local"  # the stack that `make up` brings up
NAME = re.compile(r"\w[\w.-]{0,99}", re.ASCII)
"""The engine's rule for a stack's name; a name with a slash or with leading dots would address another file."""
PROXIES = ("https_proxy", "http_proxy", "all_proxy", "grpc_proxy")
NEVER_BY_PROXY = ("127.0.0.1", "localhost", ".localhost", "::1")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Stack:
    """One stack of the project at `project`, from its `Pulumi.<name>.yaml`. Raises CommandError for an invalid name."""

    name: str
    project: Path = PROJECT

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise CommandError(
                f'"{self.name}" is not a valid name of a stack, which has letters, digits, dashes, dots and '
                "underscores.",
                Fix("ls Pulumi.*.yaml", "to see the stacks"),
            )

    @property
    def missing(self) -> CommandError:
        """The error for a stack without a file."""
        purpose = "to create it" if self.name == FIRST else "to create a stack of your own on this machine"
        return CommandError(f"{self.absence}.", Fix(self.first_up, purpose))

    @property
    def absence(self) -> str:
        """A sentence without its full stop: the stack has no file, and which stacks have one."""
        there = ", ".join(stack_names(self.project)) or "none"
        return f"There is no stack {self.name}: {self.file.name} does not exist. There are: {there}"

    @property
    def first_up(self) -> str:
        """The command that creates a stack of this name on this machine."""
        return "make up" if self.name == FIRST else f"oracle up {self.name}"

    @property
    def file(self) -> Path:
        return self.project / f"Pulumi.{self.name}.yaml"

    @property
    def private(self) -> Path:
        """The folder of our own files outside git."""
        return self.project / ".oracle"

    def make_private(self, *folders: Path) -> None:
        """Create folders below `private` that only their owner may enter."""
        self.private.mkdir(exist_ok=True)
        self.private.chmod(0o700)
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def account(self) -> str:
        """The stack whose local cloud, Pulumi home and state this one shares; usually itself.

        Stacks at one address are in one account, as on the real clouds. The first of them names the account.
        """
        if self._cloud.is_dir() or not self.file.is_file():
            return self.name
        others = (Stack(name, self.project) for name in stack_names(self.project) if name != self.name)
        return next((each.name for each in others if each._cloud.is_dir() and each._is_at(self.endpoint)), self.name)

    @property
    def cloud_state(self) -> Path:
        """The state folder of the local cloud of this stack's account."""
        return Stack(self.account, self.project)._cloud

    @property
    def _cloud(self) -> Path:
        """The folder of a local cloud with this stack's name; the first stack's folder has another name."""
        return self.private / "cloud" if self.name == FIRST else self.private / "clouds" / self.name

    def _is_at(self, endpoint: str | None) -> bool:
        try:
            return endpoint is not None and self.endpoint == endpoint
        except (UserError, AttributeError):
            return False

    @property
    def runs(self) -> Path:
        """The folder of the records of all runs, of all stacks."""
        return self.private / "runs"

    @property
    def home(self) -> Path:
        """The Pulumi home of stacks on the local cloud, so that the user's own is never changed."""
        return self.private / "pulumi" / self.account / "home"

    @property
    def state(self) -> Path:
        return self.private / "pulumi" / self.account / "state"

    def settings(self) -> Settings:
        """Return the stack's settings. Raises CommandError without a file, and SettingsError."""
        if not self.file.is_file():
            raise self.missing
        return from_file(self.file)

    def config(self, key: str) -> Any:
        """Return a provider's plain configuration value, such as `digitalocean:apiEndpoint`, or None."""
        try:
            document = yaml_text.load(self.file.read_text()) or {}
        except FileNotFoundError:
            raise self.missing from None
        except yaml.YAMLError:
            self.settings()  # raises with the place of the error
            raise
        return (document.get("config") or {}).get(key)

    @property
    def endpoint(self) -> str | None:
        """DigitalOcean's API if the stack names another than the real one."""
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
        """True if the stack's clouds are on this machine, decided by their addresses and never by the stack's name."""
        return self.endpoint is not None and urlsplit(self.endpoint).hostname in LOOPBACK

    @property
    def update(self) -> str:
        """The command that updates the stack."""
        if self.on_local_cloud:
            return self.first_up
        return f"pulumi up --stack {self.name}"

    @property
    def cloud_port(self) -> int:
        return urlsplit(self.endpoint or "").port or 80

    @property
    def edge_port(self) -> int:
        return urlsplit(self.settings().workers_url.replace("{script}.", "")).port or 80


def stack_names(project: Path) -> list[str]:
    """Return the names of the project's stacks, from their files' names."""
    names = (path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in project.glob("Pulumi.*.yaml"))
    return sorted(name for name in names if NAME.fullmatch(name))


def located_tools() -> tools.Tools:
    """Locate the tools. Raises CommandError for a missing one."""
    try:
        return tools.locate()
    except tools.ToolMissing as error:
        raise CommandError(error.problem, Fix("make tools", then=Remedy.RETRY)) from None


def exports(stack: Stack, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables with which plain `pulumi` commands work on the stack. Raises CommandError.

    A stack on the local cloud gets a Pulumi home, a state and tokens of its own. Any other stack gets only its name and
    the tools' folders, since its state and tokens are the user's. `environment` is the user's.
    """
    located = located_tools()
    venv = Path(sys.prefix)
    path = [str(located.engine_bin), str(venv / "bin"), *_other_path(environment, located.engine_bin, venv / "bin")]
    variables = {"PATH": os.pathsep.join(path), "VIRTUAL_ENV": str(venv), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    variables |= {"PULUMI_SUPPRESS_NEO_LINK": "true", "PULUMI_STACK": stack.name}
    variables |= _direct_loopback(environment)
    return {**variables, **_local_exports(stack, environment)} if stack.on_local_cloud else variables


def _direct_loopback(environment: Mapping[str, str]) -> dict[str, str]:
    """Exclude this machine from the proxies that the environment names.

    The engine, its program and its plugins communicate on loopback, and the program's gRPC goes through `https_proxy`
    unless `no_proxy` excludes it. Other programs read these variables in capitals.
    """
    if not any(environment.get(name) or environment.get(name.upper()) for name in PROXIES):
        return {}
    listed = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    entries = [entry for entry in re.split(r"[\s,]+", listed) if entry]
    value = ",".join(dict.fromkeys([*entries, *NEVER_BY_PROXY]))
    return {"NO_PROXY": value, "no_proxy": value}


def _local_exports(stack: Stack, environment: Mapping[str, str]) -> dict[str, str]:
    variables = {
        "PULUMI_HOME": str(stack.home),
        "PULUMI_BACKEND_URL": environment.get(ELSEWHERE) or stack.state.as_uri(),  # with # and % escaped
        "PULUMI_CONFIG_PASSPHRASE": LOCAL_PASSPHRASE,
        # The plugins are in the Pulumi home above; without this, the engine searches the internet for more at each run.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    try:
        tokens = json.loads((stack.cloud_state / "tokens.json").read_text())
    except FileNotFoundError:
        return variables
    return {
        **variables,
        "DIGITALOCEAN_TOKEN": tokens["digitalocean"],
        "CLOUDFLARE_API_TOKEN": tokens["cloudflare"],
        "CLOUDFLARE_ACCOUNT_ID": tokens["accountId"],
    }


def _other_path(environment: Mapping[str, str], *own: Path) -> list[str]:
    own_folders = {str(path) for path in own}
    return [entry for entry in environment.get("PATH", "").split(os.pathsep) if entry and entry not in own_folders]
