"""Secrets in files that git calls binary: found in staged and in committed files."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from repositories.additions import Addition, parsed
from repositories.blobs import is_text, strings, text_lines
from repositories.secrets import KEYWORDS, Scanner
from tests.repositories.lab import Lab, git, snapshot
from tests.repositories.test_secrets import SECRETS

KEY = "AKIA" + "IOSFODNN7" + "ABCDEFG"
FILLER = ("an ordinary line of a log; " * 19 + "\n") * 10_000  # 5 MB


def attribute(folder: Path) -> Path:
    (folder / ".gitattributes").write_text("*.cfg -diff\n")
    (folder / "app.cfg").write_text(f"[aws]\nkey = {KEY}\n")
    return folder / "app.cfg"


def attribute_of_the_users_own(folder: Path) -> Path:
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "attributes").write_text("* binary\n")
    (folder / "app.cfg").write_text(f"[aws]\nkey = {KEY}\n")
    return folder / "app.cfg"


def written(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


CASES: dict[str, Callable[[Path], Path]] = {
    "attribute": attribute,
    "own attribute": attribute_of_the_users_own,
    "utf-16": written("app.ini", f"[aws]\r\nkey = {KEY}\r\n".encode("utf-16")),
    "utf-16 without a mark": written("app.ini", f"[aws]\r\nkey = {KEY}\r\n".encode("utf-16-be")),
    "utf-32": written("app.ini", f"[aws]\nkey = {KEY}\n".encode("utf-32")),
    "utf-16, another script": written("app.ini", f"\u4e0a\u4e0b = {KEY}\n".encode("utf-16")),
    "a NUL byte": written("app.txt", f"a\0b\nkey = {KEY}\n".encode()),
    "NUL bytes around it": written("app.txt", f"some text here\0{KEY}\0more text\n".encode()),
    "large": written("app.log", f"{FILLER}key = {KEY}\n".encode()),
    "large and binary": written("app.bin", random.Random(3).randbytes(5_000_000) + f" key={KEY} ".encode()),
    "a program": written("tool", b"\x7fELF\2\1\1" + bytes(range(256)) * 400 + KEY.encode() + b"\0\1\2"),
    "a program, in wide letters": written("tool.exe", bytes(range(256)) * 400 + f" {KEY} ".encode("utf-16-le")),
    "a picture by name": written("logo.png", f"\x89PNG\0{KEY}".encode("latin-1")),
    "old line ends": written("app.txt", f"one\0two\rkey = {KEY}\rthree\r".encode()),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_staged_binary_secret_is_refused(lab: Lab, case: str) -> None:
    checkout = lab.repository("bad")
    CASES[case](checkout)
    before = snapshot(checkout)
    done = lab.run()
    assert done.status == 1
    assert "A secret would be committed" in done.row("bad")
    assert "(AWS Access Key)" in done.row("bad")
    assert KEY not in done.output + done.errors
    assert snapshot(checkout) == before
    assert lab.tip("bad") == git(checkout, "rev-parse", "HEAD")


SHORT = ("attribute", "utf-16", "a NUL byte", "a program")


@pytest.mark.parametrize("case", [*SHORT, pytest.param("large", marks=pytest.mark.slow)])
def test_a_committed_binary_secret_is_not_pushed(lab: Lab, case: str) -> None:
    """Also when a later commit has removed it."""
    checkout = lab.repository("bad")
    tip = lab.tip("bad")
    path = CASES[case](checkout)
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "Oops")
    git(checkout, "rm", "-q", str(path))
    git(checkout, "commit", "-qm", "Take it out")
    done = lab.run()
    assert f"A commit that is not pushed yet contains a secret: {path.name}" in done.row("bad")
    assert lab.tip("bad") == tip


def test_a_binary_secret_made_by_a_merge_is_found(lab: Lab) -> None:
    checkout = lab.repository("bad")
    git(checkout, "checkout", "-qb", "side")
    (checkout / "a and b.txt").write_bytes(b"side\0")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "Side")
    git(checkout, "checkout", "-q", "main")
    (checkout / "a and b.txt").write_bytes(b"main\0")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "Main")
    git(checkout, "merge", "side", check=False)
    (checkout / "a and b.txt").write_bytes(f"both\0\n{KEY}\n".encode())
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "Merge")
    assert "contains a secret: a and b.txt:2 (AWS Access Key)" in lab.run().row("bad")


def test_a_secret_behind_a_git_replacement_is_found(lab: Lab) -> None:
    """`git replace` shows another file than the one that is pushed."""
    checkout = lab.repository("bad")
    (checkout / "app.txt").write_text(f"key = {KEY}\n")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "Oops")
    (checkout / "other").write_text("harmless\n")
    other = git(checkout, "hash-object", "-w", "other")
    (checkout / "other").unlink()
    git(checkout, "replace", git(checkout, "rev-parse", "HEAD:app.txt"), other)
    (checkout / "app.txt").unlink()
    git(checkout, "checkout", "-q", "--", ".")
    assert (checkout / "app.txt").read_text() == "harmless\n"
    assert "contains a secret: app.txt:1" in lab.run().row("bad")


def test_a_secret_in_an_unpushed_commit_message_is_found(lab: Lab) -> None:
    checkout = lab.repository("bad")
    tip = lab.tip("bad")
    git(checkout, "commit", "-q", "--allow-empty", "-m", f"Begin\n\nwith {KEY}")
    head = git(checkout, "rev-parse", "HEAD")
    assert f"contains a secret: the message of {head[:10]}:3 (AWS Access Key)" in lab.run().row("bad")
    assert lab.tip("bad") == tip


@pytest.mark.parametrize("setting", ["log.showRoot=false", "core.bigFileThreshold=1", "diff.noprefix=true"])
def test_no_git_setting_hides_a_secret(lab: Lab, setting: str) -> None:
    checkout = lab.repository("bad")
    git(checkout, "config", *setting.split("="))
    git(checkout, "checkout", "-q", "--orphan", "other")
    (checkout / "app.txt").write_text(f"key = {KEY}\n")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "Root")
    git(checkout, "checkout", "-q", "main")
    git(checkout, "merge", "-q", "--allow-unrelated-histories", "-m", "Both", "-X", "ours", "other")
    assert "contains a secret: app.txt:1" in lab.run().row("bad")


def test_an_old_secret_does_not_block_a_later_change(lab: Lab) -> None:
    checkout = lab.repository("api")
    for name, encoding in (("app.ini", "utf-16"), ("app.cfg", "utf-8")):
        (checkout / name).write_bytes(f"key = {KEY}\nx\0\n".encode(encoding))
    (checkout / "tool").write_bytes(bytes(range(256)) * 40 + KEY.encode())
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "Long ago")
    git(checkout, "push", "-q")
    for name, encoding in (("app.ini", "utf-16"), ("app.cfg", "utf-8")):
        (checkout / name).write_bytes(f"more\nkey = {KEY}\nx\0\n".encode(encoding))
    (checkout / "tool").write_bytes(bytes(range(256)) * 41 + KEY.encode())
    assert lab.run().status == 0


def test_a_line_with_an_allowlist_comment_is_accepted(lab: Lab) -> None:
    checkout = lab.repository("api")
    (checkout / "app.ini").write_bytes(f"key = {KEY}  # pragma: allowlist secret\n".encode("utf-16"))
    assert lab.run().status == 0


@pytest.mark.parametrize(
    "content",
    [
        random.Random(7).randbytes(2_000_000),
        gzip.compress(random.Random(8).randbytes(200_000)),
        bytes(range(256)) * 4000,
        "Grüße, 世界\n".encode("utf-16") * 2000,
    ],
)
def test_binary_files_without_secrets_are_accepted(content: bytes) -> None:
    text = is_text(content)
    lines = text_lines(content, []) if text else strings(content, [])
    assert list(Scanner().findings([Addition("data.bin", lines, blob="x", binary=not text)])) == []


def test_text_and_binary_content_are_distinguished() -> None:
    assert is_text("Grüße\n".encode("latin-1"))
    assert is_text(b"\x1b[31mred\x1b[0m\n")
    assert not is_text(b"")
    assert not is_text(random.Random(1).randbytes(10_000))


def test_every_keyword_of_detect_secrets_is_searched() -> None:
    """Lines without one of our keywords are not passed to its detector."""
    from detect_secrets.plugins.keyword import DENYLIST

    for word in DENYLIST:
        assert any(needed in word.replace("_?", "") for needed in KEYWORDS), word


@pytest.mark.parametrize("name", ["aws", "github", "cloudflare", "address"])
def test_a_token_in_a_binary_file_is_found(name: str) -> None:
    _, line, kind = SECRETS[name]
    content = bytes(range(256)) * 40 + line.encode() + b"\0\1\2"
    (finding,) = Scanner().findings([Addition("tool", strings(content, []), blob="x", binary=True)])
    assert (finding.line, finding.kind) == (0, kind)


def test_paths_of_binary_files_are_parsed() -> None:
    zero, blob = "0" * 40, "1" * 40
    patch = (
        f"diff --git a/p and q b/p and q\nindex {zero}..{blob}\nBinary files /dev/null and b/p and q differ\n"
        f"diff --git a/x and y b/x and y\nindex {blob}..{blob} 100644\nBinary files a/x and y and b/x and y differ\n"
        f"diff --git a/gone b/gone\nindex {blob}..{zero}\nBinary files a/gone and /dev/null differ\n"
        f"diff --combined b/z\nindex {blob},{blob}..{blob}\nBinary files differ\n"
    )
    assert [(each.path, len(each.former)) for each in parsed(patch)] == [("p and q", 0), ("x and y", 1), ("b/z", 2)]
