"""Modules that workerd accepts although the parser of `with_front` finds errors in them.

tree-sitter-javascript decides by the next character alone whether a line break ends a statement or a class field (`[`,
`/`, `(` and `*` go on), and takes a statement that begins with `using` for a declaration. Only the default export has
to be read: what is no JavaScript at all is refused by the runtime as it loads the version.
"""

from __future__ import annotations

import subprocess

import pytest

from sources.write_gate import NAME, WAY, with_write_gate
from toolchain.tools import locate

EXPORT = "export default { fetch() {} };\n"
LINES = {
    "spread after an arrow function": "const f = () => {}\n[...f.name].length\n",
    "spread after a declaration": "const x = [1]\nlet b\n[...x].length\n",
    "spread after an export": "const x = [1]\nexport { x }\n[...x].length\n",
    "spread after break": "const x = [1]\nfor (;;) { break\n[...x].length }\n",
    "pattern after an arrow function": 'const f = () => {}\n/re/.test("re")\n',
    "pattern after a declaration": 'let b\n/re/.test("re")\n',
    "pattern after an export": 'const x = 1\nexport { x }\n/re/.test("re")\n',
    "private field before a computed one": 'const k = "x"\nclass A {\n  #a\n  [k] = null\n}\n',
    "field before a computed one": 'const k = "x"\nclass A {\n  a\n  [k] = null\n}\n',
    "static field before a computed one": 'const k = "x"\nclass A {\n  static #a\n  [k] = null\n}\n',
    "field before a computed method": "class A {\n  a\n  [Symbol.iterator]() {}\n}\n",
    "call of using": "function using(x) { return x }\nusing(1)\n",
    "member of using": "const using = { a() {} }\nusing.a()\n",
    "element of using": "let using = [1]\nusing[0]\n",
    "assignment to using": "let using\nusing = 2\n",
    "template of using": "const using = (x) => x\nusing`a`\n",
    "awaited call of using": "async function f(using) { await using(1) }\n",
}


@pytest.mark.parametrize("kind", LINES)
def test_a_module_that_the_runtime_accepts_gets_a_front(kind: str) -> None:
    ours = LINES[kind] + EXPORT.replace("export default", f"const  {NAME}=")
    assert with_write_gate(LINES[kind] + EXPORT).removeprefix(WAY).startswith(ours)


def test_an_exported_class_with_such_syntax_gets_a_front() -> None:
    module = 'const k = "x"\nexport default class {\n  #a\n  [k] = null\n  fetch() {}\n}\n'
    ours = module.replace("export default", f"const  {NAME}=").replace("fetch() {}\n}", "fetch() {}\n};")
    assert with_write_gate(module).removeprefix(WAY).startswith(ours)


def test_node_accepts_these_modules() -> None:
    """Node and workerd have the same JavaScript engine."""
    for kind, lines in LINES.items():
        command = [str(locate().node), "--input-type=module", "--check", "-"]
        done = subprocess.run(command, input=lines + EXPORT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (kind, done.stderr)


@pytest.mark.parametrize("module", ["const a = 1;\nconst b = {;\n", "function f(): Response {}\n"])
def test_a_syntax_error_outside_of_the_export_is_left_to_the_runtime(module: str) -> None:
    """The runtime refuses the version when it loads it, with the line, and the former version goes on."""
    assert with_write_gate(module + EXPORT).startswith(f"{WAY}{module}")
