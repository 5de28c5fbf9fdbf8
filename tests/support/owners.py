"""Stacks by their whole names, as in a state of one's own."""

from __future__ import annotations

from stack_outputs import Owner


def owner(stack: str = "local") -> Owner:
    return Owner(organization="organization", project="oracle-net", stack=stack)
