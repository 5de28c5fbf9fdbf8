"""Write the receipt into a stack's file without changing anything else there."""

from __future__ import annotations

from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

import yaml_text
from cli.engine import stack_file
from cli.engine.workspace import Stack
from cli.ui.errors import CommandError
from errors import Fix
from stack_outputs import Release
from storage.releases import named

KEY = "oracle-net:receipt"
PINNED = ("config", "oracle-net:backend", "image", "digest")


def write(stack: Stack, release: Release) -> bytes:
    """Write `release` to the stack's file, also where it pins the image's digest; return the file's former content.

    Raises CommandError when the file cannot be parsed; then it is unchanged.
    """
    before = stack.file.read_bytes()
    stack_file.replace(stack.file, edited(before.decode(), release, stack.file.name).encode())
    return before


def edited(text: str, release: Release, name: str) -> str:
    """Return the text of a stack's file with this receipt; comments, order and everything else stay the same.

    Raises CommandError.
    """
    refusal = CommandError(
        f"No receipt can be written into {name}, because its layout is not the usual one.",
        Fix(f"git diff {name}", "to see what was changed"),
    )
    try:
        expected = _document(text)
        changed = _with_receipt(text, release)
        pinned = ((expected["config"].get("oracle-net:backend") or {}).get("image") or {}).get("digest")
        if pinned is not None:
            expected["config"]["oracle-net:backend"]["image"]["digest"] = release["backend"]
            changed = _with_scalar(changed, PINNED, release["backend"])
        expected["config"][KEY] = _plain(release)
        if _document(changed) != expected:
            raise refusal
    except (yaml.YAMLError, LookupError, TypeError, AttributeError):
        raise refusal from None
    return changed


def _with_receipt(text: str, release: Release) -> str:
    block = yaml.safe_dump({KEY: _plain(release)}, sort_keys=False, width=200)
    config = _at(yaml.compose(text), ("config",))
    if not isinstance(config, MappingNode):
        raise TypeError
    indent = config.value[0][0].start_mark.column
    lines = "".join(f"{' ' * indent}{line}\n" for line in block.splitlines())
    for key, value in config.value:
        if key.value == KEY:
            return text[: key.start_mark.index - indent] + lines + text[_after(text, value) :]
    end = _after(text, config.value[-1][1])
    head = text[:end]
    return head + ("" if head.endswith("\n") else "\n") + lines + text[end:]


def _with_scalar(text: str, path: tuple[str, ...], value: str) -> str:
    node = _at(yaml.compose(text), path)
    return text[: node.start_mark.index] + value + text[node.end_mark.index :]


def _at(node: Node | None, path: tuple[str, ...]) -> Node:
    """Return the node at a path of keys. Raises LookupError or TypeError."""
    for step in path:
        if not isinstance(node, MappingNode):
            raise TypeError
        node = next((value for key, value in node.value if key.value == step), None)
    if node is None:
        raise LookupError
    return node


def _after(text: str, node: Node) -> int:
    """Return the position of the line after the node.

    A block node's own end may come after comments, so the end of its last scalar is used.
    """
    last = node
    while not isinstance(last, ScalarNode) and last.value and not getattr(last, "flow_style", False):
        last = last.value[-1][1] if isinstance(last, MappingNode) else last.value[-1]
    end = last.end_mark.index
    if last.end_mark.column == 0:
        return int(end)
    newline = text.find("\n", end)
    return len(text) if newline < 0 else newline + 1


def _document(text: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml_text.load(text)
    return document


def _plain(release: Release) -> dict[str, Any]:
    receipt = named(release)
    commits = {name: commit for name, commit in receipt["commits"].items() if commit}
    return {
        "backend": receipt["backend"],
        "workers": receipt["workers"],
        "assets": receipt["assets"],
        "commits": commits,
    }
