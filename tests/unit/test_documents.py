"""The documents name commands, files and variables that exist, and quote messages as they are in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest

import advice
from cli.main import COMMANDS
from cli.ui.errors import CommandError
from errors import STACK, First, Fix, Remedy, UserError
from storage.backups.errors import BackupsError
from tests.support.sources import PROJECT, sources, text, tree
from tests.unit.test_advice import WITHOUT_STACK, names_its_stack, options, parsed, single
from tests.unit.test_architecture import MAY_IMPORT

PATTERNS = (
    "*.md",
    "docs/**/*.md",
    "[a-z]*/README.md",
    "tests/*/README.md",
    ".claude/skills/*/SKILL.md",
    ".github/*.md",
)
GENERATED = {"docs/commands.md", "docs/operations.md", "docs/parity.md"}
"""Pages that have tests of their own."""
ARCHITECTURE = PROJECT / "docs/architecture.md"
FENCE = re.compile(r"^ *```\w*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^(?: {4}| {7})(?=\S)(.*)$", re.MULTILINE)
CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
PLACEHOLDER = re.compile(r"<[\w-]+>|\b[A-Z]+(\.\.[A-Z]+)?\b|…")
NAMES = {entry.name for entry in COMMANDS}
GUIDES = ("README.md", "docs/how-to/")
"""Where commands are typed from. A decision only speaks of them."""
FOREIGN = {
    "AccessDenied",
    "Cannot find module",
    "Not Found",
    "The workflow is requesting 'pull-requests: write'",
    "no such bucket",
}
"""Quoted messages of GitHub, of buckets and of Node."""
PLACES = re.compile(rf"`((?:{'|'.join(sorted(MAY_IMPORT))}|docs|tests)/[\w/.-]+|(?:\w+/)*\w+\.(?:py|js|sh|txt|toml))`")
ELSEWHERE = {"_worker.js", "entrypoint.sh", "pulumi/_types.py"}
"""Files of other programs and of services."""
LONGEST_JOURNEY = 6
ERROR_NAMES = {each.__name__: each for each in (BackupsError, CommandError, First, Fix, Remedy)} | {
    "STACK": STACK,
    "app": "jellyfish-app",
    "error": "No space left on device",
    "path": ".oracle/backups",
}
"""What the examples in CONTRIBUTING.md use."""


@dataclass(frozen=True)
class Quoted:
    """A piece of code in a document."""

    document: str
    text: str
    is_block: bool = False
    """Whether it is a line of a block, so that it is typed as it is; otherwise it may be only a command's name."""

    def mentions(self, words: list[str], verbs: int = 1) -> bool:
        return not self.is_block and len(words) == verbs


@dataclass(frozen=True)
class Row:
    """A row of a document's table: its cells by the titles of their columns."""

    document: str
    cells: tuple[tuple[str, str], ...]

    def code(self, title: str) -> Iterator[str]:
        """The inline code of the cells whose column's title has this word."""
        cells = [cell for name, cell in self.cells if title in name.split()]
        return (" ".join(code.split()) for cell in cells for _, code in CODE.findall(cell))


@cache
def documents() -> tuple[tuple[str, str], ...]:
    paths = {path.relative_to(PROJECT).as_posix(): path for pattern in PATTERNS for path in PROJECT.glob(pattern)}
    found = tuple((name, text(path)) for name, path in sorted(paths.items()) if name not in GENERATED)
    assert len(found) > 60
    return found


@cache
def quoted() -> tuple[Quoted, ...]:
    """The lines of the documents' blocks without their comments, and their inline code."""
    found = []
    for name, page in documents():
        prose = FENCE.sub("", page)
        lines = [*"".join(FENCE.findall(page)).splitlines(), *BLOCK.findall(prose)]
        found += [Quoted(name, re.sub(r"(^|\s+)# .*", "", line), is_block=True) for line in lines]
        inline = CODE.findall(re.sub(r"^ {4}.*$", "", prose, flags=re.MULTILINE))
        found += [Quoted(name, " ".join(code.split())) for _, code in inline]
    assert len(found) > 1000
    return tuple(found)


