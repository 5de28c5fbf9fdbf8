"""Two environments of one project on this machine: staging and prod, each on a local cloud that stands for an account.

They share the checkout and nothing else: names, ports, tokens, state and data are each one's own.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.live.project import Project, with_other_ports
from tests.support.stacks import LOCAL

ACCOUNT = "0ac1e0000000000000000000000000ce"
HEAD = """\
# {title}. Comments and the order of keys belong to people, and no command may touch them.
"""


class Environments(NamedTuple):
    staging: Project
    prod: Project

    @classmethod
    def made(cls, project: Project, suffix: str = "-staging") -> Environments:
        """Writes `Pulumi.staging.yaml` and `Pulumi.prod.yaml` of a copied project; nothing is started yet.

        Staging's app and Workers have the suffix behind their names; an empty one leaves both stacks with the same.
        """
        made = cls(project.on("staging"), project.on("prod"))
        made.staging.stack_file.write_text(_stack_file("Staging", suffix, "51a9"))
        made.prod.stack_file.write_text(_stack_file("Production", "", "940d"))
        return made

    def up(self) -> None:
        """Both, from nothing."""
        for each in self:
            each.oracle("up", each.stack).well()

    def stop(self) -> None:
        for each in self:
            each.stop()


def _stack_file(title: str, suffix: str, account: str) -> str:
    """The committed local stack under other names: the real ones in production, `<name>-staging` in staging."""
    text = with_other_ports(LOCAL.read_text())
    text = text[text.index("config:") :]
    for name in ("jellyfish-app", "oracle-universe-api", "oracle-net", "oracle-universe-web"):
        for key in ("appName", "script"):
            text = text.replace(f"    {key}: {name}\n", f"    {key}: {name}{suffix}  # as in its account\n")
    return HEAD.format(title=title) + text.replace(ACCOUNT, ACCOUNT[:-4] + account)
