"""What a change adds: lines of text by file, and the blobs that git does not show as lines.

Only plumbing commands are asked: settings for `git log` and `git diff` do not reach them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from repositories import blobs
from repositories.git import Git

# Larger files are not compared line by line; git says of them, as of binary ones, only that they differ.
LARGE = "4m"
PATCH = (
    "--patch",
    "--unified=0",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--full-index",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--inter-hunk-context=0",
    "--no-relative",
    "--submodule=short",
    "--ignore-submodules=all",
)
# A replacement (`git replace`) is shown here, and never pushed.
AS_PUSHED = {"GIT_NO_REPLACE_OBJECTS": "1"}
HUNK = re.compile(r"^(@@+) (?:-\d+(?:,\d+)? )+\+(?P<first>\d+)(?:,(?P<count>\d+))? @@+")
INDEX = re.compile(r"^index (?P<former>[0-9a-f,]+)\.\.(?P<blob>[0-9a-f]{40,64})")
COMBINED = re.compile(r"^diff --(?:combined|cc) (?P<path>.*)")
ESCAPES = {"n": 10, "t": 9, "r": 13, "a": 7, "b": 8, "f": 12, "v": 11, '"': 34, "\\": 92}


@dataclass
class Addition:
    """One file's added lines with their numbers, or the blob that git does not show as lines and the `former` ones.

    A `binary` one has readable strings for lines.
    """

    path: str
    lines: list[tuple[int, str]] = field(default_factory=list)
    blob: str | None = None
    former: tuple[str, ...] = ()
    binary: bool = False


def staged(git: Git, tree: str, extra: dict[str, str]) -> list[Addition]:
    """What the tree adds to HEAD."""
    extra = {**extra, **AS_PUSHED}
    patch = git.must(*_options(), "diff-tree", "-r", *PATCH, "HEAD", tree, extra=extra, doing="Comparing")
    return list(parsed(patch))


def outgoing(git: Git, commits: Iterable[str]) -> list[Addition]:
    """What each of these commits adds, its message included; of merges, what neither side had."""
    names = "".join(f"{commit}\n" for commit in commits).encode()
    options = ("--stdin", "--no-commit-id", "--root", "-r", "-c", *PATCH)
    patch = git.must(*_options(), "diff-tree", *options, stdin=names, extra=AS_PUSHED, doing="Comparing")
    return [*parsed(patch), *_messages(git, names)]


def opened(git: Git, addition: Addition, extra: dict[str, str]) -> tuple[Addition, bytes]:
    """A blob that git does not show, with lines or strings that it adds, and its content."""
    extra = {**extra, **AS_PUSHED}
    content, *former = (
        git.run("cat-file", "blob", name, extra=extra).output for name in (addition.blob or "", *addition.former)
    )
    text = blobs.is_text(content)
    lines = blobs.text_lines(content, former) if text else blobs.strings(content, former)
    return replace(addition, lines=lines, binary=not text), content


def _options() -> tuple[str, ...]:
    return "-c", f"core.bigFileThreshold={LARGE}"


def _messages(git: Git, names: bytes) -> Iterator[Addition]:
    told = git.must("rev-list", "--no-walk", "--stdin", "--format=%B%x00", stdin=names, extra=AS_PUSHED)
    for each in told.split("\0"):
        head, _, text = each.lstrip("\n").partition("\n")
        if head:
            name = f"the message of {head.removeprefix('commit ')[:10]}"
            yield Addition(name, list(enumerate(text.split("\n"), start=1)))


def parsed(patch: str) -> Iterator[Addition]:
    """The additions in a patch without context lines. Combined patches of merges are understood."""
    lines = iter(patch.split("\n"))
    current, combined, index = Addition(""), "", None
    for line in lines:
        if line.startswith("diff --"):
            if current.path:
                yield current
            heads = COMBINED.match(line)
            current, combined, index = Addition(""), _named(heads["path"]) if heads else "", None
        elif found := INDEX.match(line):
            index = found
        elif line.startswith("+++ "):
            current.path = _path(line[4:])
        elif line.startswith("Binary files ") and index and set(index["blob"]) != {"0"}:
            current.path, current.blob = combined or _binary_path(line), index["blob"]
            current.former = tuple(name for name in index["former"].split(",") if set(name) != {"0"})
        elif hunk := HUNK.match(line):
            _take(lines, hunk, current)
    if current.path:
        yield current


def _take(lines: Iterator[str], hunk: re.Match[str], into: Addition) -> None:
    """Takes a hunk's lines, as many as its head announces. A line is new when no parent had it."""
    parents = len(hunk[1]) - 1
    number, left = int(hunk["first"]), int(hunk["count"] or 1)
    while left > 0:
        line = next(lines, None)
        if line is None:
            return
        mark, text = line[:parents], line[parents:]
        if "-" in mark or line.startswith("\\"):
            continue
        if mark == "+" * parents:
            into.lines.append((number, text.rstrip("\r")))
        number, left = number + 1, left - 1


def _path(told: str) -> str:
    """The path behind `+++`: quoted where it has special characters, a tab behind it where it has spaces."""
    name = _named(told)
    return "" if name == "/dev/null" else name.removeprefix("b/")


def _named(told: str) -> str:
    return _unquoted(told) if told.startswith('"') else told.removesuffix("\t")


def _binary_path(line: str) -> str:
    """The path in `a/PATH and b/PATH`, where PATH may hold an "and" too, or in `/dev/null and b/PATH`."""
    told = line.removeprefix("Binary files ").removesuffix(" differ")
    new = "/dev/null and "
    half = (len(told) - len(" and ")) // 2
    return _path(told.removeprefix(new) if told.startswith(new) else told[-half:]) or told


def _unquoted(told: str) -> str:
    """Git's C-like quoting taken away."""
    bytes_ = bytearray()
    for found in re.finditer(r'\\([0-7]{3})|\\(.)|([^\\"]+)', told):
        octal, escaped, plain = found.groups()
        if octal:
            bytes_.append(int(octal, 8))
        elif escaped:
            bytes_.append(ESCAPES.get(escaped, ord(escaped)))
        else:
            bytes_ += plain.encode("utf-8", "surrogateescape")
    return bytes_.decode("utf-8", "surrogateescape")