@cache
def rows() -> tuple[Row, ...]:
    found = []
    for name, page in documents():
        for table in re.findall(r"(?:^\|.*\n)+", f"{page}\n", re.MULTILINE):
            lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines()]
            found += [Row(name, tuple(zip(lines[0], line, strict=False))) for line in lines[2:]]
    assert len(found) > 300
    return tuple(found)


def commands(piece: str, program: str) -> Iterator[list[str]]:
    """The words of each command of the program in a piece of code, with `1` in place of its placeholders."""
    begin = re.search(rf"(?:^|&& |; |\| |\$\()(?:[A-Z_]+=\S+ )?((?:\.venv/bin/)?{program} [a-z-].*)", piece)
    if begin is not None:
        line = begin[1].removesuffix(')"')
        line = re.sub(r"\[(-[^\]]*)\]", r"\1", line.replace(".venv/bin/", "").partition(" >")[0])
        line = re.sub(r"\[[A-Z]+…?\]", "", line)
        yield from single(PLACEHOLDER.sub("1", line), program)


def typed(program: str) -> list[tuple[Quoted, list[str]]]:
    found = [(piece, words) for piece in quoted() for words in commands(piece.text, program)]
    assert len(found) > 100
    return found


def refusal(words: list[str]) -> str:
    """Why our command does not take the words; empty if it does."""
    try:
        parsed(words)
    except Exception as error:
        return str(getattr(error, "message", error)) or "it needs arguments"
    return ""


def verbs(words: list[str]) -> list[str]:
    """The words that name the engine's command."""
    return words[:2] if options(*words[:2]) else words[:1]


def engine_gets_its_stack(words: list[str]) -> bool:
    named = words[:2] in (["stack", "init"], ["stack", "rm"]) and len(words) > 2
    return bool(named or WITHOUT_STACK.match(f"pulumi {' '.join(words)}") or {"-s", "--stack"} & set(words))


def test_every_command_of_ours_is_one() -> None:
    wrong = []
    for piece, words in typed("oracle"):
        name = words[0]
        if piece.mentions(words) or (name in {"cloud", "image"} and piece.mentions(words, 2)):
            wrong += [] if name in NAMES or name.startswith("--") else [f"{piece}: there is no command {name}"]
        elif problem := refusal(words):
            wrong.append(f"{piece}: {problem}")
    assert not wrong


def test_every_command_of_the_engine_is_one() -> None:
    wrong = []
    for piece, words in typed("pulumi"):
        used = [word.partition("=")[0] for word in words if word.startswith("-")]
        if words[0].startswith("-"):
            continue  # an option of every command
        help = options(*verbs(words))
        if not help or any(not re.search(rf"(^|\s|,){re.escape(each)}[\s,=]", help, re.MULTILINE) for each in used):
            wrong.append(piece)
    assert not wrong


def test_commands_with_arguments_name_their_stack() -> None:
    """In a guide; a whole line of `oracle` may also be for the stack `local`, which is the default."""
    wrong = []
    for piece, words in typed("pulumi"):
        guide = piece.document.startswith("docs/how-to/")
        if guide and not piece.mentions(words, len(verbs(words))) and not words[0].startswith("-"):
            wrong += [] if engine_gets_its_stack(words) else [piece]
    for piece, words in typed("oracle"):
        guide = piece.document.startswith(GUIDES) and not piece.is_block
        if guide and not piece.mentions(words) and not words[0].startswith("-"):
            wrong += [] if words[0] in {"cloud", "image"} or names_its_stack(parsed(words)) else [piece]
    assert not wrong


def test_a_fix_names_its_stack() -> None:
    fixes = [(row, code) for row in rows() for code in row.code("fix")]
    assert len(fixes) > 40
    wrong = [
        (row.document, code)
        for row, code in fixes
        if any(refusal(words) or not names_its_stack(parsed(words)) for words in commands(code, "oracle"))
        or any(not engine_gets_its_stack(words) for words in commands(code, "pulumi"))
    ]
    assert not wrong


