"""What must never be committed, as a look at added lines finds it: private keys, filled-in .env files, .envrc, tokens.

The detectors of detect-secrets (https://github.com/Yelp/detect-secrets, 1.5) do most of it; a few kinds that it lacks
are added. A finding has a place and a kind, never the value. As there, a line that ends in a comment `pragma: allowlist
secret` is let pass, except for private keys and for files that are refused by their name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from repositories.additions import Addition
from repositories.git import shown

PRIVATE_KEY = "Private Key"
LONGEST = 4000  # characters of a line; longer ones are machine-made, and are looked at for keys and tokens only
KEYS = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File-\d|AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{10}")
KEY_BYTES = re.compile(KEYS.pattern.encode())
TOKENS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("DigitalOcean Token", re.compile(r"\bdo[oprt]_v1_[0-9a-f]{64}\b")),
    ("GitHub Token", re.compile(r"\bgithub_pat_[0-9A-Za-z_]{22,}")),
    ("Google API Key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("Anthropic Token", re.compile(r"\bsk-ant-[0-9A-Za-z_-]{20,}")),
    ("Pulumi Token", re.compile(r"\bpul-[0-9a-f]{40}\b")),
    (
        "Secret Assignment",
        # A variable with a tell-tale name gets a value with letters and digits, so no reference to another.
        re.compile(
            r"\b[A-Z0-9_]*(?:TOKEN|SECRET|PASSWORD|PASSPHRASE|PASS|API_KEY|ACCESS_KEY|PRIVATE_KEY)(?:_[A-Z0-9_]+)?"
            r"\s*[:=]\s*[\"']?(?=[^\s\"']*\d)(?=[^\s\"']*[A-Za-z])[A-Za-z0-9+/=_.~-]{16,}"
        ),
    ),
)
ASSIGNED = re.compile(r"^\s*(?:export\s+)?[A-Za-z_][A-Za-z0-9_.]*\s*=\s*(?![\"']{2}\s*(?:#|$))[^\s#]")
EXAMPLES = frozenset({"example", "sample", "template", "dist", "defaults", "schema"})
ENTROPY = frozenset({"Base64HighEntropyString", "HexHighEntropyString"})
GUESSING = ENTROPY | {"KeywordDetector"}
# One of these, in lower case, is in every line in which a slow detector can find anything.
KEYWORDS = ("key", "pass", "pwd", "secret", "contrase")
CREDENTIALS = ("key", "pass", "pw", "token", "secret")
NEEDED: dict[str, tuple[str, ...]] = {
    "CloudantDetector": (*CREDENTIALS, "cloudant"),
    "IbmCloudIamDetector": CREDENTIALS,
    "IbmCosHmacDetector": CREDENTIALS,
    "KeywordDetector": KEYWORDS,
    "MailchimpDetector": ("-us",),
    "SoftlayerDetector": (*CREDENTIALS, "softlayer"),
}
NO_SECRET = frozenset({"IPPublicDetector"})  # an address gives nobody access
# Checksums and commits are long, random and public.
DIGEST = re.compile(r"^(?:sha(?:1|256|384|512)-|v1-)", re.IGNORECASE)
DIGEST_NAMES = re.compile(r"sha-?\d|digest|hash|commit|integrity|checksum|revision|etag|\brev\b|\bsha\b", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """A place that holds a secret by all appearance. `line` is 0 where the whole file is meant."""

    path: str
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{shown(self.path)}{f':{self.line}' if self.line else ''} ({self.kind})"


class Scanner:
    """Looks for secrets. Made once, before threads begin: the library's own set-up is not for several threads."""

    def __init__(self) -> None:
        from detect_secrets.settings import default_settings, get_plugins

        with default_settings():
            self._detectors = [_Detector(each) for each in get_plugins() if type(each).__name__ not in NO_SECRET]

    def findings(self, additions: Iterable[Addition]) -> Iterator[Finding]:
        """Every finding in what is added. What git does not show as lines is opened before: `additions.opened`."""
        for addition in additions:
            if kind := refused_name(addition):
                yield Finding(addition.path, 0, kind)
            else:
                yield from self._in_lines(addition)

    def clean(self, lines: Iterable[str]) -> Iterator[str]:
        """Lines that somebody else's program printed, without those that hold a secret."""
        for line in lines:
            hidden = self._kind("output", [line], 1, guess=True)
            yield "(a line is left out here: it seems to hold a secret)" if hidden else line

    def _in_lines(self, addition: Addition) -> Iterator[Finding]:
        texts = [text for _, text in addition.lines]
        guess = not addition.binary and not _machine_made(addition.path)
        for place, (number, _) in enumerate(addition.lines, start=1):
            if kind := self._kind(addition.path, texts, place, guess):
                yield Finding(addition.path, number, kind)

    def _kind(self, path: str, texts: list[str], place: int, guess: bool) -> str | None:
        """The kind of secret in line number `place` of these; `guess` is for words and random text in code, too."""
        kinds = [kind for text in _readings(texts[place - 1]) if (kind := self._kind_in(path, text, guess))]
        if PRIVATE_KEY in kinds:
            return PRIVATE_KEY
        return kinds[0] if kinds and not _allowed(path, texts, place) else None

    def _kind_in(self, path: str, text: str, guess: bool) -> str | None:
        if KEYS.search(text):
            return PRIVATE_KEY
        if len(text) < 8:
            return None
        if found := next((kind for kind, pattern in TOKENS if pattern.search(text)), None):
            return found
        lowered, guess = text.lower(), guess and len(text) <= LONGEST
        for detector in self._detectors:
            if (guess or not detector.guesses) and detector.finds(path, text, lowered):
                return detector.kind
        return None


