"""The entry point of `oracle`: the table of commands and the handling of errors."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

import advice
from cli.engine.shell_environment import unloaded
from cli.help import Entry, screen
from cli.stack_argument import Invocation
from cli.ui.errors import NO_STATUS, CommandError, unexpected
from cli.ui.text import echo_wrapped
from errors import UserError
from tracebacks import full_text

ERRORS = Path(__file__).resolve().parents[1] / ".oracle" / "errors"

# One line for each command: its panel on the help screen, its name and its summary, an imperative sentence. The code is
# the function of that name in the module of that name (or the module's `app`), which is imported on first use.
COMMANDS = (
    Entry("Deployment and repositories", "up", "Start a stack on this machine, with its local cloud."),
    Entry("Deployment and repositories", "down", "Stop the local cloud; apps and data stay on disk."),
    Entry("Deployment and repositories", "deploy", "Deploy services; the others keep their release."),
    Entry("Deployment and repositories", "build", "Build services without deploying them."),
    Entry("Deployment and repositories", "image", "Push a backend image to the local image store."),
    Entry("Deployment and repositories", "plan", "Show the changes, data loss and cost of an update."),
    Entry("Deployment and repositories", "rehearse", "Try a change on a local cloud before you deploy it."),
    Entry("Deployment and repositories", "commit-all", "Commit and push the changes of every repository."),
    Entry("Deployment and repositories", "repo-map", "Write REPO_MAP.md, the table of all repositories."),
    Entry("Status and logs", "status", "Show the health of every service and how to fix each problem."),
    Entry("Status and logs", "page", "Show a stack's services, runs and backups in a browser."),
    Entry("Status and logs", "runs", "List past and current runs."),
    Entry("Status and logs", "logs", "Print the output of a run; -f follows it."),
    Entry("Status and logs", "tail", "Follow the log lines and events of the services."),
    Entry("Status and logs", "timeline", "Draw when each resource of a run changed."),
    Entry("Data", "wipe", "Replace the backend by an empty one, after a backup; --undo restores it."),
    Entry("Data", "restore", "Restore the backend's data from a backup."),
    Entry("Data", "backup", "Take a verified backup of the backend."),
    Entry("Data", "backups", "List the backups of a stack."),
    Entry("Data", "history", "List the changes of the backend's data and how to undo each."),
    Entry("Environments and repair", "promote", "Deploy the release of one stack to another stack."),
    Entry("Environments and repair", "rollback", "Deploy an earlier release of the same stack."),
    Entry("Environments and repair", "adopt", "Import resources that were made by hand, without redeploying them."),
    Entry("Environments and repair", "drift", "Show differences between clouds and state; --repair fixes them."),
    Entry("Environments and repair", "rotate", "Replace the admin's password or the GitHub token."),
    Entry("Environments and repair", "unlock", "Allow a protected stack to be destroyed for an hour."),
    Entry("Environments and repair", "doctor", "Check the tools, tokens and settings that a stack needs."),
    Entry("Environments and repair", "recover", "Clean up after an update that was killed."),
    Entry("Environments and repair", "console", "Open a shell in the backend's container."),
    Entry("Environments and repair", "cloud", "Start, stop and inspect the local cloud."),
    Entry("Environments and repair", "env", "Print the environment variables for plain pulumi commands."),
    Entry("GitHub workflows", "comment", "Write or update a comment on a pull request."),
    Entry("GitHub workflows", "issue", "Open, update or close an issue about a problem."),
    Entry("GitHub workflows", "propose", "Open a pull request that changes a stack's receipt."),
    Entry("GitHub workflows", "receipt", "Print the receipt of a stack as JSON."),
    Entry("GitHub workflows", "review", "Create or delete the review environment of a pull request."),
)

app = typer.Typer(
    name="oracle", cls=screen(COMMANDS), no_args_is_help=True, pretty_exceptions_enable=False, add_completion=True
)


@app.callback()
def oracle(context: typer.Context) -> None:
    """Deploy, test and operate the Oracle network."""
    if context.invoked_subcommand != "env":  # each command loads the environment of its own stack
        clean = unloaded(os.environ)
        os.environ.clear()
        os.environ.update(clean)


def main() -> None:
    """Run the command. Show an error with its fixes on standard error, and exit with its status.

    The full text of an unexpected failure is written to a file.
    """
    invocation = Invocation()
    try:
        app(obj=invocation)
    except UserError as error:
        echo_wrapped(f"oracle: {advice.text(error, invocation.stack, invocation.command)}", sys.stderr)
        sys.exit(error.status if isinstance(error, CommandError) else NO_STATUS)
    except KeyboardInterrupt:
        echo_wrapped(f"\noracle: Interrupted. Nothing is lost. To go on, run `{invocation.command}`.", sys.stderr)
        sys.exit(130)
    except Exception as error:
        if os.environ.get("CI"):  # a job's files are deleted when it ends
            print(full_text(error), file=sys.stderr)
        echo_wrapped(f"oracle: {unexpected(error, ERRORS)}", sys.stderr)
        sys.exit(NO_STATUS)
