"""Failures as people see them: one sentence that names what is wrong and the next command to type.

`Failure` is what our own code raises. `ENGINE` is the table of the engine's known failures; what is not in it is
shown as the engine said it.
"""

from __future__ import annotations

import re

NO_STATUS = 1


KILLED = "the engine was killed"
"""Said when the engine ended by a signal, and so could not say anything itself."""


class Failure(Exception):
    """One sentence and the next command; `status` is the exit status."""

    def __init__(self, sentence: str, status: int = NO_STATUS) -> None:
        super().__init__(sentence)
        self.status = status


ENGINE: tuple[tuple[str, str], ...] = (
    (
        r"incorrect passphrase",
        (
            "The passphrase does not open the secrets of Pulumi.{stack}.yaml; load the stack's own: "
            'eval "$(oracle env {stack})", or see where its encryptionsalt went: git diff Pulumi.{stack}.yaml'
        ),
    ),
    (
        r"get stack secrets manager: illegal base64",
        "The encryptionsalt of Pulumi.{stack}.yaml is damaged; take it back: git diff Pulumi.{stack}.yaml",
    ),
    (
        r"passphrase must be set with PULUMI_CONFIG_PASSPHRASE",
        'No passphrase is set; load the stack\'s environment: eval "$(oracle env {stack})"',
    ),
    (
        r"currently locked by \d+ lock",
        (
            "Another update of {stack}{holder} holds the lock, or was killed; wait for it, or take over from a "
            "dead one: oracle recover {stack}"
        ),
    ),
    (
        r"App name already exists",
        (
            "The backend's app name is taken by another app of the account; choose one: "
            "pulumi config set --path oracle-net:backend.appName NAME --stack {stack}; when an interrupted update has "
            "made it: oracle recover {stack}"
        ),
    ),
    (
        r"connection refused|API at \S+ does not answer",
        "A cloud's API does not answer; if it is the local cloud, start it: oracle cloud start",
    ),
    (
        r"Unable to authenticate you|Invalid API Token|Authentication error|refuses the token|: 401 |\(status 401\)",
        (
            "A cloud refused the token: it is another stack's, or no longer counts. See which, and what to do: "
            "oracle doctor {stack}"
        ),
    ),
    (
        r"unsupported (checkpoint|deployment) version|needs support for the following features",
        (
            "A newer engine than this one has written the state of {stack}; take the one that the others use: "
            "git pull && make tools"
        ),
    ),
    (
        r"failed to load checkpoint",
        "The state of {stack} is damaged, and nothing can be done before it is mended: oracle doctor {stack}",
    ),
    (
        r"PULUMI_ACCESS_TOKEN must be set",
        "Nobody is logged in to a state backend; log in: pulumi login",
    ),
)

HOLDER = re.compile(r": created by (?P<user>\S+)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")

# The engine's summaries: that something failed, not what.
SUMMARY = re.compile(r"(update|preview) failed$|an unhandled error occurred|.*\d+ errors? occurred:?$")


def engine_sentence(output: str, stack: str) -> str | None:
    """The sentence for the first known failure in the engine's output, or None."""
    # Only what the engine calls an error: the services' own logs, which it shows too, may use the same words.
    errors = "\n".join(re.findall(r"^\s*(?:error: |\* ).*$", output, re.MULTILINE))
    for pattern, sentence in ENGINE:
        if re.search(pattern, errors, re.IGNORECASE):
            return sentence.format(stack=stack, holder=_holder(output))
    return None


def _holder(output: str) -> str:
    """Who holds the lock, as the engine says below its error; empty where it does not."""
    said = HOLDER.search(output)
    return " ({user} on {host}, process {pid}, since {since})".format(**said.groupdict()) if said else ""


def program_sentence(output: str) -> str | None:
    """The first error that says what is wrong, of those the engine lists at the end, or None. Our own are sentences."""
    listed = output.rpartition("Diagnostics:")[2]
    found = re.findall(r"^\s+(?:error: |\* )(.+)$", listed, re.MULTILINE)
    first = next((error for error in found if not SUMMARY.match(error)), None)
    if first and first.startswith("Traceback"):
        raised = re.search(r"error: Traceback.*\n(?: {5,}.*\n)*    (\S.*)", listed)
        return f"the program did not expect this, whose trace stands above: {raised[1]}" if raised else first
    return first
