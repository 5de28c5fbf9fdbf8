"""The scan for secrets, which never shows a value."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from repositories.additions import Addition, parsed
from repositories.secrets import Scanner, key_in, refused_name
from tests.repositories.lab import Lab, git, snapshot

DICE = random.Random(5)


def letters(count: int, of: str = string.ascii_letters + string.digits) -> str:
    """Made anew here, so that this file holds nothing that looks like a secret."""
    return "".join(DICE.choice(of) for _ in range(count))


KEY_HEAD = "-----BEGIN {}PRIVATE " + "KEY-----"
SECRETS = {
    "pem": ("key.txt", KEY_HEAD.format(""), "Private Key"),
    "rsa": ("a/b.conf", "  " + KEY_HEAD.format("RSA "), "Private Key"),
    "encrypted": ("k", KEY_HEAD.format("ENCRYPTED "), "Private Key"),
    "openssh": ("deploy", KEY_HEAD.format("OPENSSH "), "Private Key"),
    "age": ("keys.txt", "AGE-SECRET-" + "KEY-1" + letters(58, string.ascii_uppercase + string.digits), "Private Key"),
    "putty": ("key.ppk", "PuTTY-User-" + "Key-File-3: ssh-ed25519", "Private Key"),
    "github": ("a.ts", "const t = 'ghp" + "_" + letters(36) + "'", "GitHub Token"),
    "digitalocean": ("a.sh", "doctl -t dop" + "_v1_" + letters(64, "0123456789abcdef"), "DigitalOcean Token"),
    "aws": ("a.py", "AKIA" + letters(16, string.ascii_uppercase), "AWS Access Key"),
    "cloudflare": ("ci.sh", "export CLOUDFLARE_API_TOKEN=" + letters(38) + "a1", "Secret Assignment"),
    "keyword": ("a.py", 'password = "' + letters(12) + '"', "Secret Keyword"),
    "entropy": ("a.ts", 'x = "' + letters(48) + '"', "Base64 High Entropy String"),
    "address": ("a.ts", "https://ada:" + letters(10) + "@example.org/", "Basic Auth Credentials"),
    "minified": ("a.min.js", "x" * 5000 + "'ghp" + "_" + letters(36) + "'", "GitHub Token"),
}
HARMLESS = {
    "digest": ("Pulumi.prod.yaml", 'digest: "sha256:' + letters(64, "0123456789abcdef") + '"'),
    "commit": ("a.json", '"commit": "' + letters(40, "0123456789abcdef") + '"'),
    "integrity": ("pnpm-lock.yaml", "integrity: 'sha512-" + letters(86) + "=='"),
    "lock": ("package-lock.json", '"integrity": "sha512-' + letters(86) + '=="'),
    "reference": ("wrangler.ts", "const password = env.PB_ADMIN_PASSWORD"),
    "environment": ("a.py", 'token = os.environ["CLOUDFLARE_API_TOKEN"]'),
    "placeholder": ("a.sh", 'export CLOUDFLARE_API_TOKEN="${CF_TOKEN}"'),
    "empty": (".envrc.example", "export DIGITALOCEAN_TOKEN="),
    "encrypted": ("Pulumi.prod.yaml", "    secure: v1:" + letters(16) + ":" + letters(60)),
    "certificate": ("a.pem", "-----BEGIN CERTIFICATE-----"),
    "public": ("id_rsa.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA ada@example.org"),
    "prose": ("README.md", "The password is kept in the stack's configuration; set the secret with `wrangler secret`."),
    "recipient": ("a.yaml", "age1" + letters(58, string.ascii_lowercase)),
    "allowed": ("a.py", 'password = "' + letters(12) + '"  # pragma: allowlist secret'),
}


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner()


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_is_found_with_its_line_and_kind(scanner: Scanner, name: str) -> None:
    path, line, kind = SECRETS[name]
    (finding,) = scanner.findings([Addition(path, [(6, "harmless"), (7, line), (9, "harmless")])])
    assert (finding.path, finding.line, finding.kind) == (path, 7, kind)
    assert line not in str(finding)


@pytest.mark.parametrize("name", sorted(HARMLESS))
def test_a_harmless_line_is_accepted(scanner: Scanner, name: str) -> None:
    path, line = HARMLESS[name]
    assert list(scanner.findings([Addition(path, [(1, line)])])) == []


def test_a_private_key_is_refused_despite_an_allowlist_comment(scanner: Scanner) -> None:
    line = KEY_HEAD.format("") + "  # pragma: allowlist secret"
    assert list(scanner.findings([Addition("a.py", [(1, line)])]))


REFUSED = {
    ".envrc": ["# nothing"],
    "sub/.envrc": ["export A=1"],
    ".envrc.local": ["x"],
    ".env": ["", "# c", "A=1"],
    ".env.production": ["export A='b'"],
    "prod.env": ["A = b"],
    ".dev.vars": ["PB_ADMIN_EMAIL=ada"],
    "id_ed25519": ["x"],
    "cert.p12": ["x"],
}


@pytest.mark.parametrize("path", sorted(REFUSED))
def test_a_file_is_refused_by_its_name(path: str) -> None:
    assert refused_name(Addition(path, list(enumerate(REFUSED[path], start=1))))


@pytest.mark.parametrize(
    "path", [".envrc.example", ".env.example", ".env", ".env.sample", "environment.ts", "a.envrc.md"]
)
def test_an_example_file_without_values_is_accepted(path: str) -> None:
    lines = ["# A=1", "A=", 'B=""', "C= # later"]
    assert refused_name(Addition(path, list(enumerate(lines, start=1)))) is None


def test_a_private_key_in_a_binary_file_is_found() -> None:
    key = KEY_HEAD.format("EC ").encode()
    assert key_in(b"\0\1" + key)
    assert key_in(key.decode().encode("utf-16"))
    assert not key_in(b"\0\1 BEGIN PUBLIC KEY")


def bad_changes(lab: Lab) -> Iterator[Path]:
    checkout = lab.repository("bad")
    yield checkout / ".envrc"
    yield checkout / "deep" / "down" / "key.pem"
    yield checkout / "image.png"
    yield checkout / "huge.log"


@pytest.mark.parametrize("which", [0, 1, 2, pytest.param(3, marks=pytest.mark.slow)])
def test_a_secret_is_neither_committed_nor_shown(lab: Lab, which: int) -> None:
    path = list(bad_changes(lab))[which]
    value = letters(40)
    path.parent.mkdir(parents=True, exist_ok=True)
    filler = b"\0" if path.suffix == ".png" else b"a log line\n" * (500_000 if path.suffix == ".log" else 1)
    path.write_bytes(filler + f"\n{KEY_HEAD.format('')}\n{value}\n".encode())
    (lab.folder / "bad" / "README.md").write_text("more\n")
    before = snapshot(lab.folder / "bad")
    done = lab.run()
    assert done.status == 1
    assert "A secret would be committed" in done.row("bad")
    assert value not in done.output + done.errors
    assert snapshot(lab.folder / "bad") == before
    assert git(lab.remote("bad"), "log", "--oneline", "main").count("\n") == 0


def test_an_old_secret_does_not_block_a_later_change(lab: Lab) -> None:
    checkout = lab.repository("api")
    (checkout / "config.py").write_text('one = 1\npassword = "' + letters(12) + '"\nlast = 3\n')
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "Long ago")
    git(checkout, "push", "-q")
    text = (checkout / "config.py").read_text()
    (checkout / "config.py").write_text(text.replace("one = 1", "one = 1\ntwo = 2").replace("last = 3", "last = 4"))
    assert lab.run().status == 0


def test_a_secret_in_an_unpushed_commit_is_not_pushed(lab: Lab) -> None:
    """Also when a later commit has removed it, and when a merge brought it."""
    checkout = lab.repository("bad")
    (checkout / ".envrc").write_text("export A=" + letters(20) + "\n")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "Oops")
    git(checkout, "rm", "-q", ".envrc")
    git(checkout, "commit", "-qm", "Take it out")
    tip = lab.tip("bad")
    done = lab.run()
    assert done.status == 1
    assert "A commit that is not pushed yet contains a secret: .envrc" in done.row("bad")
    assert lab.tip("bad") == tip


def test_a_secret_made_by_a_merge_is_found(lab: Lab) -> None:
    checkout = lab.repository("bad")
    git(checkout, "checkout", "-qb", "side")
    (checkout / "src" / "a.ts").write_text("side\n")
    git(checkout, "commit", "-qam", "Side")
    git(checkout, "checkout", "-q", "main")
    (checkout / "src" / "a.ts").write_text("main\n")
    git(checkout, "commit", "-qam", "Main")
    git(checkout, "merge", "side", check=False)
    (checkout / "src" / "a.ts").write_text(f"both\n{KEY_HEAD.format('')}\n")
    git(checkout, "commit", "-qam", "Merge")
    done = lab.run()
    assert "contains a secret: src/a.ts:2 (Private Key)" in done.row("bad")


def test_a_secret_added_by_a_hook_is_found(lab: Lab) -> None:
    checkout = lab.repository("bad")
    (checkout / "new.txt").write_text("x\n")
    lab.hook("bad", "pre-commit", "echo 'export A=1' > .envrc; git add .envrc")
    before = snapshot(checkout)
    done = lab.run()
    assert "A secret would be committed: .envrc" in done.row("bad")
    assert snapshot(checkout) == before


def test_the_output_of_hooks_is_shown_without_secrets(lab: Lab) -> None:
    checkout = lab.repository("bad")
    (checkout / "new.txt").write_text("x\n")
    token = "ghp" + "_" + letters(36)
    lab.hook(
        "bad", "pre-commit", f"echo 'found {token}'; echo 'fetch https://ada:{token}@example.org/x'; echo plain; exit 1"
    )
    done = lab.run()
    assert token not in done.output + done.errors
    assert "bad: plain" in done.output
    assert "a line is left out" in done.output


def test_a_commit_message_with_a_secret_is_refused(lab: Lab) -> None:
    checkout = lab.repository("bad")
    (checkout / "new.txt").write_text("x\n")
    token = "ghp" + "_" + letters(36)
    before = snapshot(checkout)
    done = lab.run(message=f"Use {token}")
    assert "The commit message contains a secret." in done.row("bad")
    assert (snapshot(checkout), done.status) == (before, 1)


def test_the_removal_of_a_secret_can_be_committed(lab: Lab) -> None:
    checkout = lab.repository("api")
    (checkout / ".envrc").write_text("export A=1\n")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "Oops")
    git(checkout, "push", "-q")
    (checkout / ".envrc").unlink()
    assert lab.run().status == 0
    assert git(checkout, "log", "-1", "--format=%s") == "Delete .envrc"


def test_lines_that_look_like_patch_headers_are_parsed() -> None:
    patch = (
        "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1 +1,3 @@\n--- gone\n+++ b/fake\n+@@ -1 +1 @@\n"
        "+diff --git a/y b/y\n@@ -8,0 +11 @@ fn\n+last\n\\ No newline at end of file\n"
    )
    (only,) = parsed(patch)
    assert only.path == "x"
    assert only.lines == [(1, "++ b/fake"), (2, "@@ -1 +1 @@"), (3, "diff --git a/y b/y"), (11, "last")]
