"""Parse a site's `_headers` and `_redirects`, and report each line that Cloudflare refuses.

The grammar is that of Cloudflare's own parser (workers-shared in its workers-sdk). The limits are those of its
documentation: 100 rules in `_headers`, with 2,000 characters a line; 2,000 static and 100 dynamic rules in
`_redirects`, with 1,000 characters a line. The program uses this to check a site before it is uploaded; the local
cloud uses it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

HEADER_RULES = 100
HEADER_LINE = 2000
STATIC_REDIRECTS = 2000
DYNAMIC_REDIRECTS = 100
REDIRECT_LINE = 1000
LOOP = "this rule is an infinite loop, since Cloudflare strips /index.html from addresses"
STATUSES = ("200", "301", "302", "303", "307", "308")

PATH = re.compile(r"([^\s]+://|/)")
ABSOLUTE = re.compile(r"https://+(?P<host>[^/]+)/?(?P<path>.*)")
PLACEHOLDER = re.compile(r":[A-Za-z]\w*")
SPLAT = re.compile(r":splat(?!\w)")
INDEX = re.compile(r"/index(.html)?$")


@dataclass(frozen=True)
class Problem:
    """A line that Cloudflare refuses; lines count from 1."""

    line: int
    says: str
    fix: str = "correct the line"


@dataclass(frozen=True, kw_only=True)
class HeaderRule:
    """A path in `_headers`, its line number, and the lower-case names of the headers that it sets and unsets."""

    line: int
    path: str
    set: frozenset[str]
    unset: frozenset[str]


def header_problems(text: str) -> list[Problem]:
    """Return the lines that Cloudflare refuses in a `_headers` file."""
    return list(_Headers(text).problems)


def header_rules(text: str) -> list[HeaderRule]:
    """Return the rules of a valid `_headers` file."""
    return _Headers(text).rules


def redirect_problems(text: str, *, strips_index: bool = True) -> list[Problem]:
    """Return the lines that Cloudflare refuses in a `_redirects` file.

    `strips_index` is true if Cloudflare removes /index.html from the site's addresses.
    """
    return list(_redirects(text, strips_index))


class _Headers:
    """A parser of one `_headers` file."""

    def __init__(self, text: str) -> None:
        self.rules: list[HeaderRule] = []
        self.problems: list[Problem] = []
        self._has_path = False
        """True while the lines belong to a valid path above them."""
        spoiled: set[int] = set()
        """The lines of paths with a wrong line below them."""
        for number, line in _lines(text):
            if problem_text := self._parse_line(number, line):
                self.problems.append(Problem(number, problem_text))
                spoiled.update(rule.line for rule in self.rules[-1:])
        empty = [rule for rule in self.rules if not (rule.set or rule.unset or rule.line in spoiled)]
        self.problems += [Problem(rule.line, f"no headers are given for {rule.path}") for rule in empty]
        self.problems.sort(key=lambda problem: problem.line)

    def _parse_line(self, number: int, line: str) -> str:
        """Parse one line. Returns its problem, or an empty text."""
        if len(line) > HEADER_LINE:
            return f"the line has {len(line)} characters, and Cloudflare takes {HEADER_LINE}"
        if PATH.match(line):
            return self._begin_rule(number, line)
        if line.startswith("! ") and ":" not in line:
            return self._add_header(unset=line.removeprefix("! ").strip())
        header, colon, value = (part.strip() for part in line.partition(":"))
        if not colon:
            return "this is neither a path nor a header (`name: value`)"
        if not header or " " in header:
            return f"{header!r} is no header's name"
        return self._add_header(set=header) if value else f"the header {header} has no value"

    def _begin_rule(self, number: int, path: str) -> str:
        problem = _bad_header_path(path)
        self._has_path = not problem
        if problem:
            return problem
        self.rules.append(HeaderRule(line=number, path=path, set=frozenset(), unset=frozenset()))
        many = len(self.rules) > HEADER_RULES
        return f"this is one rule more than the {HEADER_RULES} that Cloudflare takes" if many else ""

    def _add_header(self, *, set: str = "", unset: str = "") -> str:
        if not self._has_path:
            return "" if self.problems else "a path must come before its headers"
        rule = self.rules[-1]
        self.rules[-1] = HeaderRule(
            line=rule.line,
            path=rule.path,
            set=rule.set.union({set.lower()} if set else ()),
            unset=rule.unset.union({unset.lower()} if unset else ()),
        )
        return ""


def _bad_header_path(path: str) -> str:
    if problem := _bad_address(path):
        return problem
    absolute = ABSOLUTE.match(path)
    if absolute and re.search(r":\d+$", absolute["host"]):
        return "an address with a port is not taken"
    if path.count("*") > 1:
        return "only one * is taken in a path"
    if "*" in path and SPLAT.search(path):
        return "a path has either * or :splat"
    return ""


def _redirects(text: str, strips_index: bool) -> Iterator[Problem]:
    static = dynamic = 0
    sources: set[str] = set()
    for number, line in _lines(text):
        tokens = re.sub(r"\s+#.*$", "", line).split()
        problem = _bad_redirect(line, tokens, strips_index)
        if not problem:
            source = _path_of(tokens[0])
            if dynamic == 0 and "*" not in source and not PLACEHOLDER.search(source):
                static += 1
            else:
                dynamic += 1
            problem = _bad_count(static, dynamic)
            if not problem and source in sources:
                problem = f"{source} has a rule above already"
            sources.add(source)
        if problem == LOOP:
            yield Problem(number, problem, "remove it, since a single page needs no rule")
        elif problem:
            yield Problem(number, problem)


def _bad_count(static: int, dynamic: int) -> str:
    if static > STATIC_REDIRECTS:
        return f"this is one static rule more than the {STATIC_REDIRECTS} that Cloudflare takes"
    if dynamic > DYNAMIC_REDIRECTS:
        return (
            f"this is one dynamic rule more than the {DYNAMIC_REDIRECTS} that Cloudflare takes (every rule from the "
            "first one with * or a placeholder counts)"
        )
    return ""


def _bad_redirect(line: str, tokens: list[str], strips_index: bool) -> str:
    """Return the problem of a single rule, without regard to the others; empty for none."""
    if len(line) > REDIRECT_LINE:
        return f"the line has {len(line)} characters, and Cloudflare takes {REDIRECT_LINE}"
    if len(tokens) not in (2, 3):
        return "a rule is `FROM TO` or `FROM TO STATUS`"
    source, target, status = [*tokens, "302"][:3]
    if ABSOLUTE.match(source):
        return "a rule's source is a path, and no address"
    if problem := _bad_address(target):
        return problem
    if status not in STATUSES:
        return f"{status} is none of the statuses {', '.join(STATUSES)}"
    host = ABSOLUTE.match(target)
    loops = ("/*", "/") if strips_index else ("/*",)
    if not host and _path_of(source).endswith(loops) and INDEX.search(target):
        return LOOP
    if host and status == "200":
        return "a rule with the status 200 leads to a path of the site, and to no address"
    return ""


def _bad_address(text: str) -> str:
    return "" if text.startswith("/") or ABSOLUTE.match(text) else "an address begins with / or https://"


def _path_of(source: str) -> str:
    path = source.partition("?")[0].partition("#")[0]
    return path if path.startswith("/") else f"/{path}"


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are neither empty nor comments, with their numbers."""
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip().removeprefix("\ufeff").strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped
