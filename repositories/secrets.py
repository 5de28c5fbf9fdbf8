"""Find secrets in added lines: private keys, .env files with values, .envrc, tokens.

Most detectors are those of detect-secrets (https://github.com/Yelp/detect-secrets, 1.5); a few kinds are added. A
finding has a place and a kind, never the value. As in detect-secrets, a comment `pragma: allowlist secret` at the end
of a line allows the line. It does not allow private keys and files that are refused by their name.
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
LONGEST = 4000  # characters of a line; longer lines are generated, and are searched only for keys and tokens
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
        # A variable with a typical name gets a value with letters and digits, which is no reference to another one.
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
# A slow detector finds nothing in a line that has none of its words, in lower case.
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
NO_SECRET = frozenset({"IPPublicDetector"})  # an IP address gives no access
# Checksums and commits are long, random and public.
DIGEST = re.compile(r"^(?:sha(?:1|256|384|512)-|v1-)", re.IGNORECASE)
DIGEST_NAMES = re.compile(r"sha-?\d|digest|hash|commit|integrity|checksum|revision|etag|\brev\b|\bsha\b", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """The place of a probable secret. A `line` of 0 is the whole file."""

    path: str
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{shown(self.path)}{f':{self.line}' if self.line else ''} ({self.kind})"


class Scanner:
    """Finds secrets. Create it once, before threads start, because the library's set-up is not thread-safe."""

    def __init__(self) -> None:
        from detect_secrets.settings import default_settings, get_plugins

        with default_settings():
            self._detectors = [_Detector(each) for each in get_plugins() if type(each).__name__ not in NO_SECRET]

    def findings(self, additions: Iterable[Addition]) -> Iterator[Finding]:
        """Yield the findings in additions. Additions with a blob must have been read before: `additions.opened`."""
        for addition in additions:
            if kind := refused_name(addition):
                yield Finding(addition.path, 0, kind)
            else:
                yield from self._line_findings(addition)

    def clean(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield the lines of another program's output, with a note in place of each line with a secret."""
        for line in lines:
            secret = self._kind("output", [line], 1, guess=True)
            yield "(a line is left out here: it seems to hold a secret)" if secret else line

    def _line_findings(self, addition: Addition) -> Iterator[Finding]:
        texts = [text for _, text in addition.lines]
        guess = not addition.binary and not _machine_made(addition.path)
        for place, (number, _) in enumerate(addition.lines, start=1):
            if kind := self._kind(addition.path, texts, place, guess):
                yield Finding(addition.path, number, kind)

    def _kind(self, path: str, texts: list[str], place: int, guess: bool) -> str | None:
        """Return the kind of secret in line number `place`. With `guess`, keywords and random text count too."""
        kinds = [kind for text in _readings(texts[place - 1]) if (kind := self._kind_in(path, text, guess))]
        if PRIVATE_KEY in kinds:
            return PRIVATE_KEY
        return kinds[0] if kinds and not _allowed(path, texts, place) else None

    def _kind_in(self, path: str, text: str, guess: bool) -> str | None:
        if KEYS.search(text):
            return PRIVATE_KEY
        if len(text) < 8:
            return None
        if token := next((kind for kind, pattern in TOKENS if pattern.search(text)), None):
            return token
        lowered, guess = text.lower(), guess and len(text) <= LONGEST
        for detector in self._detectors:
            if (guess or not detector.guesses) and detector.finds(path, text, lowered):
                return detector.kind
        return None


def key_in(content: bytes) -> bool:
    """Return whether the bytes of a binary file contain a private key, in ASCII or UTF-16."""
    return bool(KEY_BYTES.search(content) or KEY_BYTES.search(content.replace(b"\0", b"")))


def refused_name(addition: Addition) -> str | None:
    """Return the kind of secret that a file is by its name alone; None for other files."""
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
    """Yield the possible texts of a line: it may have carriage returns, and NUL bytes as separators or from UTF-16."""
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
    """A detector of the library. It is slow, so it runs only on lines that pass a quick test."""

    def __init__(self, plugin: Any) -> None:
        name = type(plugin).__name__
        self.kind, self.guesses = str(plugin.secret_type), name in GUESSING
        self._plugin, self._needed = plugin, NEEDED.get(name, ())
        self._patterns: tuple[re.Pattern[str], ...] = tuple(getattr(plugin, "denylist", ()))

    def finds(self, path: str, text: str, lowered: str) -> bool:
        """Return whether the line has a secret of this kind. `lowered` is the line in lower case."""
        if self._needed and not any(word in lowered for word in self._needed):
            return False
        if self._patterns and not any(pattern.search(text) for pattern in self._patterns):
            return False
        secrets = self._plugin.analyze_line(filename=path, line=text, line_number=1)
        return any(not _harmless(self._plugin, str(each.secret_value or ""), text) for each in secrets)


def _harmless(detector: Any, value: str, text: str) -> bool:
    """Return whether a value is no secret by the library's own rules, or because it looks like a checksum."""
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
