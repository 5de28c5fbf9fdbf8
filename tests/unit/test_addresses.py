"""The search for the backend's addresses in text, with their places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from artifacts.addresses import BackendAddresses, Occurrence, origin, places
from lifecycle.naming import app_name
from localcloud.digitalocean.models import new_app
from settings import AssetsSettings, ModuleSettings

HOST = "jellyfish-app-xml6o.ondigitalocean.app"
ADDRESSES = BackendAddresses.of("jellyfish-app")


def found(text: str | bytes, addresses: BackendAddresses = ADDRESSES) -> list[tuple[int, int, str]]:
    content = text if isinstance(text, bytes) else text.encode()
    return [(each.line, each.column, each.hostname) for each in addresses.find(content, "file")]


@pytest.mark.parametrize(
    "before, after",
    [
        ("", ""),
        ("const PB_URL = 'https://", "';"),
        ('{"url":"https:\\/\\/', '\\/api"}'),
        ('{"url":"https:\\u002F\\u002f', '\\u002Fapi"}'),
        ("`https:\\x2f\\x2F", "`"),
        ("/go?to=https%3A%2F%2F", "%2Fapi"),
        ("/go?to=https%253A%252F%252F", "%252Fapi"),
        ('{"sourcesContent":["first line\\n', '\\nlast line"]}'),
        ("https://", ":8443/api"),
        ("https://user:word@", "/"),
        ("connect-src https://", "; "),
        ("<a href=https://", ">dashboard</a>"),
        ("See ", ". Then go on."),
        ("&#x2F;&#x2F;", "&quot;"),
    ],
)
def test_the_host_name_alone_is_found_in_any_context(before: str, after: str) -> None:
    assert found(before + HOST + after) == [(1, len(before) + 1, HOST)]


@pytest.mark.parametrize("generation, revision", [(1, 1), (2, 1), (12, 3), (999, 999)])
def test_the_address_of_every_app_name_of_the_program_is_found(generation: int, revision: int) -> None:
    name = app_name("jellyfish-app", generation, revision)
    host = f"{name}-a1b2c.ondigitalocean.app"
    assert found(f"https://{host}/") == [(1, 9, host)]
    local = new_app("id", {"name": name}, "project").host
    assert found(f"http://{local}:8401/") == [(1, 8, local)]


@pytest.mark.parametrize("random", ["abcd", "abcde", "ab12cd34"])
def test_a_random_part_of_four_to_eight_characters_is_found(random: str) -> None:
    assert found(f"jellyfish-app-{random}.ondigitalocean.app")


@pytest.mark.parametrize(
    "text",
    [
        "jellyfish-app-abc.ondigitalocean.app",
        "jellyfish-app-ab12cd34e.ondigitalocean.app",
        "jellyfish-app.ondigitalocean.app",
        "my-jellyfish-app-xml6o.ondigitalocean.app",
        "xjellyfish-app-xml6o.ondigitalocean.app",
        "jellyfish-app-staging-xml6o.ondigitalocean.app",
        "jellyfish-app-g2-r3-r4-xml6o.ondigitalocean.app",
        "urchin-app-csg5x.ondigitalocean.app",
        "jellyfish-app-xml6o.ondigitalocean.application",
        "jellyfish-app-xml6o.ondigitalocean.app.example.org",
        "jellyfish-app-xml6oXondigitalocean.app",
        "https://api.oraclenet.org",
    ],
)
def test_other_addresses_are_not_found(text: str) -> None:
    assert found(f"https://{text}/") == []


def test_the_search_ignores_case() -> None:
    assert found("HTTPS://Jellyfish-App-XML6o.OnDigitalOcean.APP") == [(1, 9, HOST)]


def test_an_escaped_address_in_a_regular_expression_is_found() -> None:
    assert found(r"/^https:\/\/jellyfish-app-xml6o\.ondigitalocean\.app$/") == [(1, 13, HOST)]


def test_line_and_column_count_characters_from_one() -> None:
    text = f"first\r\n  // über 🪼 {HOST}\n{HOST}"
    assert found(text) == [(2, 13, HOST), (3, 1, HOST)]


def test_each_address_in_a_one_line_bundle_has_its_own_place() -> None:
    bundle = f'var a="https://{HOST}";{"x=1;" * 50_000}fetch("https://{HOST}/api")'
    assert found(bundle) == [(1, 16, HOST), (1, bundle.rindex(HOST) + 1, HOST)]


def test_binary_files_are_searched() -> None:
    assert found(b"\x00\xff\xfe\n\x80\x00" + HOST.encode() + b"\x00") == [(2, 3, HOST)]


def test_custom_domains_are_found() -> None:
    more = BackendAddresses.of("jellyfish-app", ["https://pb.oraclenet.org:8443/", "data.example.org", None, ""])
    text = "a https://pb.oraclenet.org/_/ b DATA.example.org c xpb.oraclenet.org d pb.oraclenet.org.evil.example"
    assert found(text, more) == [(1, 11, "pb.oraclenet.org"), (1, 33, "data.example.org")]
    assert found(text) == []


def test_an_address_that_is_known_twice_is_found_once() -> None:
    assert found(HOST, BackendAddresses.of("jellyfish-app", [f"https://{HOST}"])) == [(1, 1, HOST)]


def test_addresses_of_other_stacks_are_found_when_their_apps_are_given() -> None:
    own = "jellyfish-app-staging-g2-a1b2c.ondigitalocean.app"
    text = f"a https://{HOST} b {own} c jellyfish-app-ada-xml6o.ondigitalocean.app"
    staging = BackendAddresses.of("jellyfish-app-staging")
    assert [each[2] for each in found(text, staging)] == [own]
    both = BackendAddresses.of("jellyfish-app-staging", app_names=frozenset({"jellyfish-app"}))
    assert [each[2] for each in found(text, both)] == [HOST, own]


@pytest.mark.parametrize("url", ["http://localhost:8090", "http://[::1]:8090", ""])
def test_a_loopback_address_is_never_searched_for(url: str) -> None:
    assert BackendAddresses.of("jellyfish-app", [url]).others == frozenset()


def module(**changes: object) -> ModuleSettings:
    made = {"script": "api", "path": "api", "entry": "dist/index.js", "compatibility_date": "2025-06-01"}
    return ModuleSettings.model_validate({**made, **changes})


def site(**changes: object) -> AssetsSettings:
    made = {"script": "web", "path": "../web", "assets": "dist", "compatibility_date": "2025-06-01"}
    return AssetsSettings.model_validate({**made, **changes})


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_every_file_of_a_site_is_searched(tmp_path: Path) -> None:
    files = ["_headers", "_redirects", "assets/a.js", "assets/a.js.map", "data.json", "index.html", "logo.png", "x.css"]
    for name in files:
        write(tmp_path / "web/dist" / name, f"\n{HOST}")
    write(tmp_path / "web/dist/.assetsignore", HOST)  # this one is not deployed
    (tmp_path / "project").mkdir()
    places = [str(each) for each in ADDRESSES.find_in_checkout(site(), tmp_path / "project")]
    assert places == [f"../web/dist/{name}:2:1" for name in files]


def test_a_module_is_searched_and_a_missing_checkout_is_skipped(tmp_path: Path) -> None:
    assert list(ADDRESSES.find_in_checkout(module(), tmp_path)) == []
    assert list(ADDRESSES.find_in_checkout(site(), tmp_path)) == []
    write(tmp_path / "api/dist/index.js", HOST)
    assert [str(each) for each in ADDRESSES.find_in_checkout(module(), tmp_path)] == ["api/dist/index.js:1:1"]


def test_the_source_files_of_a_bundle_are_found(tmp_path: Path) -> None:
    for name in ("lib/pb.ts", ".env", "dist/index.js", "node_modules/x/y.js", ".git/config", "README.md"):
        write(tmp_path / "api" / name, HOST)
    write(tmp_path / "api/large.ts", HOST + " " * 1024 * 1024)
    built = module(build="make")
    assert [each.file for each in ADDRESSES.find_in_sources(built, tmp_path)] == [".env", "lib/pb.ts"]
    assert list(ADDRESSES.find_in_sources(module(), tmp_path)) == []


def at(number: int, hostname: str = HOST) -> Occurrence:
    return Occurrence(file="a.js", line=number, column=7, hostname=hostname)


def test_the_message_lists_each_host_with_its_first_places() -> None:
    other = "jellyfish-app-g2-aaaaa.ondigitalocean.app"
    assert places([at(1), at(2, other), at(3)]) == f"{HOST} (a.js:1:7, 3:7), {other} (a.js:2:7)"
    assert places([at(number) for number in range(1, 6)]) == f"{HOST} (a.js:1:7, 2:7, 3:7 and 2 more)"
    assert places([at(1), at(2), replace(at(3), file="b.js")]) == f"{HOST} (a.js:1:7, 2:7, b.js:3:7)"
    assert (origin([]), origin([at(9)])) == ("", ", in the sources: a.js:9:7")
