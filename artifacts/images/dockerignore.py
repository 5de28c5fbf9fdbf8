"""`.dockerignore`: which files of a context stay out of a build, as docker reads it.

Patterns are Go's filepath.Match with `**` for any number of folders, and begin at the context's root. What matches a
folder leaves out everything below it. The last pattern that matches decides, and one after `!` takes a file back, also
out of a folder that is left out. Source: https://docs.docker.com/build/concepts/context/#dockerignore-files
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from artifacts.folders import ArtifactError

GLOB = re.compile(r"(\*\*/?|\*|\?|\[\^?(?:\\.|[^\]\\])+\]|\\.)", re.DOTALL)


class Dockerignore:
    """The patterns of one `.dockerignore`; an empty text leaves nothing out. Raises ArtifactError naming the line that
    is no pattern.
    """

    def __init__(self, text: str, name: str = ".dockerignore") -> None:
        self._rules = list(_rules(text, name))

    def leaves_out(self, path: str) -> bool:
        """Whether a path relative to the context, with slashes, stays out of the build."""
        steps = path.split("/")
        parents = ["/".join(steps[:count]) for count in range(1, len(steps) + 1)]
        out = False
        for takes_back, pattern in self._rules:
            if out == takes_back and any(pattern.fullmatch(each) for each in parents):
                out = not takes_back
        return out

    @property
    def takes_back(self) -> bool:
        """Whether any pattern takes files back, so that folders that are left out have to be looked into."""
        return any(takes_back for takes_back, _ in self._rules)


def _rules(text: str, name: str) -> Iterator[tuple[bool, re.Pattern[str]]]:
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        pattern = line.strip()
        if not pattern or line.startswith("#"):
            continue
        takes_back = pattern.startswith("!")
        cleaned = _cleaned(pattern.removeprefix("!").strip())
        try:
            if not cleaned:
                raise ValueError
            yield takes_back, re.compile(_translated(cleaned), re.DOTALL)
        except (ValueError, re.error):
            raise ArtifactError(
                f"{name}, line {number}: {pattern!r} is no pattern; write it as docker's documentation of "
                ".dockerignore says"
            ) from None


def _cleaned(pattern: str) -> str:
    """As Go's filepath.Clean makes it, relative to the context."""
    return posixpath.normpath(f"/{pattern}").lstrip("/") or "." if pattern else ""


def _translated(pattern: str) -> str:
    """As a regular expression. Raises ValueError where a character class has no end."""
    made = ""
    for part in GLOB.split(pattern):
        if part.startswith("**"):
            made += "(?:.*/)?" if part == "**/" else ".*"
        elif part == "*":
            made += "[^/]*"
        elif part == "?":
            made += "[^/]"
        elif part.startswith("\\"):
            made += re.escape(part[1:])
        elif part.startswith("[") and part.endswith("]"):
            made += part.replace("[[", r"[\[", 1)
        elif "[" in part:
            raise ValueError(pattern)
        else:
            made += re.escape(part)
    return made
