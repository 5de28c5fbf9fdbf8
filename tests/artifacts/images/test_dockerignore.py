"""`.dockerignore`, pattern by pattern as docker's documentation describes them."""

from __future__ import annotations

import pytest

from artifacts.folders import ArtifactError
from artifacts.images.dockerignore import Dockerignore
from tests.support.errors import raises_text


@pytest.mark.parametrize(
    "text, out, stays",
    [
        ("", [], ["a", "a/b"]),
        ("# comment\n\n  \n", [], ["# comment"]),
        ("*/temp*", ["somedir/temporary.txt", "somedir/temp/x"], ["temp", "a/b/temp"]),
        ("*/*/temp*", ["a/b/temporary.txt"], ["a/temp", "a/b/c/temp"]),
        ("temp?", ["tempa", "tempb/x"], ["temp", "tempab", "a/tempa"]),
        ("**/*.go", ["main.go", "a/main.go", "a/b/c.go"], ["main.go.txt", "go"]),
        ("/foo/bar", ["foo/bar", "foo/bar/x"], ["foo", "x/foo/bar"]),
        ("foo/bar/", ["foo/bar/x"], ["foo/barx"]),
        ("./foo", ["foo"], ["a/foo"]),
        ("foo/../bar", ["bar"], ["foo"]),
        ("*.md\n!README.md", ["NOTES.md"], ["README.md", "a/NOTES.md"]),
        ("*.md\n!README*.md\nREADME-secret.md", ["README-secret.md"], ["README-a.md"]),
        ("*.md\nREADME-secret.md\n!README*.md", ["x.md"], ["README-secret.md"]),
        ("*\n!src", ["a", "b/c"], ["src", "src/x/y"]),
        ("a\n!a/b", ["a", "a/x"], ["a/b", "a/b/c"]),
        ("a/**", ["a/x", "a/x/y"], ["a", "b"]),
        ("**/node_modules", ["node_modules/x", "a/node_modules"], ["node_modulesx"]),
        ("**", ["a", "a/b"], []),
        ("a[0-9].txt", ["a1.txt"], ["ab.txt", "a10.txt"]),
        ("a[^0-9].txt", ["ab.txt"], ["a1.txt"]),
        (r"\*.txt", ["*.txt"], ["a.txt"]),
        ("a.b", ["a.b"], ["axb"]),
        ("! x\n", [], ["x"]),
        ("\ufeffa\r\nb\r\n", ["a", "b"], ["c"]),
    ],
)
def test_each_pattern_ignores_the_documented_paths(text: str, out: list[str], stays: list[str]) -> None:
    ignore = Dockerignore(text)
    assert [path for path in [*out, *stays] if ignore.leaves_out(path)] == out


@pytest.mark.parametrize("line", ["[a", "!", "a[]"])
def test_an_invalid_pattern_is_named_with_its_line(line: str) -> None:
    with raises_text(ArtifactError, r"^\.dockerignore, line 2: .* is not a pattern\. Fix: write it as docker's "):
        Dockerignore(f"fine\n{line}")
