"""`.dockerignore`: the files of a context that are not part of a build, with docker's own rules.

Patterns are Go's filepath.Match with `**` for any number of folders, and begin at the context's root. A pattern that
matches a folder leaves out everything below it. The last matching pattern decides. A pattern after `!` includes a file
again, also in a folder that is left out. Source: https://docs.docker.com/build/concepts/context/#dockerignore-files
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from artifacts.folders import ArtifactError
from errors import First

GLOB = re.compile(r"(\*\*/?|\*|\?|\[\^?(?:\\.|[^\]\\])+\]|\\.)", re.DOTALL)


class Dockerignore:
    """The patterns of one `.dockerignore`; an empty text has none. Raises ArtifactError with the line of a bad one."""

    def __init__(self, text: str, name: str = ".dockerignore") -> None:
        self._rules = list(_rules(text, name))

    def leaves_out(self, path: str) -> bool:
        """Return whether a path is left out of the build. It is relative to the context, with slashes."""
        steps = path.split("/")
        parents = ["/".join(steps[:count]) for count in range(1, len(steps) + 1)]
        out = False
        for takes_back, pattern in self._rules:
            if out == takes_back and any(pattern.fullmatch(each) for each in parents):
                out = not takes_back
        return out

    @property
    def takes_back(self) -> bool:
        """True if any pattern begins with `!`, so that folders that are left out must be searched too."""
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
                f"{name}, line {number}: {pattern!r} is not a pattern.",
                First("write it as docker's documentation of .dockerignore says"),
            ) from None


def _cleaned(pattern: str) -> str:
    """Normalize a pattern like Go's filepath.Clean, relative to the context."""
    return posixpath.normpath(f"/{pattern}").lstrip("/") or "." if pattern else ""


def _translated(pattern: str) -> str:
    """Translate a pattern to a regular expression. Raises ValueError if a character class has no end."""
    expression = ""
    for part in GLOB.split(pattern):
        if part.startswith("**"):
            expression += "(?:.*/)?" if part == "**/" else ".*"
        elif part == "*":
            expression += "[^/]*"
        elif part == "?":
            expression += "[^/]"
        elif part.startswith("\\"):
            expression += re.escape(part[1:])
        elif part.startswith("[") and part.endswith("]"):
            expression += part.replace("[[", r"[\[", 1)
        elif "[" in part:
            raise ValueError(pattern)
        else:
            expression += re.escape(part)
    return expression
