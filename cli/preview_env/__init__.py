"""Review environments: a stack for a pull request, on another stack's accounts, for some hours."""

from cli.preview_env.config import STACK, declared
from cli.preview_env.lifecycle import Environment, bring_up, describe, list_environments, sweep, take_down

__all__ = ["STACK", "Environment", "bring_up", "declared", "describe", "list_environments", "sweep", "take_down"]
