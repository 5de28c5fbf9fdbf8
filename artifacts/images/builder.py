"""Build and push images with docker, podman or buildah: the first one that works on this machine."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artifacts.images.errors import ImageError
from artifacts.images.inputs import PLATFORM, Inputs
from artifacts.images.logins import Login
from artifacts.images.repository import HUB, Repository
from errors import First, Fix, Remedy
from programs import OutOfTime, run

PROBES = {"docker": ("version", "--format", "{{.Server.Version}}"), "podman": ("info",), "buildah": ("info",)}
"""A command of each that succeeds only if it can build images. Docker, for example, needs its daemon."""
PROBE_SECONDS = 20.0
BUILD_SECONDS = 3600.0
TAIL = 25
SAFE = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
"""Push one manifest instead of a list, so that its digest is the image's."""
NOT_FOR_BUILDERS = frozenset(
    {
        "CLOUDFLARE_API_TOKEN",
        "DIGITALOCEAN_ACCESS_TOKEN",
        "DIGITALOCEAN_TOKEN",
        "PULUMI_ACCESS_TOKEN",
        "PULUMI_CONFIG_PASSPHRASE",
    }
)
"""Environment variables that a builder must not get."""
Line = Callable[[str], object]


@dataclass(frozen=True)
class Builder:
    """A program that builds images. `environment` is its whole environment."""

    program: str
    environment: Mapping[str, str]

    @classmethod
    def found(cls, environment: Mapping[str, str]) -> Builder:
        """Return the first builder that works. Raises ImageError with the problem of each."""
        for name in PROBES:
            if _problem(name, environment) == "":
                return cls(name, environment)
        problems = "; ".join(f"{name} {_problem(name, environment)}" for name in PROBES)
        raise ImageError(
            f"No program on this machine can build the backend's image ({problems}).",
            First("start docker's daemon"),
            Fix("sudo apt-get install buildah", "to install a builder"),
        )

    def build(self, inputs: Inputs, name: str, line: Line) -> None:
        """Build the image with this name. Raises ImageError with the end of the builder's output."""
        with tempfile.TemporaryDirectory(prefix="oracle-image-") as folder:
            context, dockerfile = inputs.copy(Path(folder))
            target = ["--target", inputs.target] if inputs.target else []
            values = [word for key, value in inputs.args for word in ("--build-arg", f"{key}={value}")]
            options = ["--platform", PLATFORM, "--file", str(dockerfile), "--tag", name, *target, *values]
            self._run("built", ["build", *options, str(context)], line, {})

    def push(self, repository: Repository, name: str, login: Login | None, line: Line) -> None:
        """Push the image of this name. Raises ImageError with the end of the builder's output."""
        plain = ["--tls-verify=false"] if repository.is_local and self.program != "docker" else []
        with self._logged_in(repository, login) as variables:
            self._run("pushed", ["push", *plain, name], line, variables)

    @contextmanager
    def _logged_in(self, repository: Repository, login: Login | None) -> Iterator[dict[str, str]]:
        """Yield the variables for a login file that has only this login. Docker's other files are linked beside it."""
        with tempfile.TemporaryDirectory(prefix="oracle-login-") as folder:
            key = (
                "https://index.docker.io/v1/"
                if repository.host == HUB and self.program == "docker"
                else repository.host
            )
            config: dict[str, Any] = {"auths": {key: {"auth": login.basic}} if login else {}}
            own = Path(self.environment.get("DOCKER_CONFIG") or Path(self.environment.get("HOME", "/")) / ".docker")
            if self.program == "docker" and own.is_dir():
                config |= {"currentContext": _context(own)} if _context(own) else {}
                for each in own.iterdir():
                    if each.name != "config.json":
                        (Path(folder) / each.name).symlink_to(each)
            file = Path(folder) / "config.json"
            file.touch(mode=0o600)
            file.write_text(json.dumps(config))
            yield {"DOCKER_CONFIG": folder} if self.program == "docker" else {"REGISTRY_AUTH_FILE": str(file)}

    def _run(self, participle: str, words: Sequence[str], line: Line, variables: Mapping[str, str]) -> None:
        output: list[str] = []

        def on_line(raw: bytes) -> None:
            text = raw.decode(errors="replace").rstrip()
            output.append(text)
            line(text)

        own = {name: value for name, value in self.environment.items() if name not in NOT_FOR_BUILDERS}
        env = {**own, **SAFE, **variables}
        problem = f"The backend's image could not be {participle} by {self.program}"
        try:
            status = run([self.program, *words], env=env, merged=True, line=on_line, seconds=BUILD_SECONDS).status
        except OutOfTime:
            raise ImageError(f"{problem} within {BUILD_SECONDS / 60:.0f} minutes.", Remedy.RETRY) from None
        except OSError as error:
            raise ImageError(f"{problem} ({error.strerror}).", First(f"install {self.program} again")) from None
        if status != 0:
            help = First("fix the error in this output", Remedy.RETRY)
            raise ImageError(f"{problem} (status {status}).", help, cause="\n".join(output[-TAIL:]))


def _problem(name: str, environment: Mapping[str, str]) -> str:
    """Return why this program cannot build, in a few words; empty if it can."""
    if shutil.which(name, path=environment.get("PATH", os.defpath)) is None:
        return "is not installed"
    with suppress(OSError, OutOfTime):
        if run([name, *PROBES[name]], env=environment, seconds=PROBE_SECONDS).status == 0:
            return ""
    return "has no daemon that answers" if name == "docker" else "does not work here"


def _context(folder: Path) -> str:
    """Return docker's context, which selects its daemon; empty for the default one."""
    with suppress(OSError, ValueError, AttributeError):
        return str(json.loads((folder / "config.json").read_text()).get("currentContext") or "")
    return ""
