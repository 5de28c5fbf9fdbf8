"""What is replayed of the recordings, in numbers, and what is left out.

`python -m tests.parity.table` writes docs/parity.md. Every case, and every row of a diff matrix, is either replayed by
a test or listed with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.parity import cloudflare_left_out, digitalocean_left_out, random_left_out
from tests.parity.recordings import load

TARGET = Path(__file__).parents[2] / "docs" / "parity.md"
CONFIGURATION = "provider.configuration"
_MODULES = (random_left_out, digitalocean_left_out, cloudflare_left_out)

# Recorded as well, but not copied here: nothing in the program declares these. Cases, and rows of diff matrices.
NOT_CARRIED: Mapping[str, tuple[int, int]] = {
    "cloudflare.R2Bucket": (25, 17),
    "cloudflare.Worker": (18, 35),
    "cloudflare.WorkerVersion": (17, 26),
    "cloudflare.WorkersDeployment": (18, 9),
    "cloudflare.WorkersRoute": (20, 9),
    "random.RandomId": (15, 12),
    "random.RandomPet": (16, 15),
    "random.RandomString": (22, 40),
}

_HEAD = """\
# Parity of the offline plugins

Written by `python -m tests.parity.table`; a test fails when it is stale.

Where the official provider plugins cannot be had, those in offline_plugins stand in for them, on loopback only. What
the official ones (random v4.21.1, digitalocean v4.76.0, cloudflare v6.17.0) answer to each call, and which requests
they make, was recorded. The tests in tests/parity replay these cases against ours: the same check failures, diffs,
replacements, outputs, unknown values, secrets and HTTP requests. A row is one changed, added or removed property: its
check, its diff, its preview, and its update.
"""


def left_out(recording: str) -> Mapping[str, str]:
    """Keys that are not replayed, with their reasons."""
    found: dict[str, str] = {}
    for module in _MODULES:
        found |= module.LEFT_OUT.get(recording, {})
    return found


def in_part(recording: str) -> Mapping[str, str]:
    """Keys of which a part is replayed, with what that is."""
    found: dict[str, str] = {}
    for module in _MODULES:
        found |= getattr(module, "IN_PART", {}).get(recording, {})
    return found


def recordings() -> list[str]:
    """Names of all copied recordings."""
    return [*(name for module in _MODULES for name in module.LEFT_OUT), CONFIGURATION]


def cases(recording: str) -> Iterator[str]:
    """Keys of all cases but the diff matrices."""
    return (case["name"] for case in load(recording)["cases"] if "rows" not in case)


def rows(recording: str) -> Iterator[str]:
    """Keys of all rows of diff matrices."""
    for case in load(recording)["cases"]:
        for row in case.get("rows", []):
            yield f"{case['name']} / {row['change']}"


def text() -> str:
    """The document."""
    return "\n".join([_HEAD, *_numbers(), "", *_listed(), *_others()]) + "\n"


def _numbers() -> Iterator[str]:
    yield "| recording | cases | replayed | left out | rows | replayed | left out |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    total = [0, 0, 0, 0]
    for name in recordings():
        counts = [*_counted(list(cases(name)), name), *_counted(list(rows(name)), name)]
        total = [before + now for before, now in zip(total, counts, strict=True)]
        yield _line(name, counts)
    yield _line("**all**", total)


def _counted(keys: list[str], name: str) -> tuple[int, int]:
    return len(keys), sum(key in left_out(name) for key in keys)


def _line(name: str, counts: list[int]) -> str:
    cases, no_cases, rows, no_rows = counts
    return f"| {name} | {cases} | {cases - no_cases} | {no_cases} | {rows} | {rows - no_rows} | {no_rows} |"


def _listed() -> Iterator[str]:
    for title, reasons in (("Left out", left_out), ("Replayed in part", in_part)):
        yield f"## {title}\n"
        yield "| recording | case | why |"
        yield "|---|---|---|"
        for name in recordings():
            for key, why in reasons(name).items():
                yield f"| {name} | {key} | {why} |"
        yield ""


def _others() -> Iterator[str]:
    yield "## Resources that the offline plugins do not carry\n"
    yield "Nothing in the program declares them; using one is an error that names it. Recordings are not copied.\n"
    yield "| recording | cases | rows |"
    yield "|---|---:|---:|"
    for name, (some_cases, some_rows) in NOT_CARRIED.items():
        yield f"| {name} | {some_cases} | {some_rows} |"


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text())