@cache
def texts() -> str:
    """Every text in the code, one a line, with `…` for each value in it."""
    found = [page for path in sorted(PROJECT.glob("lifecycle/*.sh")) for page in text(path).splitlines()]
    for path in sources():
        inner: set[int] = set()
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.JoinedStr):
                inner |= {id(each) for each in node.values}
                parts = [str(each.value) if isinstance(each, ast.Constant) else "…" for each in node.values]
                found.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
                found.append(re.sub(r"\{\w*\}", "…", node.value))
    return "\n".join(each.replace("\n", " ") for each in found)


def parts(message: str) -> Iterator[str]:
    """What is written out in a quoted message: between its values, and before its cause."""
    for part in re.split(r"…|: |\b(?:STACK|api|pr-7|prod|staging)\b", message):
        if (stripped := part.strip(" .,:;`()'")) and stripped not in {"by", "GET"}:
            yield stripped


def missing(message: str) -> list[str]:
    return [] if message in FOREIGN else [part for part in parts(message) if part not in texts()]


def test_quoted_messages_are_in_the_code() -> None:
    """A value in them is `…`."""
    messages = [(row.document, code) for row in rows() for code in row.code("message") if re.search(r"\w \w", code)]
    assert len(messages) > 60
    assert not [(document, message, missing(message)) for document, message in messages if missing(message)]


def test_a_message_that_there_is_not_would_be_seen() -> None:
    assert not missing("… is not deleted: it still gets requests, such as …")
    assert missing("… is not removed: it still gets requests, such as …")


def test_named_files_and_links_exist() -> None:
    named = [
        (name, PROJECT / place)
        for name, page in documents()
        for place in PLACES.findall(page)
        if "/" in place and place not in ELSEWHERE and not name.endswith("/README.md")
    ]
    links = [
        (name, (PROJECT / name).parent / target)
        for name, page in documents()
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", FENCE.sub("", page))
    ]
    assert len(named) > 50
    assert len(links) > 100
    assert not [(name, str(path)) for name, path in [*named, *links] if not path.exists()]


def test_links_to_a_section_lead_to_one() -> None:
    found = [
        (name, ((PROJECT / name).parent / target) if target else PROJECT / name, anchor)
        for name, page in documents()
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page)
    ]
    assert found
    for name, path, anchor in found:
        titles = re.findall(r"^#+ (.+)$", text(path.resolve()), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
        assert anchor in anchors, (name, anchor)


def test_variables_of_ours_are_in_the_code() -> None:
    named = {(name, each) for name, page in documents() for each in re.findall(r"\bORACLE_[A-Z_]*[A-Z]\b", page)}
    code = "\n".join([text(path) for path in sources()] + [text(PROJECT / "Makefile")])
    assert named
    assert not [each for each in named if each[1] not in code]


def test_the_examples_of_errors_print_what_is_below_them() -> None:
    page = text(PROJECT / "CONTRIBUTING.md")
    examples = FENCE.findall(page)
    assert len(examples) == 2
    for example in examples:
        with pytest.raises(UserError) as raised:
            exec(example, dict(ERROR_NAMES))
        assert f"\n\n    {advice.text(raised.value, 'prod', 'oracle backup prod')}\n" in page


@pytest.mark.parametrize("title", ["`oracle deploy`", "A wipe", "POCKETBASE_URL"])
def test_a_journey_passes_through_few_files(title: str) -> None:
    section = ARCHITECTURE.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    files = re.findall(r"`([\w/]+\.py)`", section)
    assert 1 < len(files) <= LONGEST_JOURNEY
    assert files == re.findall(r"^\d+\. `([\w/]+\.py)`", section, re.MULTILINE), "one file for each step"
    assert not [file for file in files if not (PROJECT / file).is_file()]


def test_the_page_says_who_may_import_whom() -> None:
    listed = {
        dict(row.cells)["part"]: dict(row.cells)["may import"]
        for row in rows()
        if dict(row.cells).keys() == {"part", "may import"}
    }
    names = {
        part.strip("`"): set(re.findall(r"`(\w+)`", may)) for parts, may in listed.items() for part in parts.split(", ")
    }
    assert names == MAY_IMPORT
