"""The write gate is added to modules of many forms without any other change."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import tree_sitter_javascript
from tree_sitter import Language, Parser

import advice
from artifacts.contents import ArtifactError
from sources.write_gate import NAME, WAY, WRITE_GATE, WriteGateError, with_write_gate
from toolchain.tools import locate

PROJECT = Path(__file__).parents[2]
API = PROJECT / "services" / "api" / "src" / "worker.js"
CALL = re.compile(r"\}\)\((\S+), globalThis\.\$oracleWay\);\n\Z")

# module -> what becomes of the service's own text, and the name that the front gets
SHAPES = {
    "object": ("export default { fetch() {} };", "const  $inner= { fetch() {} };", "$inner"),
    "identifier": ("const a = {};\nexport default a", "const a = {};\nconst  $inner= a", "$inner"),
    "call": ("export default make({ a: 1 });", "const  $inner= make({ a: 1 });", "$inner"),
    "awaited": ("export default await make();", "const  $inner= await make();", "$inner"),
    "minified": ("var a={};export default{a};", "var a={};const  $inner={a};", "$inner"),
    "specifier": ("var a={};export{a as default};", "var a={};export{            };", "a"),
    "first": ("export{a as default,b as B};", "export{             b as B};", "a"),
    "last": ("export { b as B, a as default };", "export { b as B,              };", "a"),
    "commented": ("export { a as default /* , */ , b };", "export { " + " " * 12 + " /* , */   b };", "a"),
    "broken": ("export { a\n as\n default,\n b };", "export {  \n   \n         \n b };", "a"),
    "string": ("export { a as 'default', b as \"c d\" };", 'export {                 b as "c d" };', "a"),
    "later": ("export { a as default };\nconst a = {};", "export {              };\nconst a = {};", "a"),
    "class": ("export default class A extends B {}\n(a)", "               class A extends B {}\n(a)", "A"),
    "anonymous": ("export default class extends B {}\n(a)", "const  $inner= class extends B {};\n(a)", "$inner"),
    "parenthesized": ("export default (class {});", "const  $inner= (class {});", "$inner"),
    "comments": ("export /* a */ default // b\n{}", "const  /* a */ $inner= // b\n{}", "$inner"),
    "lines": ("a;\r\nexport default\r\n{}\r\n", "a;\r\nconst  $inner=\r\n{}\r\n", "$inner"),
    "letters": ('const ü = "é";export default { ü };', 'const ü = "é";const  $inner= { ü };', "$inner"),
    "mark": ("\ufeffexport default {}", "\ufeffconst  $inner= {}", "$inner"),
    "map": ("export default {}\n//# sourceMappingURL=a.map", "const  $inner= {}\n//# sourceMappingURL=a.map", "$inner"),
    "others": ('export * from "a"; export const b = 1; export default {};',
               'export * from "a"; export const b = 1; const  $inner= {};', "$inner"),
    "from": ('export { default as b } from "a"; export default {};',
             'export { default as b } from "a"; const  $inner= {};', "$inner"),
    "taken": ("const $inner = 1; export default {};", "const $inner = 1; const  $in000= {};", "$in000"),
    "taken again": ("'$inner $in000'; export default {};", "'$inner $in000'; const  $in001= {};", "$in001"),
}  # fmt: skip

DECOYS = """// export default a;
/* export { b as default } */
const text = "export default c", quoted = 'export { c as default }';
const template = `export default ${`export default ${text}`} {`;
const regex = /export default [{"'`]/g;
const half = 4 / 2 / 1;
const object = { default: 1, export: { default: text } }; object.export.default;
"""


def own_text(made: str, module: str) -> str:
    """What stands between our first words and the front."""
    text, _, _ = made.partition("\n/**\n * The write gate:")
    assert made != text
    assert text.startswith(WAY)
    assert "\n" not in WAY
    return text.removeprefix(WAY)


@pytest.mark.parametrize("module, text, name", SHAPES.values(), ids=SHAPES)
def test_only_the_default_export_is_replaced(module: str, text: str, name: str) -> None:
    made = with_write_gate(module)
    assert own_text(made, module) == text
    assert CALL.search(made)[1] == name  # type: ignore[index]


@pytest.mark.parametrize("module, text, name", SHAPES.values(), ids=SHAPES)
def test_lines_and_columns_do_not_change(module: str, text: str, name: str) -> None:
    """Nothing before the end of a class moves, so source maps stay valid."""
    kept = own_text(with_write_gate(module), module)
    assert kept.count("\n") == module.count("\n")
    assert len(kept) - len(module) == (1 if "class extends" in text and "const " in text else 0)


def test_exports_in_comments_and_strings_are_ignored() -> None:
    made = with_write_gate(DECOYS + "export default { fetch() {} };\n")
    assert own_text(made, "") == DECOYS + "const  $inner= { fetch() {} };\n"
    with pytest.raises(WriteGateError, match="no default export"):
        with_write_gate(DECOYS)


@pytest.mark.parametrize(
    "module",
    [
        "class A { static { A.x = 1; } #p = 1; has(o) { return #p in o; } accessor = 2; get [`x`]() { return 1n; } }",
        "a?.b?.[0] ?? (c ||= 1_000); for await (const d of e) { break; }",
        "import a from 'b' with { type: 'json' }; import * as c from 'cloudflare:workers'; import.meta.url; import(a);",
        "const r = /[\\p{L}--[a-z]]/v, s = /(?<year>\\d{4})/u; label: for (;;) continue label;",
        "using a = b(); async () => { await using c = d(); };",
        "var { a = 1, ...b } = {}, [c, , ...d] = []; (({ e }) => e)`x${1}`;",
        "let async; async = 1; var of, get, set, from, as; of === undefined;",
        "if (a) b; else c\nd\n++e\nvar f = function* () { yield* g }",
    ],
)
def test_modern_and_unusual_javascript_is_parsed(module: str) -> None:
    made = with_write_gate(f"{module}\nexport default {{}};")
    assert own_text(made, "") == f"{module}\nconst  $inner= {{}};"


@pytest.mark.parametrize(
    "module, reason",
    [
        ("", "no default export"),
        ("export const a = 1;", "no default export"),
        ("addEventListener('fetch', () => {});", "no default export"),
        ("module.exports.default = {};", "no default export"),
        ("export { default as a } from 'b';", "no default export"),
        ("export default function () {}", "is a function"),
        ("export default function f() {}", "is a function"),
        ("export default async function f() {}", "is a function"),
        ("export default function* () {}", "is a function"),
        ("export default () => {};", "is a function"),
        ("export default async a => a;", "is a function"),
        ("export { default } from 'a';", "from another module"),
        ("export { a as default } from 'a';", "from another module"),
        ("export * as default from 'a';", "from another module"),
        ("const a = 1;\nexport default { a }; export default {;", "at line 2, column"),
        ("export default { fetch() { return 1 }", "cannot be read as JavaScript"),
        ("const a = {;\nconst b = 1;", "cannot be read as JavaScript"),
    ],
)
def test_a_module_without_a_usable_export_is_refused_in_one_sentence(module: str, reason: str) -> None:
    with pytest.raises(WriteGateError, match=reason) as refused:
        with_write_gate(module)
    assert isinstance(refused.value, ArtifactError)  # sources/release.py shows these to the user
    said = advice.text(refused.value, "prod", "pulumi up --stack prod")
    assert said.endswith(", then run `oracle build api --stack prod`, then run `pulumi up --stack prod`.")
    assert "\n" not in said


def test_the_same_module_gives_the_same_result() -> None:
    service = API.read_text()
    assert with_write_gate(service) == with_write_gate(service)
    assert with_write_gate(with_write_gate(service)).count(" * The write gate: the code around") == 2


def test_the_services_own_code_is_not_changed() -> None:
    service = API.read_text()
    kept = own_text(with_write_gate(service), service)
    assert kept == service.replace("export default {", "const  $inner= {")


@pytest.mark.parametrize("module", [shape[0] for shape in SHAPES.values()], ids=SHAPES)
def test_the_result_is_a_module_with_one_default_export(module: str, tmp_path: Path) -> None:
    """Node only parses it: two default exports or a duplicate name are syntax errors."""
    file = tmp_path / "worker.mjs"
    file.write_text(with_write_gate(module))
    done = subprocess.run([locate().node, "--check", file], capture_output=True, text=True, timeout=60, check=False)
    undeclared = re.search(r"Export '\w+' is not defined in module", done.stderr)  # the shapes export names at will
    assert done.returncode == 0 or undeclared, done.stderr


def test_the_gate_adds_no_names_to_the_module() -> None:
    tree = Parser(Language(tree_sitter_javascript.language())).parse(WRITE_GATE.read_bytes())
    assert not tree.root_node.has_error
    assert [child.type for child in tree.root_node.children] == ["comment", "export_statement"]
    code = re.sub(r"/\*.*?\*/", "", WRITE_GATE.read_text(), flags=re.DOTALL)
    assert code.count(NAME) == 1
