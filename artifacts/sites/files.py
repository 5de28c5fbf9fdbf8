"""Select the files of a site: all except those in `.assetsignore`. Files that must not be public are refused.

Files that wrangler or Cloudflare would not accept are also refused, with their path, and not silently left out.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from artifacts.folders import ArtifactError, SourceFile, read_file, shown, source_files
from artifacts.sites import ignore
from artifacts.sites.ignore import Ignore
from errors import First, Remedy
from site_rules import Problem, header_problems, redirect_problems

HEADERS, REDIRECTS = "_headers", "_redirects"
RULES = frozenset({HEADERS, REDIRECTS})
"""Wrangler reads these as rules. The provider would upload them as files, so they are in its asset configuration."""
FINDER = ".DS_Store"
"""A file that macOS writes into folders. It contains the names of files and is not meant for publication."""
PAGES_WORKER = "_worker.js"
SECRET = re.compile(r"\.git|\.env(rc|\..+)?|\.dev\.vars(\..+)?", re.IGNORECASE)
EXAMPLE = re.compile(r".*\.(example|sample|template)", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_private(name: str) -> bool:
    """Return whether a file of this name is private to its developer, such as `.env`."""
    return SECRET.fullmatch(name) is not None and not EXAMPLE.fullmatch(name)


def site_files(site: Path) -> tuple[list[SourceFile], tuple[str, ...]]:
    """Return a site's files and rules, and the names that are left out although `.assetsignore` does not name them.

    Raises ArtifactError for files that must not or cannot be served.
    """
    rules = Ignore.of(site)
    legacy = not os.path.exists(site / ignore.NAME)
    unasked: list[str] = []

    def left_out(name: str, folder: bool) -> bool:
        if name == ignore.NAME:
            return True
        decided = False if name in RULES else rules.decided(name, folder)
        last = name.rpartition("/")[2]
        if decided is None and last == FINDER:
            unasked.append(name)
            return True
        if not decided:
            _check_name(site, name)
        if decided is None:
            _check_private(site / name, last, legacy and name == PAGES_WORKER)
        return bool(decided)

    return source_files(site, left_out), tuple(unasked)


def read_rules(site: Path) -> tuple[str | None, str | None]:
    """Read `_headers` and `_redirects`; None for a missing file. Raises ArtifactError."""
    headers, redirects = _text(site / HEADERS), _text(site / REDIRECTS)
    _refuse(site / HEADERS, header_problems(headers or ""))
    _refuse(site / REDIRECTS, redirect_problems(redirects or ""))
    return headers, redirects


def _check_name(site: Path, name: str) -> None:
    last = name.rpartition("/")[2]
    if "%" in last:
        raise ArtifactError(
            f"{shown(site / name)} has a % in its name, which Cloudflare reads as an escape, so it would be served "
            "under another name or refused.",
            First("rename it", Remedy.BUILD),
        )
    if CONTROL.search(last):
        raise ArtifactError(
            f"{shown(site / name)} has a control character in its name, which no address has.",
            First("rename it", Remedy.BUILD),
        )


def _check_private(path: Path, last: str, pages_worker: bool) -> None:
    if pages_worker or is_private(last):
        raise ArtifactError(
            f"{shown(path)} would be public.",
            First(f"add `{last}` to the site's {ignore.NAME} to leave it out, or `!{last}` to serve it", Remedy.BUILD),
        )


def _text(path: Path) -> str | None:
    if not path.is_file() and not path.is_symlink():
        return None
    content = read_file(path)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ArtifactError(
            f"{shown(path)}, line {line}: this is not UTF-8, so Cloudflare refuses it.",
            First("save it as UTF-8", Remedy.BUILD),
        ) from None


def _refuse(path: Path, problems: list[Problem]) -> None:
    if not problems:
        return
    first, more = problems[0], len(problems) - 1
    others = f" ({more} more {'lines' if more > 1 else 'line'} with a problem)" if more else ""
    raise ArtifactError(
        f"{shown(path)}, line {first.line}: {first.says}, so Cloudflare refuses it{others}.",
        First(first.fix, Remedy.BUILD),
    )
