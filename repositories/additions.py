"""The additions of a change: the added lines by file, and the blobs that git does not show as lines.

Only git's plumbing commands are used, because settings for `git log` and `git diff` do not change their output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from repositories import blobs
from repositories.git import Git

# Git does not compare larger files line by line. As for binary files, it reports only that they differ.
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
# A replacement (`git replace`) would be shown here, but is never pushed: so replacements are ignored.
AS_PUSHED = {"GIT_NO_REPLACE_OBJECTS": "1"}
HUNK = re.compile(r"^(@@+) (?:-\d+(?:,\d+)? )+\+(?P<first>\d+)(?:,(?P<count>\d+))? @@+")
INDEX = re.compile(r"^index (?P<former>[0-9a-f,]+)\.\.(?P<blob>[0-9a-f]{40,64})")
COMBINED = re.compile(r"^diff --(?:combined|cc) (?P<path>.*)")
ESCAPES = {"n": 10, "t": 9, "r": 13, "a": 7, "b": 8, "f": 12, "v": 11, '"': 34, "\\": 92}


@dataclass
class Addition:
    """The added lines of one file with their numbers, or its new blob and its `former` blobs.

    An addition has a blob if git does not show the file as lines. If it is `binary`, its lines are readable strings.
    """

    path: str
    lines: list[tuple[int, str]] = field(default_factory=list)
    blob: str | None = None
    former: tuple[str, ...] = ()
    binary: bool = False


def staged(git: Git, tree: str, extra: dict[str, str]) -> list[Addition]:
    """Return the additions of a tree to HEAD."""
    extra = {**extra, **AS_PUSHED}
    patch = git.run_checked(*_options(), "diff-tree", "-r", *PATCH, "HEAD", tree, extra=extra, doing="Comparing")
    return list(parsed(patch))


def outgoing(git: Git, commits: Iterable[str]) -> list[Addition]:
    """Return the additions of each commit, including its message. A merge adds the lines that neither side had."""
    names = "".join(f"{commit}\n" for commit in commits).encode()
    options = ("--stdin", "--no-commit-id", "--root", "-r", "-c", *PATCH)
    patch = git.run_checked(*_options(), "diff-tree", *options, stdin=names, extra=AS_PUSHED, doing="Comparing")
    return [*parsed(patch), *_messages(git, names)]


def opened(git: Git, addition: Addition, extra: dict[str, str]) -> tuple[Addition, bytes]:
    """Read an addition's blob. Returns the addition with its new lines or strings, and the blob's content."""
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
    messages = git.run_checked("rev-list", "--no-walk", "--stdin", "--format=%B%x00", stdin=names, extra=AS_PUSHED)
    for each in messages.split("\0"):
        head, _, text = each.lstrip("\n").partition("\n")
        if head:
            name = f"the message of {head.removeprefix('commit ')[:10]}"
            yield Addition(name, list(enumerate(text.split("\n"), start=1)))


def parsed(patch: str) -> Iterator[Addition]:
    """Parse a patch without context lines. It may be the combined patch of a merge."""
    lines = iter(patch.split("\n"))
    current, combined, index = Addition(""), "", None
    for line in lines:
        if line.startswith("diff --"):
            if current.path:
                yield current
            combined_header = COMBINED.match(line)
            current, combined, index = (
                Addition(""),
                _unquoted_name(combined_header["path"]) if combined_header else "",
                None,
            )
        elif index_line := INDEX.match(line):
            index = index_line
        elif line.startswith("+++ "):
            current.path = _path(line[4:])
        elif line.startswith("Binary files ") and index and set(index["blob"]) != {"0"}:
            current.path, current.blob = combined or _binary_path(line), index["blob"]
            current.former = tuple(name for name in index["former"].split(",") if set(name) != {"0"})
        elif hunk := HUNK.match(line):
            _add_hunk(lines, hunk, current)
    if current.path:
        yield current


def _add_hunk(lines: Iterator[str], hunk: re.Match[str], into: Addition) -> None:
    """Add a hunk's new lines to `into`. Its header has the number of lines. A line is new when no parent has it."""
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


def _path(text: str) -> str:
    """Parse the path after `+++`. It is quoted if it has special characters, and a tab follows it if it has spaces."""
    name = _unquoted_name(text)
    return "" if name == "/dev/null" else name.removeprefix("b/")


def _unquoted_name(text: str) -> str:
    return _unquoted(text) if text.startswith('"') else text.removesuffix("\t")


def _binary_path(line: str) -> str:
    """Parse the path in `a/PATH and b/PATH`, where PATH may also contain " and ", or in `/dev/null and b/PATH`."""
    paths = line.removeprefix("Binary files ").removesuffix(" differ")
    new = "/dev/null and "
    half = (len(paths) - len(" and ")) // 2
    return _path(paths.removeprefix(new) if paths.startswith(new) else paths[-half:]) or paths


def _unquoted(text: str) -> str:
    """Remove git's C-like quoting."""
    bytes_ = bytearray()
    for match in re.finditer(r'\\([0-7]{3})|\\(.)|([^\\"]+)', text):
        octal, escaped, plain = match.groups()
        if octal:
            bytes_.append(int(octal, 8))
        elif escaped:
            bytes_.append(ESCAPES.get(escaped, ord(escaped)))
        else:
            bytes_ += plain.encode("utf-8", "surrogateescape")
    return bytes_.decode("utf-8", "surrogateescape")
