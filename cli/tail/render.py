"""Print entries as text or JSON. Control characters in a service's output do not reach the terminal."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC

from cli.tail.masking import Mask
from cli.tail.model import Entry, Line, Status, Wanted

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
COLOURS = (36, 33, 35, 32, 34)
RED, PLAIN = "\x1b[31m", "\x1b[0m"


class Show:
    """Print the entries that match `wanted`, masked, to standard output. `services` has all their names."""

    def __init__(self, services: list[str], mask: Mask, wanted: Wanted, *, as_json: bool) -> None:
        self._width = max(map(len, services))
        self._colour = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(services)}
        self._mask, self._wanted, self._json = mask, wanted, as_json
        self._colours = sys.stdout.isatty()

    def __call__(self, entry: Entry) -> None:
        masked = self._masked(entry)
        if not self._wanted.has(masked):
            return
        for line in masked.lines:
            sys.stdout.write((self._object(masked, line) if self._json else self._text(masked, line)) + "\n")
        sys.stdout.flush()

    def _masked(self, entry: Entry) -> Entry:
        return Entry(service=entry.service, lines=tuple(self._lines(entry)), status=entry.status)

    def _lines(self, entry: Entry) -> Iterator[Line]:
        for line in entry.lines:
            fields = {name: self._mask.of(value) for name, value in line.fields.items()}
            yield Line(time=line.time, kind=line.kind, text=self._mask(line.text), fields=fields)

    def _object(self, entry: Entry, line: Line) -> str:
        time = line.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        text = line.text.strip() if line.kind in ("console", "exception") else line.text
        document = {"time": time, "service": entry.service, "kind": line.kind, "text": text, **line.fields}
        return json.dumps(document, ensure_ascii=False)

    def _text(self, entry: Entry, line: Line) -> str:
        """Return the line as text, with the time in this machine's time zone."""
        time = line.time.astimezone().strftime("%H:%M:%S.%f")[:-3]
        service, text = f"{entry.service:{self._width}}", CONTROL.sub(_visible, line.text)
        if self._colours:
            service = f"\x1b[{self._colour[entry.service]}m{service}{PLAIN}"
            text = f"{RED}{text}{PLAIN}" if line.kind == "exception" or _failed(entry, line) else text
        return f"{time}  {service}  {text}"


def _failed(entry: Entry, line: Line) -> bool:
    return entry.status is Status.ERROR and line is entry.lines[0]


def _visible(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]):02x}"
