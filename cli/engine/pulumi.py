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
from cli.ui.errors import KILLED, CommandError, engine_failure, program_cause, program_sentence
from errors import Fix
from programs import Done, OutOfTime, run, start
from settings import PROJECT
from stack_outputs import Outputs, Owner

ANSI = re.compile(r"\x1b\[[0-9;]*m")
# Output lines without news: progress dots, reads without a difference, unchanged resources. Each read returns a
# Worker's bindings with their secrets marked differently; real changes of bindings are in the plan.
NOISE = re.compile(
    r"@ updating|.* refreshing \(\d+s\)\s*$|.* refresh \([\d.]+s\)\s*(\[diff: ~bindings\])?\s*$"
    r"| {4}[\w-]+:[\w/-]+:\w+ [\w-]+ +(running )?$|\s*$"
)
QUIET_SECONDS = 1800.0  # for commands other than deployments; large states on slow storage are read in seconds


STACK = "pulumi:pulumi:Stack"
"""The type of the resource that carries a stack's outputs."""
OWN_STATE = "organization"
"""The engine's organization of every stack in a folder or a bucket."""
FULL_TEXT = Fix("oracle logs", "to read its full text")


@dataclass(frozen=True)
class Finished:
    status: int
    output: str


class NoStack(CommandError):
    """The state does not contain the stack."""


class Engine:
    """Runs `pulumi` for one stack. Tokens and the passphrase go through the environment, never through arguments."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.environment = {**os.environ, **exports(stack)}
        self._process: subprocess.Popen[bytes] | None = None

    def quiet(self, *arguments: str) -> Finished:
        """Run to the end and return the output; after a failure with the text of standard error."""
        done = self._run(*arguments)
        return Finished(done.status, _text(done.output) if done.status == 0 else _text(done.output) + done.errors)

    def recorded(self, output: Path, events: Path, *arguments: str) -> Finished:
        """Run with the output appended to one file and the event log in another; `interrupt` ends it early."""
        begin = output.stat().st_size
        command = _command("--event-log", str(events), arguments=arguments)
        with output.open("ab") as log:
            # Without PULUMI_DEBUG_COMMANDS there is no option --event-log.
            own = {**self.environment, "PULUMI_DEBUG_COMMANDS": "true"}
            self._process = start(command, output=log, cwd=self.stack.project, env=own)
        try:
            self._process.wait()
        except KeyboardInterrupt:
            self._process.wait()  # the terminal has interrupted the engine too: it stops after its current step
            raise
        finally:
            status, self._process = self._process.returncode, None
        with output.open("rb") as log:
            log.seek(begin)
            return Finished(status, log.read().decode(errors="replace"))

    def interrupt(self) -> bool:
        """Ask a recorded engine to stop after its current steps; return False when none runs."""
        process = self._process
        if process is not None:
            process.send_signal(signal.SIGINT)
        return process is not None

    def _run(self, *arguments: str, stdin: bytes | None = None, merged: bool = False) -> Done:
        """Run the engine to its end.

        Raises CommandError when the engine does not start, or does not end in time.
        """
        command = _command(arguments=arguments)
        project, own = self.stack.project, self.environment
        try:
            return run(command, cwd=project, env=own, stdin=stdin, merged=merged, seconds=QUIET_SECONDS, patient=True)
        except OutOfTime:
            raise CommandError(
                f"`pulumi {arguments[0]}` did not end within {QUIET_SECONDS / 60:.0f} minutes.",
                Fix("pulumi whoami -v", "to see whether its state answers"),
            ) from None
        except OSError as error:
            raise CommandError(f"The Pulumi engine does not start ({error.strerror}).", Fix("make tools")) from None

    def run_checked(self, *arguments: str) -> str:
        """Run quietly and return the output. Raises CommandError when it fails."""
        done = self.quiet(*arguments)
        if done.status != 0:
            raise self._refusal(done, arguments[0])
        return done.output

    def _refusal(self, done: Finished, command: str) -> CommandError:
        otherwise = CommandError(f"`pulumi {command}` failed.", cause=_last_error(done.output))
        return engine_failure(done.output, self.stack.name) or otherwise

    def set_secret(self, key: str, value: str) -> None:
        """Set an encrypted configuration value, passed through standard input. Raises CommandError."""
        arguments = ("config", "set", "--secret", "--stack", self.stack.name, "--", key)
        done = self._run(*arguments, stdin=value.encode(), merged=True)
        if done.status != 0:
            raise self._refusal(Finished(done.status, _text(done.output)), f"config set --secret {key}")

    def failure(self, done: Finished, go_on: str = "", problem: str = "", then: str = "") -> CommandError:
        """Return the error of an update or a preview that failed: a known one, or the cause that was printed.

        `problem` is the beginning of the sentence about the cause, and `then` a sentence after it. `go_on` is the
        command that continues once the cause is fixed. An unexpected error would only happen again, so it gets the
        command for its full text instead.
        """
        known = engine_failure(done.output, self.stack.name)
        sentence = known.problem.rstrip(".") if known else cause(done)
        text = " ".join(filter(None, [f"{problem}: {sentence}." if problem else f"{sentence}.", then]))
        if known is None and unexpected(done):
            return CommandError(text, FULL_TEXT)
        return CommandError(text, *(known.helps if known else ()), go_on=go_on)

    def stacks(self) -> dict[str, dict[str, Any]]:
        """Return the entries of `pulumi stack ls`, by the stack's name without an organization.

        Raises CommandError.
        """
        self._make_state()
        listed = json.loads(self.run_checked("stack", "ls", "--json"))
        return {str(each["name"]).rpartition("/")[2]: each for each in listed}

    def ensure_stack(self) -> None:
        """Create the stack if an existing state does not have it; the terminal's selected stack does not change."""
        if self.stack.name not in self.stacks():
            self.make_stack()

    def make_stack(self) -> None:
        """Create the stack, which the state does not have. Raises CommandError."""
        self.run_checked("stack", "init", "--no-select", self.stack.name)

    def require_stack(self) -> None:
        """Raise NoStack if the state does not have the stack; nothing is created."""
        if self.stack.name not in self.stacks():
            name = self.stack.name
            deploy = self.stack.update if self.stack.on_local_cloud else f"oracle deploy --stack {name}"
            raise NoStack(
                f"There is no stack {name} in the state.",
                Fix(deploy, "to deploy it"),
                Fix("pulumi whoami -v", "to see which state that is"),
            )

    @cached_property
    def owner(self) -> Owner:
        """The stack's full name, as its program knows it. Raises CommandError."""
        state = self.environment.get("PULUMI_BACKEND_URL") or str(
            json.loads(self.run_checked("whoami", "--json"))["url"]
        )
        cloud = state.startswith(("https:", "http:"))
        organization = self.run_checked("org", "get-default").strip() if cloud else OWN_STATE
        return Owner(organization=organization, project=PROJECT, stack=self.stack.name)

    def export(self) -> dict[str, Any]:
        """Return the state, with its secrets encrypted.

        Raises NoStack when the stack does not exist, and CommandError for any other failure.
        """
        self._make_state()
        done = self.quiet("stack", "export", "--stack", self.stack.name)
        if done.status != 0:
            self.require_stack()
            raise self._refusal(done, "stack")
        exported: dict[str, Any] = json.loads(done.output)
        return exported

    def outputs(self, state: Mapping[str, Any] | None = None) -> Outputs:
        """Return the deployed stack's outputs without the secret ones; from an exported `state` if one is given.

        Raises CommandError when the stack has none yet.
        """
        return self._outputs(self._read_outputs() if state is None else outputs_in(state))

    def login(self) -> tuple[Outputs, str]:
        """Return the deployed stack's outputs and its admin's password. Raises CommandError without outputs."""
        outputs = self._read_outputs("--show-secrets")
        return self._outputs(outputs), str(outputs["adminPassword"])

    def _read_outputs(self, *options: str) -> dict[str, Any]:
        outputs: dict[str, Any] = json.loads(
            self.run_checked("stack", "output", *options, "--json", "--stack", self.stack.name)
        )
        return outputs

    def _outputs(self, values: Mapping[str, Any]) -> Outputs:
        try:
            return Outputs.from_state(values)
        except KeyError as error:
            raise CommandError(
                f"The stack {self.stack.name} has no {error.args[0]} yet.", Fix(self.stack.update, "to deploy it")
            ) from None

    def _make_state(self) -> None:
        if self.stack.on_local_cloud:
            self.stack.make_private(self.stack.home, self.stack.state)


