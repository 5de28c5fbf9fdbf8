"""`_headers` and `_redirects` of a site: their rules, and each line that Cloudflare refuses.

The grammar is that of Cloudflare's own parser (workers-shared in its workers-sdk). The limits are those of its
documentation: 100 rules in `_headers`, with 2,000 characters a line; 2,000 static and 100 dynamic rules in
`_redirects`, with 1,000 characters a line. Shared by the program, which refuses before anything is uploaded, and the
local cloud.
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
    fix: str = "mend it"


@dataclass(frozen=True, kw_only=True)
class HeaderRule:
    """A path of `_headers`, the line it stands on, and the names of its headers in lower case, unset ones included."""

    line: int
    path: str
    set: frozenset[str]
    unset: frozenset[str]


def header_problems(text: str) -> list[Problem]:
    """What Cloudflare refuses in a `_headers` file."""
    return list(_Headers(text).problems)


def header_rules(text: str) -> list[HeaderRule]:
    """The rules of a `_headers` file without problems."""
    return _Headers(text).rules


def redirect_problems(text: str, *, strips_index: bool = True) -> list[Problem]:
    """What Cloudflare refuses in a `_redirects` file; `strips_index` where it takes /index.html off addresses."""
    return list(_redirects(text, strips_index))


class _Headers:
    """One reading of a `_headers` file."""

    def __init__(self, text: str) -> None:
        self.rules: list[HeaderRule] = []
        self.problems: list[Problem] = []
        self._known = False
        """Whether a path stands above that headers can belong to."""
        spoiled: set[int] = set()
        """The lines of paths that have a wrong line below them."""
        for number, line in _lines(text):
            if says := self._read(number, line):
                self.problems.append(Problem(number, says))
                spoiled.update(rule.line for rule in self.rules[-1:])
        empty = [rule for rule in self.rules if not (rule.set or rule.unset or rule.line in spoiled)]
        self.problems += [Problem(rule.line, f"no headers are given for {rule.path}") for rule in empty]
        self.problems.sort(key=lambda problem: problem.line)

    def _read(self, number: int, line: str) -> str:
        """Takes one line in; what is wrong with it, or an empty text."""
        if len(line) > HEADER_LINE:
            return f"the line has {len(line)} characters, and Cloudflare takes {HEADER_LINE}"
        if PATH.match(line):
            return self._begin(number, line)
        if line.startswith("! ") and ":" not in line:
            return self._add(unset=line.removeprefix("! ").strip())
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon:
            return "this is neither a path nor a header (`name: value`)"
        if not name or " " in name:
            return f"{name!r} is no header's name"
        return self._add(set=name) if value else f"the header {name} has no value"

    def _begin(self, number: int, path: str) -> str:
        says = _bad_header_path(path)
        self._known = not says
        if says:
            return says
        self.rules.append(HeaderRule(line=number, path=path, set=frozenset(), unset=frozenset()))
        many = len(self.rules) > HEADER_RULES
        return f"this is one rule more than the {HEADER_RULES} that Cloudflare takes" if many else ""

    def _add(self, *, set: str = "", unset: str = "") -> str:
        if not self._known:
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
    if says := _bad_address(path):
        return says
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
    seen: set[str] = set()
    for number, line in _lines(text):
        tokens = re.sub(r"\s+#.*$", "", line).split()
        says = _bad_redirect(line, tokens, strips_index)
        if not says:
            source = _path_of(tokens[0])
            if dynamic == 0 and "*" not in source and not PLACEHOLDER.search(source):
                static += 1
            else:
                dynamic += 1
            says = _bad_count(static, dynamic)
            if not says and source in seen:
                says = f"{source} has a rule above already"
            seen.add(source)
        if says == LOOP:
            yield Problem(number, says, "remove it, since a single page needs no rule")
        elif says:
            yield Problem(number, says)


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
    """What is wrong with one rule by itself; empty for a right one."""
    if len(line) > REDIRECT_LINE:
        return f"the line has {len(line)} characters, and Cloudflare takes {REDIRECT_LINE}"
    if len(tokens) not in (2, 3):
        return "a rule is `FROM TO` or `FROM TO STATUS`"
    source, target, status = [*tokens, "302"][:3]
    if ABSOLUTE.match(source):
        return "a rule's source is a path, and no address"
    if says := _bad_address(target):
        return says
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
    """The lines that say something, with their numbers."""
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip().removeprefix("\ufeff").strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped
