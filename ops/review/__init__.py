"""Environments of pull requests: a stack of its own for each, on another stack's accounts, for some hours."""

from ops.review.declaring import STACK, declared
from ops.review.living import Environment, bring_up, known, sweep, take_down, told

__all__ = ["STACK", "Environment", "bring_up", "declared", "known", "sweep", "take_down", "told"]
