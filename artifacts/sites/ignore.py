"""`.assetsignore`: the files of a site that are not uploaded, in gitignore's syntax and with wrangler's rules.

As in wrangler, patterns ignore case, and a file below an ignored folder cannot be included again.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from artifacts.folders import ArtifactError, read_file, shown
from errors import First

if TYPE_CHECKING:
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

NAME = ".assetsignore"
Rule = tuple[bool, re.Pattern[str]]
"""True if a match ignores the path, and the pattern."""


class Ignore:
    """The rules of one site's `.assetsignore`; none if there is no such file."""

    def __init__(self, text: str) -> None:
        """Parse the rules. Raises ValueError with the line that is no pattern."""
        self._rules = list(_rules(text))
        self._folder = cache(self._decided_folder)

    @classmethod
    def of(cls, site: Path) -> Ignore:
        """Read the file of a site. Raises ArtifactError."""
        path = site / NAME
        if not os.path.lexists(path):
            return cls("")
        try:
            return cls(read_file(path).decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            problem = f"{shown(path)}, line {line}: this is not UTF-8."
            raise ArtifactError(problem, First("save it as UTF-8")) from None
        except ValueError as error:
            raise ArtifactError(f"{shown(path)}, {error}.", First("write it as in .gitignore")) from None

    def decided(self, name: str, folder: bool) -> bool | None:
        """Return True if a path is ignored, False if a `!` rule includes it, None if no rule matches it."""
        parent = name.rpartition("/")[0]
        if parent and self._folder(parent):
            return True
        return self._matched(f"{name}/" if folder else name)

    def _decided_folder(self, name: str) -> bool | None:
        return self.decided(name, True)

    def _matched(self, path: str) -> bool | None:
        decided = None
        for ignores, pattern in self._rules:
            if any(_names(found, path) for found in pattern.finditer(path)):
                decided = ignores
        return decided


def _names(found: re.Match[str], path: str) -> bool:
    """Return whether the path itself matched. The library's patterns also match everything below a folder."""
    if found.groupdict().get("ps_d") is not None:
        return found.end("ps_d") == len(path)
    return not found[0].endswith("/") or found.end() < len(path)  # `folder/**` is not the folder


def _rules(text: str) -> list[Rule]:
    if not text:
        return []
    # Imported late: every run imports this module, but few sites have such a file.
    from pathspec.patterns.gitignore import GitIgnorePatternError
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    rules = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            rule = _rule(GitIgnoreSpecPattern(line.removesuffix("\r")))
        except GitIgnorePatternError:
            raise ValueError(f"line {number}: {line.strip()!r} is not a pattern") from None
        rules += [rule] if rule else []
    return rules


def _rule(pattern: GitIgnoreSpecPattern) -> Rule | None:
    if pattern.include is None or pattern.regex is None:
        return None
    return pattern.include, re.compile(pattern.regex.pattern, re.IGNORECASE)