def resources_in(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the resources of an exported state; none before its first deployment."""
    return (state.get("deployment") or {}).get("resources") or []


def outputs_or_none(state: Mapping[str, Any]) -> Outputs | None:
    """Return the outputs in an exported state; None when no deployment was ever completed."""
    try:
        return Outputs.from_state(outputs_in(state))
    except KeyError:
        return None


def bounded(project: Path, environment: Mapping[str, str], seconds: float, *arguments: str) -> Finished:
    """Run `pulumi` for at most so many seconds; return its output, after a failure with standard error before it.

    Raises OutOfTime, and OSError when it does not start.
    """
    done = run(_command(arguments=arguments), cwd=project, env=environment, seconds=seconds)
    return Finished(done.status, _text(done.output) if done.status == 0 else done.errors + _text(done.output))


def cause(done: Finished) -> str:
    """Return the cause of a failure, if the engine printed one, as the beginning of a sentence."""
    return (
        program_sentence(done.output) or (KILLED if done.status < 0 else "the cause is in the output above")
    ).rstrip(".:")


def unexpected(done: Finished) -> bool:
    """Return whether the failure is one that no sentence of ours or the engine's describes."""
    program_failure = program_cause(done.output)
    return program_failure is not None and program_failure.unexpected


def is_worth_reading(line: str) -> bool:
    """Return whether a line of the engine's output is worth reading, for example because it reports a change."""
    return NOISE.match(ANSI.sub("", line)) is None


def outputs_in(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the outputs in an exported state; secret ones are encrypted."""
    resources = resources_in(state)
    return next((each.get("outputs") or {} for each in resources if each["type"] == STACK), {})


def _command(*more: str, arguments: Sequence[str]) -> list[str]:
    """Return the engine's command line. Its options go before a `--`, after which everything is a value."""
    options = [*more, "--non-interactive", "--color", "never"]
    words = list(arguments)
    place = words.index("--") if "--" in words else len(words)
    return ["pulumi", *words[:place], *options, *words[place:]]


def _text(output: bytes) -> str:
    return output.decode(errors="replace")


def _last_error(output: str) -> str:
    errors = [line.strip() for line in output.splitlines() if "error:" in line]
    return (errors or output.strip().splitlines() or ["it printed nothing"])[-1]
