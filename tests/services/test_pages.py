"""Both sites in a real browser, in front of the real API Worker and PocketBase."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import workers
from tests.support.backend import ADMIN, Backend
from tests.support.browser import SIZES, Scheme, Visit, expect, visit
from tests.support.http import ask
from tests.support.workers import PROJECT, Worker
from toolchain.tools import Tools

if TYPE_CHECKING:  # importing it takes a while, in every process that collects the tests
    from playwright.sync_api import Browser, Page, Route

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SITES = ("web", "universe")


@pytest.fixture(scope="module")
def urls(tools: Tools, backend: Backend) -> Iterator[dict[str, str]]:
    bound = {"POCKETBASE_URL": backend.url, "PB_ADMIN_EMAIL": ADMIN[0], "PB_ADMIN_PASSWORD": ADMIN[1], "RELEASE": "w1"}
    with workers.running(tools, [Worker(name="api", module=workers.API, bindings=bound)]) as api:
        sites = [site(name, api["api"]) for name in SITES]
        relative = site("web", api["api"], "relative")
        with workers.running(tools, [*sites, relative]) as running:
            yield {**api, **running}


def site(folder: str, api: str, name: str = "") -> Worker:
    assets = PROJECT / "services" / folder / "public"
    return workers.static(name or folder, assets, API_URL=api, RELEASE="s1")


@pytest.fixture(scope="module")
def story(urls: dict[str, str]) -> dict[str, str]:
    """What was said before anybody looks: by Mira, through her oracle Pythia. Gives the ids."""

    def post(path: str, token: str = "", **body: str) -> Any:
        return ask("POST", urls["api"] + path, token=token, json=body).raise_for_status().json()

    token = post("/api/register", name="Mira", email="mira@oracle.test", password="mira-password")["token"]
    oracle = post("/api/oracles", token, name="Pythia", description="Of Delphi.")["id"]
    post("/api/oracles", token, name="Dodona")
    said = post("/api/posts", token, title="Rain by evening", body="Tell the ferryman.\n\nTwice.", oracle=oracle)["id"]
    post(f"/api/posts/{said}/comments", token, body="He was told.")
    markup = "<img src=x onerror=\"document.title='taken'\"><b>bold</b>"
    hostile = post("/api/posts", token, title=markup, body=markup)["id"]
    return {"oracle": oracle, "post": said, "hostile": hostile}


@pytest.fixture
def window(browser: Browser) -> Iterator[Visit]:
    """A page on a desktop. A test that leaves a console error, a blocked request or an exception behind fails."""
    with visit(browser) as seen:
        yield seen
    assert seen.problems == []


def settled(page: Page, url: str) -> None:
    """The page, when it shows data and the backend's state."""
    page.goto(url)
    expect(page.locator("[aria-busy], .bone")).to_have_count(0)
    expect(page.locator("#state .dot")).to_be_visible()


