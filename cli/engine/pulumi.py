"""The Pulumi engine as a subprocess, in a stack's own environment."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cli.engine.workspace import Stack, exports
from cli.ui.errors import KILLED, CommandError, engine_sentence, program_cause, program_sentence
from programs import Done, OutOfTime, run, start
from settings import PROJECT
from stack_outputs import Outputs, Owner

ANSI = re.compile(r"\x1b\[[0-9;]*m")
# What says that nothing changes: progress dots, reads that found nothing new, resources that stay as they are. A
# Worker's bindings come back from each read with their secrets marked otherwise; what really changes is in the plan.
NOISE = re.compile(
    r"@ updating|.* refreshing \(\d+s\)\s*$|.* refresh \([\d.]+s\)\s*(\[diff: ~bindings\])?\s*$"
    r"| {4}[\w-]+:[\w/-]+:\w+ [\w-]+ +(running )?$|\s*$"
)
QUIET_SECONDS = 1800.0  # for what is no deployment; large states in slow places are read in seconds


STACK = "pulumi:pulumi:Stack"
"""The type of the resource that carries a stack's outputs."""
OWN_STATE = "organization"
"""What the engine calls the organization of every stack in a folder or a bucket."""
FULL_TEXT = "Its full text: oracle logs"


@dataclass(frozen=True)
class Finished:
    status: int
    output: str


class NoStack(CommandError):
    """The state has no such stack."""


class Engine:
    """Runs `pulumi` for one stack. Tokens and passphrase travel by environment, never by argument."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.environment = {**os.environ, **exports(stack)}
        self._process: subprocess.Popen[bytes] | None = None

    def quiet(self, *arguments: str) -> Finished:
        """Runs to the end and returns what was printed; when it succeeded, without its remarks on standard error."""
        done = self._run(*arguments)
        return Finished(done.status, _text(done.output) if done.status == 0 else _text(done.output) + done.errors)

    def recorded(self, output: Path, events: Path, *arguments: str) -> Finished:
        """Runs with its output added to a file as it comes, and its event log in another; `interrupt` ends it early."""
        begin = output.stat().st_size
        command = _command("--event-log", str(events), arguments=arguments)
        with output.open("ab") as log:
            own = {**self.environment, "PULUMI_DEBUG_COMMANDS": "true"}  # else there is no option --event-log
            self._process = start(command, output=log, cwd=self.stack.project, env=own)
        try:
            self._process.wait()
        except KeyboardInterrupt:
            self._process.wait()  # the terminal has told the engine too: it ends the step it is at
            raise
        finally:
            status, self._process = self._process.returncode, None
        with output.open("rb") as log:
            log.seek(begin)
            return Finished(status, log.read().decode(errors="replace"))

    def interrupt(self) -> bool:
        """Asks a recorded engine to end after the steps it is at; False when none is at work."""
        process = self._process
        if process is not None:
            process.send_signal(signal.SIGINT)
        return process is not None

    def _run(self, *arguments: str, stdin: bytes | None = None, merged: bool = False) -> Done:
        """Raises CommandError when the engine does not start, or does not end."""
        command = _command(arguments=arguments)
        project, own = self.stack.project, self.environment
        try:
            return run(command, cwd=project, env=own, stdin=stdin, merged=merged, seconds=QUIET_SECONDS, patient=True)
        except OutOfTime:
            raise CommandError(
                f"`pulumi {arguments[0]}` did not end within {QUIET_SECONDS / 60:.0f} minutes; see whether its state "
                "answers: pulumi whoami -v"
            ) from None
        except OSError as error:
            raise CommandError(f"The Pulumi engine does not start ({error.strerror}); get it: make tools") from None

    def run_checked(self, *arguments: str) -> str:
        """Runs quietly and returns the output. Raises CommandError with one sentence when it fails."""
        done = self.quiet(*arguments)
        if done.status != 0:
            raise self._refusal(done, arguments[0])
        return done.output

    def _refusal(self, done: Finished, command: str) -> CommandError:
        return CommandError(self.sentence(done, f"`pulumi {command}` failed: {_last_error(done.output)}"))

    def set_secret(self, key: str, value: str) -> None:
        """Sets configuration encrypted; the value goes by standard input. Raises CommandError."""
        arguments = ("config", "set", "--secret", "--stack", self.stack.name, "--", key)
        done = self._run(*arguments, stdin=value.encode(), merged=True)
        if done.status != 0:
            output = _text(done.output)
            said = f"`pulumi config set --secret {key}` failed: {_last_error(output)}"
            raise CommandError(self.sentence(Finished(done.status, output), said))

    def sentence(self, done: Finished, otherwise: str) -> str:
        return engine_sentence(done.output, self.stack.name) or otherwise

    def failure(self, done: Finished, go_on: str) -> str:
        """What went wrong in a recorded engine: the known failure's sentence, or the cause with `go_on` behind it."""
        return self.sentence(done, failed(done, go_on))

    def stacks(self) -> dict[str, dict[str, Any]]:
        """What `pulumi stack ls` says of each stack of the project, by name without an organization.

        Raises CommandError.
        """
        self._make_state()
        listed = json.loads(self.run_checked("stack", "ls", "--json"))
        return {str(each["name"]).rpartition("/")[2]: each for each in listed}

    def ensure_stack(self) -> None:
        """Makes the stack where there is none, in an existing state; which one a terminal has selected stays."""
        if self.stack.name not in self.stacks():
            self.make_stack()

    def make_stack(self) -> None:
        """Makes the stack, which the state does not have. Raises CommandError."""
        self.run_checked("stack", "init", "--no-select", self.stack.name)

    def require_stack(self) -> None:
        """Raises NoStack where the state has no such stack; nothing is made."""
        if self.stack.name not in self.stacks():
            name = self.stack.name
            deploy = self.stack.update if self.stack.on_local_cloud else f"oracle deploy --stack {name}"
            raise NoStack(
                f"There is no stack {name} in the state (which state that is: pulumi whoami -v); deploy it: {deploy}"
            )

    @cached_property
    def owner(self) -> Owner:
        """The stack by its whole name, as its program knows it. Raises CommandError."""
        state = self.environment.get("PULUMI_BACKEND_URL") or str(
            json.loads(self.run_checked("whoami", "--json"))["url"]
        )
        cloud = state.startswith(("https:", "http:"))
        organization = self.run_checked("org", "get-default").strip() if cloud else OWN_STATE
        return Owner(organization=organization, project=PROJECT, stack=self.stack.name)

    def export(self) -> dict[str, Any]:
        """The state, secrets encrypted. Raises NoStack where there is no such stack, CommandError for all else."""
        self._make_state()
        done = self.quiet("stack", "export", "--stack", self.stack.name)
        if done.status != 0:
            self.require_stack()
            raise self._refusal(done, "stack")
        exported: dict[str, Any] = json.loads(done.output)
        return exported

    def outputs(self, state: Mapping[str, Any] | None = None) -> Outputs:
        """The deployed stack's outputs, without the secret ones; those in an exported `state` where one is at hand.

        Raises CommandError when there are none yet.
        """
        return self._outputs(self._shown() if state is None else _outputs_in(state))

    def login(self) -> tuple[Outputs, str]:
        """The deployed stack's outputs and its admin's password. Raises CommandError when there are none yet."""
        found = self._shown("--show-secrets")
        return self._outputs(found), str(found["adminPassword"])

    def _shown(self, *options: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.run_checked("stack", "output", *options, "--json", "--stack", self.stack.name)
        )
        return found

    def _outputs(self, found: Mapping[str, Any]) -> Outputs:
        try:
            return Outputs.from_state(found)
        except KeyError as error:
            raise CommandError(
                f"The stack {self.stack.name} has no {error.args[0]} yet; deploy it: {self.stack.update}"
            ) from None

    def _make_state(self) -> None:
        if self.stack.on_local_cloud:
            self.stack.make_private(self.stack.home, self.stack.state)


