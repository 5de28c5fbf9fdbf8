"""Lines of files that git calls binary: UTF-16, large files, text with `-diff` in `.gitattributes`, programs.

Of text all lines are told; of anything else the readable strings in it. What the file held before is left out.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

BYTE_ORDER_MARKS = (  # the longer ones first: that of UTF-32 begins as that of UTF-16 does
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
CONTROLS = bytes(code for code in range(1, 32) if code not in b"\t\n\r\f\v\b\x1b") + b"\x7f"
TEXT_HAS_CONTROLS = 0.02  # of its bytes at most; packed or compiled data has about a tenth
STRING = re.compile(rb"[\x20-\x7e\t]{8,}")
Lines = list[tuple[int, str]]


def is_text(content: bytes) -> bool:
    """Whether it reads as text. NUL bytes do not matter: UTF-16 is full of them, and one alone hides nothing."""
    if any(content.startswith(mark) for mark, _ in BYTE_ORDER_MARKS):
        return True
    rest = content.replace(b"\0", b"")
    return bool(rest) and len(rest) - len(rest.translate(None, CONTROLS)) <= TEXT_HAS_CONTROLS * len(rest)


def text_lines(content: bytes, former: Iterable[bytes]) -> Lines:
    """The lines of a text with their numbers, without those that a former content has too."""
    known = {line for each in former for line in _decoded(each)}
    return [(number, line) for number, line in enumerate(_decoded(content), start=1) if line not in known]


def strings(content: bytes, former: Iterable[bytes]) -> Lines:
    """The readable strings in a binary file, without those that a former content has too. None has a line number."""
    known = {found for each in former for found in _strings(each)}
    return [(0, found.decode()) for found in sorted(_strings(content) - known)]


def _decoded(content: bytes) -> list[str]:
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace").split("\n")
    return content.decode("utf-8", "surrogateescape").split("\n")


def _strings(content: bytes) -> set[bytes]:
    """Also those in UTF-16: the same text once the NUL bytes are gone."""
    found = set(STRING.findall(content))
    return found | set(STRING.findall(content.replace(b"\0", b""))) if b"\0" in content else found