class TestWeb:
    def test_a_new_post_is_on_both_sites_and_in_the_backend(
        self, urls: dict[str, str], story: dict[str, str], window: Visit, backend: Backend
    ) -> None:
        page = window.page
        settled(page, urls["web"])
        page.get_by_role("button", name="I am new here").click()
        page.get_by_label("Name").fill("Teo")
        page.get_by_label("E-mail").fill("teo@oracle.test")
        page.get_by_label("Password").fill("teo-password")
        page.get_by_role("button", name="Register").click()
        expect(page.get_by_text("Log out")).to_be_visible()

        page.get_by_label("Title").fill("From a browser")
        page.get_by_label("Text").fill("Typed, not sent by a program.")
        page.get_by_role("button", name="Post", exact=True).click()
        expect(page.get_by_role("heading", name="From a browser")).to_be_visible()
        id = page.url.rsplit("/", 1)[1]
        assert page.url == f"{urls['web']}/posts/{id}"
        assert ask("GET", f"{backend.url}/api/collections/posts/records/{id}").json()["title"] == "From a browser"

        page.get_by_role("link", name="All posts").click()
        expect(page.locator(".card h2").first).to_have_text("From a browser")
        settled(page, urls["universe"])
        expect(page.locator(".posts li").first).to_contain_text("From a browser")

    def test_an_oracle_can_be_created_and_posted_through(
        self, urls: dict[str, str], story: dict[str, str], window: Visit
    ) -> None:
        page = window.page
        log_in(page, urls["web"])
        page.get_by_text("Name an oracle of yours").click()
        page.get_by_label("Its name").fill("Claros")
        page.get_by_role("button", name="Name it").click()
        expect(page.get_by_label("Speak as")).to_be_visible()
        page.get_by_label("Speak as").select_option("Claros")
        page.get_by_label("Title").fill("Heard in Claros")
        page.get_by_label("Text").fill(".")
        page.get_by_role("button", name="Post", exact=True).click()
        expect(page.get_by_text("kept by Mira")).to_be_visible()
        settled(page, urls["universe"])
        expect(page.locator(".star.online", has_text="Claros")).to_be_visible()

    def test_a_comment_can_be_written(self, urls: dict[str, str], story: dict[str, str], window: Visit) -> None:
        page = window.page
        log_in(page, urls["web"])
        settled(page, f"{urls['web']}/posts/{story['post']}")
        page.get_by_label("Your comment").fill("Thrice, even.")
        page.get_by_role("button", name="Comment").click()
        expect(page.get_by_role("heading", name="2 comments")).to_be_visible()
        expect(page.get_by_text("Thrice, even.")).to_be_visible()

    def test_a_wrong_password_is_shown_in_the_form(self, urls: dict[str, str], browser: Browser) -> None:
        with visit(browser) as seen:
            settled(seen.page, f"{urls['web']}/login")
            seen.page.get_by_label("E-mail").fill("nobody@oracle.test")
            seen.page.get_by_label("Password").fill("some-password")
            seen.page.get_by_role("button", name="Log in").click()
            expect(seen.page.get_by_role("alert")).to_have_text("This e-mail and password do not fit together.")
            expect(seen.page.get_by_role("button", name="Log in")).to_be_enabled()

    def test_a_login_survives_a_reload_until_the_logout(
        self, urls: dict[str, str], story: dict[str, str], window: Visit
    ) -> None:
        page = window.page
        log_in(page, urls["web"])
        settled(page, urls["web"])
        page.get_by_role("button", name="Log out").click()
        settled(page, urls["web"])
        expect(page.get_by_role("link", name="Log in")).to_be_visible()

    def test_the_site_works_with_a_relative_api_address(
        self, urls: dict[str, str], story: dict[str, str], window: Visit
    ) -> None:
        page = window.page
        page.route("**/config.json", lambda route: route.fulfill(json={"apiUrl": "/_api", "release": ""}))
        settled(page, urls["relative"])
        expect(page.get_by_role("link", name="Rain by evening")).to_be_visible()

    def test_older_posts_are_loaded_by_a_button(
        self, urls: dict[str, str], story: dict[str, str], window: Visit
    ) -> None:
        who = {"email": "mira@oracle.test", "password": "mira-password"}
        token = ask("POST", urls["api"] + "/api/login", json=who).json()["token"]
        for number in range(22):
            ask("POST", urls["api"] + "/api/posts", token=token, json={"title": f"Post {number}", "body": "."})
        settled(window.page, urls["web"])
        expect(window.page.locator(".feed .card")).to_have_count(20)
        window.page.get_by_role("button", name="Older posts").click()
        expect(window.page.get_by_role("link", name="Rain by evening")).to_be_visible()


