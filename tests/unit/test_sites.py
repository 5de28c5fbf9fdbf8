"""The files of a folder that belong to a site, and their content types."""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from artifacts.contents import ArtifactError, AssetSet, assets_digest, pack_assets, stage_assets, stage_packed_assets
from artifacts.sites.files import site_files
from artifacts.sites.ignore import Ignore
from artifacts.sites.types import with_content_types
from site_rules import HEADER_RULES, header_problems, header_rules
from tests.support.errors import shown_text


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    write(folder, "index.html", "<title>site</title>")
    write(folder, "assets/app.js", "1")
    return folder


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def names(site: Path) -> list[str]:
    return [file.name for file in site_files(site)[0]]


def stage(site: Path) -> AssetSet:
    return stage_assets(site, site.parent / "stage", site.parent)


def refusal(site: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        stage(site)
    assert not (site.parent / "stage").exists()
    return shown_text(caught.value)


# --- .assetsignore


def test_files_named_in_assetsignore_are_not_served(site: Path) -> None:
    write(site, ".assetsignore", "*.map\n.env\n.#*\n*~\n")
    before = assets_digest(site)
    for name in (".env", "app.js.map", "assets/APP.MAP", "index.html~", "assets/.env"):
        write(site, name, "secret")
    (site / ".#index.html").symlink_to("somebody@somewhere.1234")
    assert names(site) == ["assets/app.js", "index.html"]
    assert assets_digest(site) == before
    with tarfile.open(fileobj=BytesIO(pack_assets(site))) as packed:
        assert packed.getnames() == ["assets/app.js", "index.html"]
    stage(site)
    staged = (site.parent / "stage").rglob("*")
    assert sorted(path.name for path in staged if path.is_file()) == ["app.js", "index.html"]


@pytest.mark.parametrize(
    "rules, left",
    [
        ("", "a/b.txt a/c.map d.txt"),
        ("# a comment\n\n*.MAP", "a/b.txt d.txt"),
        ("/d.txt\r\n", "a/b.txt a/c.map"),
        ("a/", "d.txt"),
        ("a/*\n!a/c.map", "a/c.map d.txt"),
        ("a\n!a/c.map", "d.txt"),
        ("*.txt\n!a", "a/c.map"),
        ("*\n!*/\n!*.map", "a/c.map"),
        ("*\n!/a/**", ""),
        ("\ufeff*.txt", "a/c.map"),
        ("[a-c].txt", "a/c.map d.txt"),
        ("\\!x\n**/c.map", "a/b.txt d.txt"),
    ],
)
def test_assetsignore_patterns_work_as_in_wrangler(tmp_path: Path, rules: str, left: str) -> None:
    for name in ("a/b.txt", "a/c.map", "d.txt"):
        write(tmp_path, name, "x")
    write(tmp_path, ".assetsignore", rules)
    if left:
        assert names(tmp_path) == left.split()
    else:
        with pytest.raises(ArtifactError, match="is empty"):
            names(tmp_path)


def test_a_file_below_an_ignored_folder_stays_ignored() -> None:
    rules = Ignore("vendor/\n!vendor/keep/x.js\n")
    assert rules.decided("vendor/keep/x.js", False) is True
    assert rules.decided("other/x.js", False) is None
    assert Ignore("*.js\n!x.js").decided("deep/x.js", False) is False


def test_an_invalid_line_of_assetsignore_is_named(site: Path) -> None:
    write(site, ".assetsignore", "*.map\n!\n")
    assert refusal(site) == f"{site}/.assetsignore, line 2: '!' is not a pattern. Fix: write it as in .gitignore."
    (site / ".assetsignore").write_bytes(b"*.map\ncaf\xe9\n")
    assert refusal(site) == f"{site}/.assetsignore, line 2: this is not UTF-8. Fix: save it as UTF-8."


def test_rule_files_are_read_even_when_assetsignore_matches_them(site: Path) -> None:
    write(site, ".assetsignore", "_*\n")
    write(site, "_headers", "/*\n  X-A: b\n")
    assert stage(site).headers == "/*\n  X-A: b\n"


# --- what must not be public, and what cannot be served


@pytest.mark.parametrize("name", [".env", ".env.production", "sub/.ENV", ".dev.vars", ".git/config", "_worker.js"])
def test_files_that_look_private_must_be_named_in_assetsignore(site: Path, name: str) -> None:
    write(site, name, "secret")
    last = {".git/config": ".git"}.get(name, name.rpartition("/")[2])
    assert f"would be public. Fix: add `{last}` to the site's .assetsignore to leave it out" in refusal(site)
    write(site, ".assetsignore", f"{last}\n")
    assert names(site) == ["assets/app.js", "index.html"]
    write(site, ".assetsignore", f"!{last}\n")
    assert name in names(site)


def test_example_settings_are_served(site: Path) -> None:
    write(site, ".env.example", "NAME=value")
    assert ".env.example" in names(site)


@pytest.mark.parametrize(
    "name", ["assets/node_modules/x/font.ttf", "pb_data", "__pycache__/a.txt", "node_modules/a.js"]
)
def test_folders_that_images_ignore_are_served_by_sites(site: Path, name: str) -> None:
    write(site, name, "x")
    stage(site)
    assert (site.parent / "stage" / name).read_text() == "x"


def test_ds_store_files_are_left_out_and_reported(site: Path) -> None:
    write(site, "assets/.DS_Store", "x")
    staged = stage(site)
    assert staged.left_out == ("assets/.DS_Store",)
    assert not (site.parent / "stage/assets/.DS_Store").exists()
    write(site, ".assetsignore", ".DS_Store\n")
    assert stage(site).left_out == ()


@pytest.mark.parametrize("name", ["lone%20copy.txt", "50%25.txt", "x%2Fy.txt", "100%.txt", "a%b/c.txt"])
def test_a_percent_sign_in_a_file_name_is_refused(site: Path, name: str) -> None:
    write(site, "lone copy.txt", "x")
    assert names(site)
    write(site, name, "x")
    path = site / name.partition("/")[0]
    assert refusal(site).startswith(f"{path} has a % in its name, which Cloudflare reads as an escape")


def test_a_control_character_in_a_file_name_is_refused(site: Path) -> None:
    write(site, "a\nb.txt", "x")
    assert refusal(site).startswith(rf"{site}/a\nb.txt has a control character in its name")


# --- rules


@pytest.mark.parametrize(
    "name, content, sentence",
    [
        ("_redirects", b"# all\n/* /index.html 200\n", "line 2: this rule is an infinite loop"),
        ("_headers", b"/*\n  X-A: caf\xe9\n", "line 2: this is not UTF-8"),
        ("_redirects", b"/caf\xe9 /\n", "line 1: this is not UTF-8"),
        ("_headers", b"".join(b"/%d\n  X: y\n" % number for number in range(101)), "line 201: this is one rule more"),
        (
            "_redirects",
            b"/a /b 404\n/b\n",
            "so Cloudflare refuses it (1 more line with a problem). Fix: correct the line, then run",
        ),
    ],
)
def test_a_rule_that_cloudflare_refuses_is_named(site: Path, name: str, content: bytes, sentence: str) -> None:
    (site / name).write_bytes(content)
    told = refusal(site)
    assert told.startswith(f"{site / name}, line ")
    assert sentence in told
    assert told.endswith(", then run `oracle build --stack prod`.")


def test_a_packed_site_is_staged_without_checking_its_rules(site: Path, tmp_path: Path) -> None:
    """The bytes of a receipt were accepted by the rules of their time."""
    write(site, "_redirects", "/* /index.html 200\n")
    write(site, "data.txt", "x")
    packed = tmp_path / "packed"
    packed.write_bytes(pack_assets(site))
    staged = stage_packed_assets(packed, tmp_path / "stage", tmp_path)
    assert (staged.digest, staged.redirects) == (assets_digest(site), "/* /index.html 200\n")
    assert (tmp_path / "stage/data.txt").read_text() == "x"
    assert "/data.txt\n" in (staged.sent_headers or "")


# --- content types


def rules(files: dict[str, str], own: str | None = None) -> dict[str, list[str]]:
    """The rules that are sent, by path; all of them are as Cloudflare takes them."""
    text = with_content_types(files, own) or ""
    assert header_problems(text) == []
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith(("/", "https:")):
            assert line not in found
            found[line] = []
        elif line.strip() and not line.startswith("#"):
            found[list(found)[-1]].append(line.strip())
    return found


def test_each_file_has_the_content_type_of_its_suffix() -> None:
    files = {"a.json": "same", "a.txt": "same", "sub/a b.woff2": "1", "odd.xyz": "2", "LICENSE": "3", "index.html": "4"}
    assert rules(files) == {
        "/a.json": ["! Content-Type", "Content-Type: application/json"],
        "/a.txt": ["! Content-Type", "Content-Type: text/plain; charset=utf-8"],
        "/sub/a%20b.woff2": ["! Content-Type", "Content-Type: font/woff2"],
        "/odd.xyz": ["! Content-Type"],
        "/LICENSE": ["! Content-Type"],
    }


def test_a_site_with_only_pages_needs_no_content_type_rules() -> None:
    assert with_content_types({"index.html": "1", "about/index.html": "2"}, None) is None
    assert with_content_types({"index.html": "1"}, "/*\n  X: y\n") == "/*\n  X: y\n"


def test_the_sites_own_content_types_take_precedence() -> None:
    own = "/a.json\n  Content-Type: text/x\n/*.txt\n  Content-Type: text/y\n/b.js\n  X: y\n/c.js\n  ! Content-Type\n"
    found = rules({"a.json": "1", "b.txt": "2", "b.js": "3", "c.js": "4"}, own)
    assert found == {
        "/b.txt": ["! Content-Type", "Content-Type: text/plain; charset=utf-8"],
        "/a.json": ["! Content-Type", "Content-Type: text/x"],
        "/*.txt": ["! Content-Type", "Content-Type: text/y"],
        "/b.js": ["! Content-Type", "Content-Type: text/javascript; charset=utf-8", "X: y"],
        "/c.js": ["! Content-Type"],
    }


def test_with_too_many_files_only_the_necessary_rules_are_sent() -> None:
    known = {f"assets/{number}.js": str(number) for number in range(200)}
    assert list(rules({**known, "favicon.ico": "i"})) == ["/favicon.ico"]
    assert set(rules({**known, "copy.json": "7"})) == {"/copy.json", "/assets/7.js"}


def test_with_too_many_necessary_rules_files_of_one_suffix_share_a_rule() -> None:
    fonts = {f"fonts/{number}.woff2": str(number) for number in range(150)}
    assert rules({**fonts, "robots.txt": "r"}) == {
        "/fonts/*.woff2": ["! Content-Type", "Content-Type: font/woff2"],
        "/robots.txt": ["! Content-Type", "Content-Type: text/plain; charset=utf-8"],
    }
    posts = {f"post-{number}/notes.txt": str(number) for number in range(150)}
    assert list(rules(posts)) == ["/*.txt"]
    own = "".join(f"/{number}\n  X: y\n" for number in range(HEADER_RULES))
    with pytest.raises(ArtifactError, match=r"its _headers leaves room for 0 rules of content types"):
        with_content_types(posts, own)


def test_never_more_rules_are_sent_than_cloudflare_accepts() -> None:
    own = "".join(f"/{number}\n  X: y\n" for number in range(60))
    files = {f"{number}.txt": str(number) for number in range(41)}
    assert len(header_rules(with_content_types(files, own) or "")) <= HEADER_RULES


def test_a_page_with_the_same_bytes_as_another_file_is_refused(site: Path) -> None:
    write(site, "copy.txt", "<title>site</title>")
    assert refusal(site).startswith("index.html and copy.txt have the same bytes")
