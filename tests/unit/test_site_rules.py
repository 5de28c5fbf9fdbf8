"""Rule files of a site: everything that Cloudflare's parser accepts is accepted, and each refused line is named."""

from __future__ import annotations

import pytest

from site_rules import Problem, header_problems, header_rules, redirect_problems


def said(problems: list[Problem]) -> list[tuple[int, str]]:
    return [(problem.line, problem.says) for problem in problems]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n\n",
        "/a /b\n/c https://example.org:8443/d 301\n/p/:id /posts/:id 308 # moved\n/x/* /y/:splat 200\n",
        "\ufeff/a /b\r\n/c /d\r\n",
        "a /b\n",
        "/*/index /index.html\n",
        "/ /home\n/app/* /app.html 200\n",
    ],
)
def test_valid_redirects_are_accepted(text: str) -> None:
    assert redirect_problems(text) == []


@pytest.mark.parametrize(
    "text, line, says",
    [
        ("# single page\n/* /index.html 200\n", 2, "infinite loop"),
        ("/a /b\n/app/* /app/index 301", 2, "infinite loop"),
        ("/ /index.html", 1, "infinite loop"),
        ("/a", 1, "`FROM TO`"),
        ("/a /b 302 Country=de", 1, "`FROM TO`"),
        ("/a /b 404", 1, "404 is none of the statuses"),
        ("/a /b 301!", 1, "301! is none of the statuses"),
        ("/a b", 1, "an address begins with /"),
        ("/a http://example.org/", 1, "an address begins with /"),
        ("https://example.org/a /b", 1, "a rule's source is a path"),
        ("/a https://example.org/b 200", 1, "leads to a path of the site"),
        ("/a /b\n\n/a /c", 3, "/a has a rule above already"),
        (f"/a /{'b' * 997}", 1, "the line has 1001 characters"),
    ],
)
def test_invalid_redirects_are_refused_with_their_line(text: str, line: int, says: str) -> None:
    (problem,) = redirect_problems(text)
    assert (problem.line, says in problem.says) == (line, True), problem


def test_a_single_page_redirect_is_refused_as_unnecessary() -> None:
    (problem,) = redirect_problems("/* /index.html 200")
    assert problem.fix == "remove it, since a single page needs no rule"
    assert redirect_problems("/ /index.html", strips_index=False) == []


def test_the_number_of_redirects_is_limited() -> None:
    static = "".join(f"/{number} /x\n" for number in range(2001))
    assert [line for line, _ in said(redirect_problems(static))] == [2001]
    dynamic = "".join(f"/{number}/* /x\n" for number in range(101))
    assert [line for line, _ in said(redirect_problems(dynamic))] == [101]
    mixed = "/a/* /x\n" + "".join(f"/{number} /x\n" for number in range(100))
    assert [line for line, _ in said(redirect_problems(mixed))] == [101], "after a dynamic rule every rule is one"
    assert (
        redirect_problems("".join(f"/{number} /x\n" for number in range(2000)) + dynamic[: dynamic.index("/100/")])
        == []
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/*\n  X-A: b\n  ! X-Powered-By\n",
        "https://:project.pages.dev/*\n  X-Robots-Tag: noindex\n",
        "/p/:id\n  Link: <https://example.org:80/>; rel=next\n",
    ],
)
def test_valid_headers_are_accepted(text: str) -> None:
    assert header_problems(text) == []


@pytest.mark.parametrize(
    "text, line, says",
    [
        ("  X-A: b", 1, "a path must come before its headers"),
        ("/a\n/b\n  X: y", 1, "no headers are given for /a"),
        ("/a\n  X-A", 2, "neither a path nor a header"),
        ("/a\n  X: y\n  X-A:", 3, "the header X-A has no value"),
        ("/a\n  X: y\n  : b", 3, "'' is no header's name"),
        ("/a\n  X: y\n  X A: b", 3, "'X A' is no header's name"),
        ("/*/x/*\n  X: y", 1, "only one *"),
        ("/:splat/*\n  X: y", 1, "either * or :splat"),
        ("https://example.org:80/x\n  X: y", 1, "a port is not taken"),
        ("http://example.org/x\n  X: y", 1, "an address begins with /"),
        (f"/a\n  X: {'y' * 1998}", 2, "the line has 2001 characters"),
    ],
)
def test_invalid_headers_are_refused_with_their_line(text: str, line: int, says: str) -> None:
    first = header_problems(text)[0]
    assert (first.line, says in first.says) == (line, True), first


def test_the_number_of_header_rules_is_limited() -> None:
    text = "".join(f"/{number}\n  X: y\n" for number in range(101))
    assert said(header_problems(text)) == [(201, "this is one rule more than the 100 that Cloudflare takes")]
    assert header_problems(text[: text.index("/100\n")]) == []


def test_a_header_rule_sets_and_unsets_headers() -> None:
    (rule,) = header_rules("\n/*.txt\n  Content-Type: text/plain\n  ! X-Powered-By\n")
    assert (rule.line, rule.path, rule.set, rule.unset) == (
        2,
        "/*.txt",
        frozenset({"content-type"}),
        frozenset({"x-powered-by"}),
    )