class TestUniverse:
    def test_stars_link_to_their_oracles(self, urls: dict[str, str], story: dict[str, str], window: Visit) -> None:
        page = window.page
        settled(page, urls["universe"])
        page.get_by_role("link", name="Pythia, online, 1 post").click()
        assert page.url == f"{urls['universe']}/oracles/{story['oracle']}"
        expect(page.get_by_role("heading", name="Pythia")).to_be_visible()
        expect(page.locator(".star.selected")).to_have_count(1)
        page.locator("#panel").get_by_role("link", name="Rain by evening").click()
        expect(page.get_by_text("He was told.")).to_be_visible()
        page.go_back()
        page.go_back()
        expect(page.get_by_role("heading", name="The universe now")).to_be_visible()

    def test_a_quiet_oracle_is_labelled_quiet(self, urls: dict[str, str], story: dict[str, str], window: Visit) -> None:
        settled(window.page, urls["universe"])
        expect(window.page.get_by_role("link", name="Dodona, quiet, 0 posts")).to_be_visible()

    def test_stars_do_not_overlap(self, urls: dict[str, str], story: dict[str, str], browser: Browser) -> None:
        for size in SIZES:
            with visit(browser, size) as seen:
                settled(seen.page, urls["universe"])
                names = [box for name in seen.page.locator(".star text").all() if (box := name.bounding_box())]
                sky = seen.page.locator("#sky").bounding_box()
                assert sky is not None
                for index, a in enumerate(names):
                    assert sky["x"] <= a["x"]
                    assert a["x"] + a["width"] <= sky["x"] + sky["width"]
                    assert not [
                        b
                        for b in names[index + 1 :]
                        if abs(a["y"] - b["y"]) < a["height"] and abs(a["x"] - b["x"]) < 20
                    ]


class TestBoth:
    @pytest.mark.parametrize("name", SITES)
    def test_the_page_shows_the_versions_of_backend_api_and_site(
        self, urls: dict[str, str], story: dict[str, str], window: Visit, name: str
    ) -> None:
        settled(window.page, urls[name])
        expect(window.page.locator("#state")).to_contain_text("Backend r1, generation 3")
        expect(window.page.locator("#state")).to_contain_text("API w1")
        expect(window.page.locator("#release")).to_have_text("Site s1")

    @pytest.mark.parametrize("name", SITES)
    def test_the_address_of_a_post_can_be_opened_directly(
        self, urls: dict[str, str], story: dict[str, str], window: Visit, name: str
    ) -> None:
        settled(window.page, f"{urls[name]}/posts/{story['post']}")
        expect(window.page.get_by_role("heading", name="Rain by evening")).to_be_visible()
        assert window.page.title().startswith("Rain by evening")
        expect(window.page.get_by_text("Tell the ferryman.")).to_be_visible()

    @pytest.mark.parametrize("name", SITES)
    def test_navigation_does_not_reload_the_page(
        self, urls: dict[str, str], story: dict[str, str], window: Visit, name: str
    ) -> None:
        page = window.page
        settled(page, urls[name])
        page.evaluate("window.kept = true")
        page.get_by_role("link", name="About").click()
        expect(page.get_by_role("heading", name="About")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("heading", name="About")).to_be_hidden()
        assert page.evaluate("window.kept") is True

    @pytest.mark.parametrize("name", SITES)
    def test_an_unknown_address_shows_an_error(self, urls: dict[str, str], window: Visit, name: str) -> None:
        settled(window.page, f"{urls[name]}/no/such/page")
        expect(window.page.get_by_role("heading", name="Nothing here")).to_be_visible()

    @pytest.mark.parametrize("name", SITES)
    def test_a_missing_post_shows_an_error(self, urls: dict[str, str], browser: Browser, name: str) -> None:
        with visit(browser) as seen:
            settled(seen.page, f"{urls[name]}/posts/aaaaaaaaaaaaaaa")
            expect(seen.page.get_by_role("alert")).to_contain_text("There is nothing at this address.")

    @pytest.mark.parametrize("name", SITES)
    def test_user_content_is_never_interpreted_as_markup(
        self, urls: dict[str, str], story: dict[str, str], window: Visit, name: str
    ) -> None:
        settled(window.page, f"{urls[name]}/posts/{story['hostile']}")
        expect(window.page.get_by_text("<b>bold</b>")).to_have_count(2)
        assert window.page.title() != "taken"

    @pytest.mark.parametrize("name", SITES)
    def test_a_site_without_configuration_shows_an_error(self, urls: dict[str, str], window: Visit, name: str) -> None:
        window.page.route("**/config.json", lambda route: route.fulfill(json={"apiUrl": "", "release": ""}))
        window.page.goto(urls[name])
        expect(window.page.get_by_role("alert")).to_contain_text("not told where its API is")

    @pytest.mark.parametrize(
        "name, sentence", [("web", "Nothing has been said yet."), ("universe", "No oracle has a name")]
    )
    def test_an_empty_network_shows_placeholders_and_then_a_sentence(
        self, urls: dict[str, str], window: Visit, name: str, sentence: str
    ) -> None:
        page = window.page
        held: list[Route] = []  # the name is imported for the type checker only
        page.route("**/api/posts?*", lambda route: held.append(route))
        nothing = {"items": [], "page": 1, "perPage": 20, "totalItems": 0, "totalPages": 0}
        page.route("**/api/oracles?*", lambda route: answer(route, nothing))
        page.goto(urls[name])
        expect(page.locator(".bone").first).to_be_visible()
        while not held:
            page.wait_for_timeout(10)  # playwright delivers events while it waits
        answer(held[0], nothing)
        expect(page.get_by_text(sentence)).to_be_visible()
        expect(page.locator(".bone")).to_have_count(0)

    @pytest.mark.parametrize("name", SITES)
    def test_an_unavailable_backend_is_shown_and_can_be_retried(
        self, urls: dict[str, str], story: dict[str, str], browser: Browser, backend: Backend, name: str
    ) -> None:
        with visit(browser) as seen:
            backend.stop()
            try:
                settled(seen.page, urls[name])
                expect(seen.page.locator("#state")).to_contain_text("The backend is away")
                expect(seen.page.get_by_role("alert")).to_contain_text("The backend does not answer.")
                seen.screenshot(f"{name}-away")
            finally:
                backend.start()
            seen.page.get_by_role("button", name="Try again").click()
            expect(seen.page.get_by_role("alert")).to_have_count(0)
            expect(seen.page.locator(".card h2, .posts li").first).to_be_visible()