def key_in(content: bytes) -> bool:
    """Whether a binary file's bytes hold a private key, also as UTF-16."""
    return bool(KEY_BYTES.search(content) or KEY_BYTES.search(content.replace(b"\0", b"")))


def refused_name(addition: Addition) -> str | None:
    """Why a file is refused whatever stands in it; None when it is not."""
    name = PurePosixPath(addition.path).name.lower()
    if _is_example(name):
        return None
    if name == ".envrc" or name.startswith(".envrc."):
        return "a person's own secrets"
    dotenv = name == ".env" or name.startswith((".env.", ".dev.vars")) or name.endswith(".env")
    if dotenv and (addition.blob or any(ASSIGNED.match(text) for _, text in addition.lines)):
        return "a .env file with values"
    if name in {"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"} or name.endswith((".p12", ".pfx", ".jks", ".keystore")):
        return PRIVATE_KEY
    return None


def _is_example(name: str) -> bool:
    return any(part in EXAMPLES for part in re.split(r"[.\-_]", name))


def _readings(text: str) -> Iterator[str]:
    """The lines in a line, which a carriage return ends too; a NUL byte ends a string, or is half a letter."""
    for part in text.split("\r"):
        if "\0" in part:
            yield part.replace("\0", "")
        yield part.replace("\0", " ")


def _allowed(path: str, texts: list[str], place: int) -> bool:
    if not any("pragma" in text for text in texts[max(0, place - 2) : place]):
        return False
    from detect_secrets.filters.allowlist import is_line_allowlisted
    from detect_secrets.util.code_snippet import get_code_snippet

    around = texts[max(0, place - 2) : place]
    return is_line_allowlisted(path, texts[place - 1], get_code_snippet(around, len(around)))


def _machine_made(path: str) -> bool:
    from detect_secrets.filters import heuristic

    name = PurePosixPath(path).name
    locked = heuristic.is_lock_file(name) or name in {"pnpm-lock.yaml", "go.sum", "uv.lock", "requirements.lock"}
    return locked or heuristic.is_non_text_file(name) or name.endswith((".min.js", ".min.css"))


class _Detector:
    """A detector of the library, which is asked only for lines in which it can find anything: it is slow."""

    def __init__(self, plugin: Any) -> None:
        name = type(plugin).__name__
        self.kind, self.guesses = str(plugin.secret_type), name in GUESSING
        self._plugin, self._needed = plugin, NEEDED.get(name, ())
        self._patterns: tuple[re.Pattern[str], ...] = tuple(getattr(plugin, "denylist", ()))

    def finds(self, path: str, text: str, lowered: str) -> bool:
        """Whether the line, given in lower case too, has a secret of this kind."""
        if self._needed and not any(word in lowered for word in self._needed):
            return False
        if self._patterns and not any(pattern.search(text) for pattern in self._patterns):
            return False
        found = self._plugin.analyze_line(filename=path, line=text, line_number=1)
        return any(not _harmless(self._plugin, str(each.secret_value or ""), text) for each in found)


def _harmless(detector: Any, value: str, text: str) -> bool:
    """Whether the library's own rules, or what checksums look like, say that this is no secret."""
    from detect_secrets.filters import heuristic

    if type(detector).__name__ not in GUESSING:
        return heuristic.is_templated_secret(value) or heuristic.is_prefixed_with_dollar_sign(value)
    if type(detector).__name__ in ENTROPY and (DIGEST.match(value) or _named_digest(value, text)):
        return True
    rules = (
        heuristic.is_sequential_string,
        heuristic.is_potential_uuid,
        heuristic.is_templated_secret,
        heuristic.is_prefixed_with_dollar_sign,
        heuristic.is_not_alphanumeric_string,
    )
    alike = any(rule(value) for rule in rules) or heuristic.is_likely_id_string(value, text, detector)
    return alike or heuristic.is_indirect_reference(text)


def _named_digest(value: str, text: str) -> bool:
    return len(value) in {32, 40, 64, 128} and bool(DIGEST_NAMES.search(text.split(value)[0]))
