"""What a change adds: lines of text by file, and the blobs that are too large or no text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

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
    "--ignore-submodules=all",
)
HUNK = re.compile(r"^(@@+) (?:-\d+(?:,\d+)? )+\+(?P<first>\d+)(?:,(?P<count>\d+))? @@+")
INDEX = re.compile(r"^index [0-9a-f,]+\.\.(?P<blob>[0-9a-f]{40,64})")
ESCAPES = {"n": 10, "t": 9, "r": 13, "a": 7, "b": 8, "f": 12, "v": 11, '"': 34, "\\": 92}


@dataclass
class Addition:
    """One file's added lines with their numbers, or the blob that is not shown as lines."""

    path: str
    lines: list[tuple[int, str]] = field(default_factory=list)
    blob: str | None = None


def staged(git: Git, tree: str, extra: dict[str, str]) -> list[Addition]:
    """What the tree adds to HEAD."""
    patch = git.must(*_options(), "diff-tree", "-r", *PATCH, "HEAD", tree, extra=extra, doing="Comparing")
    return list(parsed(patch))


def outgoing(git: Git, upstream: str) -> list[Addition]:
    """What each commit that the upstream branch lacks adds; of merges, what neither side had."""
    patch = git.must(*_options(), "log", "--format=", "-c", *PATCH, f"{upstream}..HEAD", "--", doing="Comparing")
    return list(parsed(patch))


def _options() -> tuple[str, ...]:
    return "-c", f"core.bigFileThreshold={LARGE}", "-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false"


def parsed(patch: str) -> Iterator[Addition]:
    """The additions in a patch without context lines. Combined patches of merges are understood."""
    lines = iter(patch.split("\n"))
    current, blob = Addition(""), ""
    for line in lines:
        if line.startswith("diff --"):
            if current.path:
                yield current
            current, blob = Addition(""), ""
        elif found := INDEX.match(line):
            blob = found["blob"]
        elif line.startswith("+++ "):
            current.path = _path(line[4:])
        elif line.startswith("Binary files ") and set(blob) != {"0"}:
            current.path, current.blob = _binary_path(line), blob
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
    name = _unquoted(told) if told.startswith('"') else told.removesuffix("\t")
    return "" if name == "/dev/null" else name.removeprefix("b/")


def _binary_path(line: str) -> str:
    told = line.removeprefix("Binary files ").removesuffix(" differ")
    return _path(told.rpartition(" and ")[2]) or told


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