class TestLooks:
    @pytest.mark.parametrize(
        "size, scheme",
        [
            ("desktop", "light"),
            ("phone", "dark"),
            pytest.param("desktop", "dark", marks=pytest.mark.slow),
            pytest.param("phone", "light", marks=pytest.mark.slow),
        ],
    )
    @pytest.mark.parametrize("name", SITES)
    def test_the_page_fits_its_window_and_has_enough_contrast(
        self, urls: dict[str, str], story: dict[str, str], browser: Browser, name: str, size: str, scheme: Scheme
    ) -> None:
        for path in ("/", f"/posts/{story['post']}"):
            with visit(browser, size, scheme) as seen:
                settled(seen.page, urls[name] + path)
                seen.screenshot(f"{name}{'-post' if path != '/' else ''}-{size}-{scheme}")
                wide = seen.page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0
                assert faint(seen.page) == []
                assert seen.problems == []

    def test_every_field_has_a_label(self, urls: dict[str, str], story: dict[str, str], window: Visit) -> None:
        log_in(window.page, urls["web"])
        fields = window.page.locator("input, textarea, select")
        assert fields.count() >= 5
        assert fields.evaluate_all("all => all.filter((field) => !field.labels.length).length") == 0


def answer(route: Route, body: object) -> None:
    """What the API would say, in its place."""
    route.fulfill(json=body, headers={"access-control-allow-origin": "*"})


def log_in(page: Page, web: str) -> None:
    settled(page, f"{web}/login")
    page.get_by_label("E-mail").fill("mira@oracle.test")
    page.get_by_label("Password").fill("mira-password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def faint(page: Page) -> list[str]:
    """Texts whose contrast with what is behind them is below 4.5 (WCAG AA), as far as backgrounds are plain colours."""
    found: list[str] = page.evaluate(
        """() => {
          const channels = (color) => color.match(/[\\d.]+/g).map(Number);
          const light = (color) => {
            const [r, g, b] = channels(color).slice(0, 3).map((v) => v / 255)
              .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const behind = (element) => {
            for (let e = element; e; e = e.parentElement) {
              const { backgroundColor: color } = getComputedStyle(e);
              if ((channels(color)[3] ?? 1) === 1) return color;
            }
            return "rgb(255, 255, 255)";
          };
          const texts = [...document.querySelectorAll("main *, header *, footer *")]
            .filter((e) => !e.closest("svg, noscript"))
            .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
          return texts.filter((e) => {
            const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
            return (a + 0.05) / (b + 0.05) < 4.5;
          }).map((e) => `${e.tagName} ${e.className}: ${e.textContent.slice(0, 40)}`);
        }"""
    )
    return found
