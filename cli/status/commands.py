"""The commands of a stack's findings."""

from __future__ import annotations

from dataclasses import dataclass

from cli.engine.workspace import Stack


@dataclass(frozen=True, kw_only=True)
class Commands:
    """The commands that fix the findings of one stack."""

    stack: str
    local: bool
    endpoint: str

    @classmethod
    def of(cls, stack: Stack) -> Commands:
        return cls(stack=stack.name, local=stack.on_local_cloud, endpoint=stack.endpoint or "")

    @property
    def up(self) -> str:
        return f"oracle up {self.stack}" if self.local else f"pulumi up --stack {self.stack}"

    @property
    def environment(self) -> str:
        return f'eval "$(oracle env {self.stack})"'

    @property
    def status(self) -> str:
        return f"oracle status --stack {self.stack}"

    @property
    def start_cloud(self) -> str:
        return f"oracle cloud start --stack {self.stack}"

    @property
    def wrangler(self) -> str:
        base = f"CLOUDFLARE_API_BASE_URL={self.endpoint}/client/v4 " if self.local else ""
        return f"{base}npx wrangler"
