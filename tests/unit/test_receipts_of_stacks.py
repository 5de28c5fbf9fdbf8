"""The receipt in a stack's file: written without changing the rest of the file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from cli.engine.stack_file import put_back
from cli.engine.workspace import Stack
from cli.releases import receipts
from settings import from_file
from stack_outputs import Release
from tests.support.errors import refused
from tests.support.stacks import stack_file

PROJECT = Path(__file__).parents[2]
A, B, C = "a" * 64, "1" * 64, "2" * 64
RELEASE = Release(
    backend=f"sha256:{A}",
    workers={"web": B, "api": A, "universe": B},
    assets={"universe": C, "web": B},
    commits={"backend": "3" * 40, "api": f"{'4' * 40}-dirty"},
)
OTHER = Release(
    backend=f"sha256:{C}",
    workers={"api": B, "web": B, "universe": B},
    assets={"web": C, "universe": C},
    commits={},
)


def others(text: str) -> list[str]:
    """The lines that are none of the receipt's."""
    kept, inside, indent = [], False, 0
    for line in text.splitlines():
        deep = len(line) - len(line.lstrip())
        if line.lstrip().strip('"').startswith("oracle-net:receipt"):
            inside, indent = True, deep
        else:
            inside = inside and bool(line.strip()) and deep > indent
        kept += [] if inside else [line]
    return kept


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_every_committed_stack_file_accepts_a_receipt(stack: str, tmp_path: Path) -> None:
    text = stack_file(stack).read_text()
    changed = receipts.edited(text, RELEASE, "Pulumi.x.yaml")
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text(changed)
    settings = from_file(path)
    assert settings.receipt is not None
    assert settings.receipt.workers["web"] == B
    assert settings.receipt.assets["universe"] == C
    if settings.backend.image.digest is not None:
        assert settings.backend.image.digest == RELEASE["backend"]
    pinned = "      digest: sha256:"
    assert [line for line in others(changed) if not line.startswith(pinned)] == [
        line for line in text.splitlines() if not line.startswith(pinned)
    ]
    again = receipts.edited(changed, RELEASE, "Pulumi.x.yaml")
    assert again == changed


@pytest.mark.parametrize(
    "text",
    [
        "config:\n  a: 1 # one\n",
        "config:\n  a: 1",
        "# above\nconfig:\n    a: 1\n\n    # below\n\nencryptionsalt: x # the salt\n",
        "encryptionsalt: x\nconfig:\n  a:\n    - 1\n    # in a list\n    - {b: c}\n  # after\n",
        "config:\n  a: |\n    long\n    text\n  # after\nz: 1\n",
        "config:\n  a: |\n    long\n    text\nz: 1\n",
        "config:\n  oracle-net:receipt: {backend: x}\n  # after it\n  a: 1\n",
        "config:\n  oracle-net:receipt:\n    backend: x\n    commits: {}\n\n  # after it\n  a: 1\n",
        "config:\n  a: 1\n  oracle-net:receipt:\n    backend: x\n# end\n",
        'config: \n  "oracle-net:receipt": "text"\n  a: 1\n',
        "config:\r\n  a: 1\r\n",
    ],
)
def test_comments_and_order_are_preserved(text: str) -> None:
    one = receipts.edited(text, RELEASE, "Pulumi.x.yaml")
    other = receipts.edited(one, OTHER, "Pulumi.x.yaml")
    assert yaml.safe_load(other)["config"]["oracle-net:receipt"]["backend"] == OTHER["backend"]
    assert others(one) == others(other)
    if "receipt" not in text:
        assert [line.rstrip() for line in others(one)] == [line.rstrip() for line in text.splitlines()]
    for comment in ("# one", "# above", "# below", "# the salt", "# in a list", "# after", "# after it", "# end"):
        assert (comment in text) == (comment in other)


@pytest.mark.parametrize("text", ["", "config:\n", "config: {a: 1}\n", "[]", "config: [", "other: 1\n"])
def test_a_file_of_unknown_layout_is_refused(text: str) -> None:
    with refused(r"^No receipt can be written into Pulumi\.x\.yaml, .* Fix: run `git diff Pulumi\.x\.yaml`"):
        receipts.edited(text, RELEASE, "Pulumi.x.yaml")


def test_the_original_file_is_restored_byte_for_byte(tmp_path: Path) -> None:
    stack = Stack("x", tmp_path)
    stack.file.write_bytes(b"config:\r\n  a: 1 # \xc3\xa4\r\n")
    stack.file.chmod(0o640)
    before = stack.file.read_bytes()
    with suppress(KeyboardInterrupt), put_back(stack.file, before):
        assert receipts.write(stack, RELEASE) == before
        assert b"oracle-net:receipt" in stack.file.read_bytes()
        raise KeyboardInterrupt
    assert stack.file.read_bytes() == before
    assert stack.file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["Pulumi.x.yaml"]