def outputs_or_none(state: Mapping[str, Any]) -> Outputs | None:
    """The outputs in an exported state; None where nothing was ever deployed to the end."""
    try:
        return Outputs.from_state(_outputs_in(state))
    except KeyError:
        return None


def bounded(project: Path, environment: Mapping[str, str], seconds: float, *arguments: str) -> Finished:
    """`pulumi` for at most so many seconds; what it printed, its remarks before that when it failed.

    Raises OutOfTime, and OSError when it does not start.
    """
    done = run(_command(arguments=arguments), cwd=project, env=environment, seconds=seconds)
    return Finished(done.status, _text(done.output) if done.status == 0 else done.errors + _text(done.output))


def cause(done: Finished) -> str:
    """Why it failed, as far as it said; the begin of a sentence."""
    return (program_sentence(done.output) or (KILLED if done.status < 0 else "what is wrong stands above")).rstrip(".")


def failed(done: Finished, go_on: str, begin: str = "") -> str:
    """The cause between `begin` and `go_on`.

    What nobody expected comes again when it is tried again, so its full text is named in place of `go_on`.
    """
    return f"{begin}{cause(done)}. {FULL_TEXT if unexpected(done) else go_on}".rstrip()


def unexpected(done: Finished) -> bool:
    """Whether it failed at something that no sentence of ours or the engine's tells."""
    found = program_cause(done.output)
    return found is not None and found.unexpected


def describe_failure(line: str) -> bool:
    """Whether a line of the engine's output says that something changes, or anything else worth reading."""
    return NOISE.match(ANSI.sub("", line)) is None


def _outputs_in(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Secret ones are there encrypted."""
    resources = (state.get("deployment") or {}).get("resources") or []
    return next((each.get("outputs") or {} for each in resources if each["type"] == STACK), {})


def _command(*more: str, arguments: Sequence[str]) -> list[str]:
    """The engine's command line. Its options go before a `--`, behind which everything is a value."""
    options = [*more, "--non-interactive", "--color", "never"]
    words = list(arguments)
    place = words.index("--") if "--" in words else len(words)
    return ["pulumi", *words[:place], *options, *words[place:]]


def _text(output: bytes) -> str:
    return output.decode(errors="replace")


def _last_error(output: str) -> str:
    errors = [line.strip() for line in output.splitlines() if "error:" in line]
    return (errors or output.strip().splitlines() or ["it printed nothing"])[-1]
