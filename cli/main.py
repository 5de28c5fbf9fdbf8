"""The `oracle` command's table of contents."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from cli.engine.shell_environment import unloaded
from cli.help import WORKFLOWS, Entry, screen
from cli.ui.errors import NO_STATUS, CommandError, unexpected
from cli.ui.text import echo_wrapped
from tracebacks import full_text

ERRORS = Path(__file__).resolve().parents[1] / ".oracle" / "errors"

# One line a command: its panel on the help screen, its name, and what it does in at most 25 characters. Its code is
# the function of that name in the module of that name (or the module's `app`), which is imported when it is needed.
COMMANDS = (
    Entry("Deploy, and the repositories", "up", "start all on this machine"),
    Entry("Deploy, and the repositories", "down", "stop it; data is kept"),
    Entry("Deploy, and the repositories", "deploy", "services, in parallel"),
    Entry("Deploy, and the repositories", "build", "only build the services"),
    Entry("Deploy, and the repositories", "image", "push a backend image"),
    Entry("Deploy, and the repositories", "plan", "say what would change"),
    Entry("Deploy, and the repositories", "rehearse", "a change, on this machine"),
    Entry("Deploy, and the repositories", "commit-all", "commit and push them all"),
    Entry("Deploy, and the repositories", "repo-map", "write REPO_MAP.md"),
    Entry("Look", "status", "every service at once"),
    Entry("Look", "page", "all of it in a browser"),
    Entry("Look", "runs", "what ran, and what runs"),
    Entry("Look", "logs", "a run's output; -f"),
    Entry("Look", "tail", "what services say, live"),
    Entry("Look", "timeline", "a run as a picture"),
    Entry("Data", "wipe", "empty the backend; --undo"),
    Entry("Data", "restore", "go back to a backup"),
    Entry("Data", "backup", "take a verified backup"),
    Entry("Data", "backups", "what to go back to"),
    Entry("Data", "history", "what became of the data"),
    Entry("Environments, and mending them", "promote", "a release to a stack"),
    Entry("Environments, and mending them", "rollback", "to the release before"),
    Entry("Environments, and mending them", "adopt", "what was made by hand"),
    Entry("Environments, and mending them", "drift", "what was changed by hand"),
    Entry("Environments, and mending them", "rotate", "renew a secret"),
    Entry("Environments, and mending them", "unlock", "let a stack be destroyed"),
    Entry("Environments, and mending them", "doctor", "what is missing, and why"),
    Entry("Environments, and mending them", "recover", "take over a killed update"),
    Entry("Environments, and mending them", "console", "a shell in the backend"),
    Entry("Environments, and mending them", "cloud", "the local cloud alone"),
    Entry("Environments, and mending them", "env", "exports for plain pulumi"),
    Entry(WORKFLOWS, "comment", "on a pull request"),
    Entry(WORKFLOWS, "issue", "about what was found"),
    Entry(WORKFLOWS, "propose", "a receipt"),
    Entry(WORKFLOWS, "receipt", "of a stack, as JSON"),
    Entry(WORKFLOWS, "review", "an environment of its own"),
)

app = typer.Typer(
    name="oracle", cls=screen(COMMANDS), no_args_is_help=True, pretty_exceptions_enable=False, add_completion=True
)


@app.callback()
def oracle(context: typer.Context) -> None:
    """Runs the Oracle network: deploys it, rehearses it on this machine, looks after it."""
    if context.invoked_subcommand != "env":  # each command loads what its own stack needs
        before = unloaded(os.environ)
        os.environ.clear()
        os.environ.update(before)


def main() -> None:
    """Runs the command. A failure is one sentence on standard error and a non-zero exit status.

    The full text of one that nobody expected is kept in a file.
    """
    try:
        app()
    except CommandError as failure:
        echo_wrapped(f"oracle: {failure}", sys.stderr)
        sys.exit(failure.status)
    except KeyboardInterrupt:
        echo_wrapped("\noracle: interrupted; nothing is lost, and the same command goes on: oracle up", sys.stderr)
        sys.exit(130)
    except Exception as error:
        if os.environ.get("CI"):  # no file outlives the job
            print(full_text(error), file=sys.stderr)
        echo_wrapped(f"oracle: {unexpected(error, ERRORS)}", sys.stderr)
        sys.exit(NO_STATUS)
