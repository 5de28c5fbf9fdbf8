"""Words that the glossary has replaced are in no file of the project."""

from __future__ import annotations

import re
import subprocess

from tests.support.sources import PROJECT

RETIRED = {
    "behind_the_back": "changed_outside_pulumi",
    "census": "data summary",
    "custody": "backup store, backups",
    "dismissal": "removal of temporary admins",
    "foreseen": "planned",
    "judgement": "diagnosis",
    "kept release": "release archive",
    "ledger": "audit log",
    "mend it": "fix",
    "stand-in": "temporary admin, offline plugin, reference service, test double",
    "succession": "rotation",
}
"""Each with the term that is used instead."""
HERE = "tests/unit/test_glossary.py"
PATTERN = re.compile("|".join(rf"\b{re.escape(word)}s?\b" for word in RETIRED), re.IGNORECASE)


def test_retired_words_are_in_no_file() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    paths = [
        PROJECT / name for name in listed.split("\0") if name.endswith((".py", ".md", ".js", ".mjs", ".yml", ".yaml"))
    ]
    texts = {path: path.read_text() for path in paths if path.is_file() and path != PROJECT / HERE}
    assert len(texts) > 500
    found = {
        f"{path.relative_to(PROJECT)}: {match[0]}" for path, text in texts.items() for match in PATTERN.finditer(text)
    }
    assert not found


def test_the_glossary_has_every_term_once() -> None:
    terms = re.findall(r"^\| ([^|]+) \|", (PROJECT / "docs/glossary.md").read_text(), re.MULTILINE)
    defined = [term for term in terms if term != "term" and not term.startswith("---")]
    assert len(defined) > 40
    assert len(defined) == len(set(defined))
