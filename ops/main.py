"""The `oracle` command's table of contents."""

from __future__ import annotations

import sys

import typer

from ops.failures import Failure
from ops.folding import say
from ops.screen import Entry, screen

# One line a command: its panel on the help screen, its name, and what it does in at most 25 characters. Its code is
# the function of that name in the module of that name (or the module's `app`), which is imported when it is needed.
COMMANDS = (
    Entry("Deploy", "up", "start all on this machine"),
    Entry("Deploy", "down", "stop it; data is kept"),
    Entry("Deploy", "deploy", "services, in parallel"),
    Entry("Deploy", "build", "only build the services"),
    Entry("Deploy", "plan", "say what would change"),
    Entry("Deploy", "rehearse", "a change, on this machine"),
    Entry("Deploy", "image", "push a backend image"),
    Entry("Deploy", "promote", "a release to a stack"),
    Entry("Deploy", "rollback", "to the release before"),
    Entry("Deploy", "adopt", "what was made by hand"),
    Entry("Look", "status", "every service at once"),
    Entry("Look", "page", "all of it in a browser"),
    Entry("Look", "runs", "what ran, and what runs"),
    Entry("Look", "logs", "a run's output; -f"),
    Entry("Look", "timeline", "a run as a picture"),
    Entry("Data", "wipe", "empty the backend; --undo"),
    Entry("Data", "restore", "go back to a backup"),
    Entry("Data", "backup", "take a verified backup"),
    Entry("Data", "backups", "what to go back to"),
    Entry("Data", "history", "what became of the data"),
    Entry("Mend", "doctor", "what is missing, and why"),
    Entry("Mend", "drift", "what was changed by hand"),
    Entry("Mend", "recover", "take over a killed update"),
    Entry("Mend", "rotate", "renew a secret"),
    Entry("Mend", "unlock", "let a stack be destroyed"),
    Entry("Mend", "console", "a shell in the backend"),
    Entry("Mend", "cloud", "the local cloud alone"),
    Entry("Mend", "env", "exports for plain pulumi"),
    Entry("Repositories", "commit-all", "commit and push them all"),
    Entry("Repositories", "repo-map", "write REPO_MAP.md"),
    Entry("Repositories", "comment", "on a pull request"),
)

app = typer.Typer(
    name="oracle", cls=screen(COMMANDS), no_args_is_help=True, pretty_exceptions_enable=False, add_completion=True
)


@app.callback()
def oracle() -> None:
    """Runs the Oracle network: deploys it, rehearses it on this machine, looks after it."""


def main() -> None:
    """Runs the command. A known failure is one sentence on standard error and a non-zero exit status."""
    try:
        app()
    except Failure as failure:
        say(f"oracle: {failure}", sys.stderr)
        sys.exit(failure.status)
    except KeyboardInterrupt:
        say("\noracle: interrupted; nothing is lost, and the same command goes on: oracle up", sys.stderr)
        sys.exit(130)
