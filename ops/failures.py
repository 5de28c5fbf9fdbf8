"""Failures as people see them: one sentence that names what is wrong and the next command to type.

`Failure` is what our own code raises. `ENGINE` is the table of the engine's known failures; what is not in it is
shown as the engine said it.
"""

from __future__ import annotations

import re

NO_STATUS = 1


class Failure(Exception):
    """One sentence and the next command; `status` is the exit status."""

    def __init__(self, sentence: str, status: int = NO_STATUS) -> None:
        super().__init__(sentence)
        self.status = status


ENGINE: tuple[tuple[str, str], ...] = (
    (
        r"incorrect passphrase",
        "The passphrase does not open this stack's secrets; load the stack's own: eval \"$(oracle env {stack})\"",
    ),
    (
        r"passphrase must be set with PULUMI_CONFIG_PASSPHRASE",
        'No passphrase is set; load the stack\'s environment: eval "$(oracle env {stack})"',
    ),
    (
        r"currently locked by \d+ lock",
        (
            "Another update of {stack} holds the lock, or was killed; wait for it, or take over from a "
            "dead one: oracle recover {stack}"
        ),
    ),
    (
        r"connection refused|does not answer",
        "A cloud's API does not answer; if it is the local cloud, start it: oracle cloud start",
    ),
    (
        r"Unable to authenticate you|Invalid API Token|Authentication error|\(status 401\)",
        'A cloud refused the token; load the stack\'s environment: eval "$(oracle env {stack})"',
    ),
    (
        r"PULUMI_ACCESS_TOKEN must be set",
        "Nobody is logged in to a state backend; log in: pulumi login",
    ),
)


def engine_sentence(output: str, stack: str) -> str | None:
    """The sentence for the first known failure in the engine's output, or None."""
    for pattern, sentence in ENGINE:
        if re.search(pattern, output, re.IGNORECASE):
            return sentence.format(stack=stack)
    return None
