"""The API Worker's module with our front around it: one text, because Cloudflare's resource uploads one module.

The service's code stays where it is, to the line, and nearly always to the column behind the first line, so that its
source map and its stack traces stay true: only the few words that export its default are replaced, by words of the
same width. Before it, on its first line, stands WAY, which puts a function of ours in front of globalThis.fetch before
any of the service's code can take hold of it. Behind it stands our front (write_gate.js), which exports the default
instead. Exports are found in the syntax tree, not in the text.
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

FRONT = Path(__file__).with_name("write_gate.js")
WAY = (
    "{const f=globalThis.fetch,w=globalThis.$oracleWay={native:(...a)=>f(...a)};"
    "globalThis.fetch=(...a)=>w.gate?w.gate(...a):f(...a)}"
)
"""The runtime's fetch for the front, and the front's `gate` for everybody else."""
NAME = "$inner"
"""What the front calls the service. `const ` has the width of `export`, `$inner=` that of `default`."""

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
"""The bytes from the first to before the second become the third."""


class FrontError(ArtifactError):
    """A module that no front can stand before; one sentence and the next command."""


def with_front(module: str) -> str:
    """The module with its default export replaced by our front, which passes everything on to it.

    Takes an ES module in one file whose default is an object with handlers or a class. Raises FrontError.
    """
    text = module.encode()
    root = Parser(_language()).parse(text).root_node
    # The parser does not know all that the runtime takes: some line breaks, and `using` as a name. What is wrong
    # elsewhere, the runtime refuses when it loads the version, and the one before goes on.
    if root.has_error and len(list(_default_exports(root))) != 1:
        raise _syntax_error(root)
    name = _free_name(module)
    edits, inner = _default_export(root, name)
    return f"{WAY}{_edited(text, edits)}\n{FRONT.read_text().replace(NAME, inner)}"


@cache
def _language() -> Language:
    return Language(tree_sitter_javascript.language())


def _free_name(module: str) -> str:
    """A name of NAME's width that is nowhere in the module, not even in its strings."""
    names = chain([NAME], (f"$in{number:03x}" for number in range(0x1000)))
    return next(name for name in names if name not in module)


def _edited(text: bytes, edits: list[Edit]) -> str:
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text.decode()


def _default_export(root: Node, name: str) -> tuple[list[Edit], str]:
    """What to change so that nothing is exported as default, and the name of what was."""
    for statement, specifier in _default_exports(root):
        return _default_statement(statement, name) if specifier is None else _default_specifier(statement, specifier)
    raise FrontError(
        "The api Worker's module has no default export, so it is no ES module Worker (`export default { fetch }`); "
        "set `entry` to the bundled module and build it: oracle build"
    )


def _default_exports(root: Node) -> Iterator[tuple[Node, Node | None]]:
    """Each statement at the top that exports a default, with the specifier where it is one of a list."""
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
    # `export default class {}` is a statement: what follows does not belong to it, even where the parser thinks so.
    first = next((node for node in _leading(value) if node.type in CLASSES | FUNCTIONS), None)
    if first is not None and first.type in FUNCTIONS:
        raise FrontError(
            "The api Worker's default export is a function, and Cloudflare calls only an object's or a class's "
            "handlers; write `export default { fetch }` in the service, then: oracle build"
        )
    class_name = first.child_by_field_name("name") if first is not None else None
    if class_name is not None:
        return [_replaced(export, b" " * 6), _replaced(default, b" " * 7)], _text(class_name)
    edits = [_replaced(export, b"const "), _replaced(default, f"{name}=".encode())]
    if first is not None:  # a class that was exported ended without a semicolon, a constant may not
        edits.append((first.end_byte, first.end_byte, b";"))
    return edits, name


def _default_specifier(statement: Node, specifier: Node) -> tuple[list[Edit], str]:
    """`export { a as default, b }`: the specifier and its comma become blanks."""
    if statement.child_by_field_name("source") is not None:
        raise FrontError(
            "The api Worker's default export comes from another module, but one file is deployed; "
            "bundle the service into one module: oracle build"
        )
    gone = [specifier, *(comma for comma in [_comma_after(specifier)] if comma is not None)]
    return [_replaced(node, BLANK.sub(" ", _text(node)).encode()) for node in gone], _text(specifier.children[0])


def _specifiers(statement: Node) -> Iterator[Node]:
    """What stands in the braces; `* as name` is none of ours but has its name last too."""
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
    """The node, its first child, that one's first child, …"""
    at: Node | None = node
    while at is not None:
        yield at
        at = at.children[0] if at.children else None


def _child(node: Node, kind: str) -> Node:
    return next(child for child in node.children if child.type == kind)


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _replaced(node: Node, new: bytes) -> Edit:
    return node.start_byte, node.end_byte, new


def _syntax_error(root: Node) -> FrontError:
    """Names the place of the first node that could not be read."""
    at = root
    while inner := next((child for child in at.children if child.has_error or child.is_missing), None):
        at = inner
    row, column = at.start_point
    return FrontError(
        f"The api Worker's module cannot be read as JavaScript at line {row + 1}, column {column + 1}; "
        "mend the service's source, then: oracle build"
    )
