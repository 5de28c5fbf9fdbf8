"""Looking for planted secrets: in files, in what was printed, and in the process list."""

from __future__ import annotations

import base64
import gzip
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

SECRET_FILES = frozenset({".oracle/cloud/tokens.json", ".oracle/cloud/vault.key"})
"""Where tokens and the key of what is sealed belong; both for their owner only."""
PAUSE_SECONDS = 0.005
YOUNG = 20
"""For so many looks a process is looked at each time; then only each so often: its arguments do not change any more."""


def forms(secret: str) -> Iterator[bytes]:
    """The secret as it may be written down: plain, in hex, in base64 wherever it begins in a longer text."""
    raw = secret.encode()
    yield raw
    yield raw.hex().encode()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        # The first and the last digits depend on what stands beside the secret.
        whole = encoded[0 if before == 0 else 4 : len(encoded) - 4]
        yield whole
        yield whole.translate(bytes.maketrans(b"+/", b"-_"))


def leaked(text: bytes, secrets: dict[str, str]) -> set[str]:
    """The names of the secrets that the text holds in any form."""
    return {name for name, secret in secrets.items() if any(form in text for form in forms(secret))}


def leaked_in_files(folder: Path, secrets: dict[str, str], kept: frozenset[str]) -> list[str]:
    """`file: secret` for each found below `folder`, links not followed; files in `kept` are where they belong."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and name not in kept:
            found += [f"{name}: {secret}" for secret in sorted(leaked(_content(path), secrets))]
    return found


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


@dataclass
class ProcessList:
    """Looks at the arguments of every process of the machine, over and over, until left."""

    looks: int = 0
    _seen: set[bytes] = field(default_factory=set)

    @property
    def seen(self) -> frozenset[bytes]:
        """What was seen so far: a copy, because the other thread goes on adding."""
        return frozenset(self._seen)

    def __enter__(self) -> ProcessList:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="process-list", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        """Read young processes at each look: one begins as a copy of its parent, and gets its own arguments later."""
        ages: dict[str, int] = {}
        while not self._ended.wait(PAUSE_SECONDS):
            self.looks += 1
            there = set(filter(str.isdigit, os.listdir("/proc")))
            young = {name: ages[name] + 1 for name in there & ages.keys() if ages[name] < YOUNG}
            young |= dict.fromkeys(there - ages.keys(), 1)
            ages = {name: ages[name] for name in there & ages.keys()} | young
            for name in there if self.looks % YOUNG == 0 else young:
                try:
                    with open(f"/proc/{name}/cmdline", "rb") as arguments:
                        self._seen.add(arguments.read())
                except OSError:
                    continue  # it has ended
