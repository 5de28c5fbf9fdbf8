"""The api Worker's module inside the write gate: one text, because Cloudflare's resource uploads one module.

The service's code keeps its lines, and after the first line nearly always its columns, so that its source map and its
stack traces stay correct: only the words that export its default are replaced, by words of the same width. WAY stands
before the code on its first line. It replaces globalThis.fetch before any of the service's code can read it. The write
gate (write_gate.js) stands after the code and exports the default instead. Exports are found in the syntax tree, not in
the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import tree_sitter_javascript
from tree_sitter import Language, Node, Parser

from artifacts.contents import ArtifactError
from errors import STACK, Fix, Remedy
from settings import API

WRITE_GATE = Path(__file__).with_name("write_gate.js")
WAY = (
    "{const f=globalThis.fetch,w=globalThis.$oracleWay={native:(...a)=>f(...a)};"
    "globalThis.fetch=(...a)=>w.gate?w.gate(...a):f(...a)}"
)
"""JavaScript that gives the runtime's fetch to the write gate, and the write gate's `gate` to all other code."""
NAME = "$inner"
"""The service's name in the write gate. `const ` has the width of `export`, `$inner=` that of `default`."""

BLANK = re.compile(r"[^\r\n\u2028\u2029]")
CLASSES = frozenset({"class", "class_declaration"})
FUNCTIONS = frozenset(
    {
        "arrow_function",
        "function_declaration",
        "function_expression",
        "generator_function",
        "generator_function_declaration",
    }
)

Edit = tuple[int, int, bytes]
"""Start, end (exclusive) and replacement, in bytes."""


class WriteGateError(ArtifactError):
    """A module that the write gate cannot wrap. `first` is what to change in the service before it is built again."""

    def __init__(self, problem: str, first: str) -> None:
        build = Fix(f"oracle build {API} --stack {STACK}", first=first, then=Remedy.RETRY)
        super().__init__(problem, build)


def with_write_gate(module: str) -> str:
    """Return the module inside the write gate, which replaces its default export and passes all calls on to it.

    The module must be an ES module in one file whose default is an object with handlers or a class.
    Raises WriteGateError.
    """
    text = module.encode()
    root = Parser(_language()).parse(text).root_node
    # The parser does not know all syntax of the runtime: some line breaks, and `using` as a name. The runtime refuses
    # a version with other errors when it loads it, and the version before keeps running.
    if root.has_error and len(list(_default_exports(root))) != 1:
        raise _syntax_error(root)
    name = _free_name(module)
    edits, inner = _default_export(root, name)
    return f"{WAY}{_apply(text, edits)}\n{WRITE_GATE.read_text().replace(NAME, inner)}"


@cache
def _language() -> Language:
    return Language(tree_sitter_javascript.language())


def _free_name(module: str) -> str:
    """Return a name of NAME's width that does not occur in the module, not even in its strings."""
    names = chain([NAME], (f"$in{number:03x}" for number in range(0x1000)))
    return next(name for name in names if name not in module)


def _apply(text: bytes, edits: list[Edit]) -> str:
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text.decode()


def _default_export(root: Node, name: str) -> tuple[list[Edit], str]:
    """Return the edits that remove the default export, and the name of the exported value."""
    for statement, specifier in _default_exports(root):
        return _default_statement(statement, name) if specifier is None else _default_specifier(statement, specifier)
    raise WriteGateError(
        "The api Worker's module has no default export, so it is not an ES module Worker (`export default { fetch }`).",
        "set `entry` to the bundled module",
    )


def _default_exports(root: Node) -> Iterator[tuple[Node, Node | None]]:
    """Yield each top-level statement that exports a default, and its specifier if it exports a list."""
    for statement in root.children:
        if statement.type != "export_statement":
            continue
        if any(child.type == "default" for child in statement.children):
            yield statement, None
            continue
        for specifier in _specifiers(statement):
            if _text(specifier.children[-1]).strip("'\"") == "default":
                yield statement, specifier


def _default_statement(statement: Node, name: str) -> tuple[list[Edit], str]:
    """`export default …`: becomes `const NAME=…`, or the bare class when it has a name."""
    export, default = (_child(statement, word) for word in ("export", "default"))
    value = statement.child_by_field_name("value") or statement.child_by_field_name("declaration")
    assert value is not None
    # `export default class {}` is a statement: the next tokens do not belong to it, although the parser may think so.
    first = next((node for node in _leading(value) if node.type in CLASSES | FUNCTIONS), None)
    if first is not None and first.type in FUNCTIONS:
        raise WriteGateError(
            "The api Worker's default export is a function, but Cloudflare calls handlers of an object or a class.",
            "write `export default { fetch }` in the service",
        )
    class_name = first.child_by_field_name("name") if first is not None else None
    if class_name is not None:
        return [_edit(export, b" " * 6), _edit(default, b" " * 7)], _text(class_name)
    edits = [_edit(export, b"const "), _edit(default, f"{name}=".encode())]
    if first is not None:  # an exported class needs no semicolon, a constant does
        edits.append((first.end_byte, first.end_byte, b";"))
    return edits, name


def _default_specifier(statement: Node, specifier: Node) -> tuple[list[Edit], str]:
    """`export { a as default, b }`: the specifier and its comma become blanks."""
    if statement.child_by_field_name("source") is not None:
        raise WriteGateError(
            "The api Worker's default export comes from another module, but one file is deployed.",
            "bundle the service into one module",
        )
    removed = [specifier, *(comma for comma in [_comma_after(specifier)] if comma is not None)]
    return [_edit(node, BLANK.sub(" ", _text(node)).encode()) for node in removed], _text(specifier.children[0])


def _specifiers(statement: Node) -> Iterator[Node]:
    """Yield the names in the braces. `* as name` is another kind of clause, and has its name last too."""
    for clause in statement.children:
        if clause.type == "namespace_export":
            yield clause
        elif clause.type == "export_clause":
            yield from (child for child in clause.children if child.type == "export_specifier")


def _comma_after(specifier: Node) -> Node | None:
    following = specifier.next_sibling
    while following is not None and following.type == "comment":
        following = following.next_sibling
    return following if following is not None and following.type == "," else None


def _leading(node: Node) -> Iterator[Node]:
    """Yield the node, its first child, the first child of that, …"""
    first: Node | None = node
    while first is not None:
        yield first
        first = first.children[0] if first.children else None


def _child(node: Node, kind: str) -> Node:
    return next(child for child in node.children if child.type == kind)


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _edit(node: Node, new: bytes) -> Edit:
    return node.start_byte, node.end_byte, new


def _syntax_error(root: Node) -> WriteGateError:
    """Return an error with the place of the first node that could not be parsed."""
    broken = root
    while inner := next((child for child in broken.children if child.has_error or child.is_missing), None):
        broken = inner
    row, column = broken.start_point
    return WriteGateError(
        f"The api Worker's module cannot be read as JavaScript at line {row + 1}, column {column + 1}.",
        "correct the service's source",
    )
