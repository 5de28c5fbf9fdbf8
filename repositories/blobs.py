"""Read the new lines of files that git treats as binary: UTF-16, large files, `-diff` in `.gitattributes`, programs.

A text has all its lines; any other file has the readable strings in it. Those of its former versions are left out.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

BYTE_ORDER_MARKS = (  # the longer ones first: UTF-32's begins like UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
CONTROLS = bytes(code for code in range(1, 32) if code not in b"\t\n\r\f\v\b\x1b") + b"\x7f"
TEXT_HAS_CONTROLS = 0.02  # the largest share of control characters in a text; packed or compiled data has about a tenth
STRING = re.compile(rb"[\x20-\x7e\t]{8,}")
Lines = list[tuple[int, str]]


def is_text(content: bytes) -> bool:
    """Return whether the content is text. NUL bytes are ignored: UTF-16 is full of them, and one could hide a text."""
    if any(content.startswith(mark) for mark, _ in BYTE_ORDER_MARKS):
        return True
    rest = content.replace(b"\0", b"")
    return bool(rest) and len(rest) - len(rest.translate(None, CONTROLS)) <= TEXT_HAS_CONTROLS * len(rest)


def text_lines(content: bytes, former: Iterable[bytes]) -> Lines:
    """Return the lines of a text with their numbers, without lines that are also in a former content."""
    known = {line for each in former for line in _decoded(each)}
    return [(number, line) for number, line in enumerate(_decoded(content), start=1) if line not in known]


def strings(content: bytes, former: Iterable[bytes]) -> Lines:
    """Return the readable strings in a binary file, without those of a former content. Their line numbers are 0."""
    known = {text for each in former for text in _strings(each)}
    return [(0, text.decode()) for text in sorted(_strings(content) - known)]


def _decoded(content: bytes) -> list[str]:
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace").split("\n")
    return content.decode("utf-8", "surrogateescape").split("\n")


def _strings(content: bytes) -> set[bytes]:
    """Find readable strings, also in UTF-16: without its NUL bytes it reads as ASCII."""
    texts = set(STRING.findall(content))
    return texts | set(STRING.findall(content.replace(b"\0", b""))) if b"\0" in content else texts
