"""The page of ``spacy hgn explain`` in a real browser, without a network."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from spacy.language import Language

from spacy_hgn.explain.page import render_page

from .helpers import TEXTS

pytestmark = pytest.mark.slow

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOSTILE = "<script>window.hacked = 1</script> <img src=x onerror='window.hacked = 1'>"
HEBREW = "שלום עולם"


@pytest.fixture(scope="module")
def browser() -> Iterator["sync_api.Browser"]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser is installed: looked for {', '.join(BROWSERS)}")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser
        browser.close()


class Opened:
    """A page in a browser that is offline, and what it did there."""

    def __init__(
        self, browser: "sync_api.Browser", file: Path, scheme: str = "light", width: int = 1280
    ) -> None:
        viewport = {"width": width, "height": 800}
        context = browser.new_context(offline=True, color_scheme=scheme, viewport=viewport)
        self.page = context.new_page()
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(file.as_uri())

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def style(self, selector: str, name: str) -> str:
        """A computed style of the first element."""
        read = "(element, name) => getComputedStyle(element).getPropertyValue(name)"
        return self.page.locator(selector).first.evaluate(read, name)


def write(nlp: Language, text: str, folder: Path) -> Path:
    file = folder / "page.html"
    page = render_page(nlp.get_pipe("hgn_ner").explain(nlp(text)), "What it sees")
    file.write_text(page, encoding="utf8")
    return file


@pytest.fixture(scope="module")
def opened(browser, cnn_nlp, tmp_path_factory) -> Opened:
    """A page that every test may click on."""
    text = f"{TEXTS[0]} {HOSTILE}"
    return Opened(browser, write(cnn_nlp, text, tmp_path_factory.mktemp("page")))


def test_entities_and_boundaries_are_seen(opened):
    for label in ("PERSON", "ORG", "GPE"):
        mark = opened.page.locator(".entity", has_text=label).first
        assert mark.is_visible()
        assert mark.bounding_box()["width"] > 20
    assert opened.page.locator(".boundaries").is_visible()
    assert "Cook" in opened.text(".boundaries tbody tr >> nth=0")


def test_the_text_is_seen_and_none_of_it_runs(opened):
    assert opened.page.locator("#tokens").text_content() == f"{TEXTS[0]} {HOSTILE}"
    assert "<script>" in opened.text(".entities")
    assert opened.page.evaluate("window.hacked") is None
    assert opened.page.locator("img").count() == 0


def test_a_click_keeps_a_tokens_weights_and_tags(opened):
    tokens = opened.page.locator(".token")
    tokens.nth(3).click()
    assert opened.text("#details h3") == "Apple"
    assert opened.page.locator("#details table").count() == 2
    names = opened.page.locator("#details th").all_inner_texts()
    assert names[0] == "B-ORG"
    assert names[-3:] == ["all windows", "window 1", "window 3"]
    numbers = opened.page.locator("#details .number").all_inner_texts()
    assert sum(float(each.strip("< ")) for each in numbers[-2:]) == pytest.approx(1, abs=0.01)
    assert opened.page.locator("#details .bar i").nth(0).bounding_box()["width"] > 20
    tokens.nth(0).hover()
    assert opened.text("#details h3") == "Tim"
    opened.page.locator("h1").hover()
    assert opened.text("#details h3") == "Apple"
    assert tokens.nth(3).get_attribute("aria-pressed") == "true"


def test_arrow_keys_go_from_token_to_token(opened):
    opened.page.locator(".token").nth(0).click()
    opened.page.keyboard.press("ArrowRight")
    assert opened.text("#details h3") == "Cook"
    opened.page.keyboard.press("ArrowLeft")
    assert opened.text("#details h3") == "Tim"


def test_the_heat_map_goes_by_the_weights(opened):
    weights = [float(opened.style(".token", name)) for name in ("--w2", "--w3")]
    assert sum(weights) == pytest.approx(1, abs=0.01)
    heats = []
    for name in ("window 1", "all windows"):
        opened.page.get_by_label(name, exact=True).check()
        heats.append(opened.style(".token", "background-color"))
    assert heats[0] != heats[1]
    opened.page.get_by_label("as rows").check()
    assert opened.style(".token", "background-image").count("linear-gradient") == 2


def test_a_phone_needs_no_scrolling_aside(browser, cnn_nlp, tmp_path):
    phone = Opened(browser, write(cnn_nlp, TEXTS[0], tmp_path), width=360)
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360
    for cell in phone.page.locator(".boundaries td").all():
        box = cell.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360


def test_nothing_is_fetched_and_nothing_goes_wrong(opened):
    assert [url for url in opened.requests if not url.startswith("file://")] == []
    assert len(set(opened.requests)) == 1
    assert opened.errors == []


def test_light_and_dark_are_told_apart(browser, cnn_nlp, tmp_path):
    file = write(cnn_nlp, TEXTS[0], tmp_path)
    light, dark = (Opened(browser, file, scheme) for scheme in ("light", "dark"))
    for name in ("background-color", "color"):
        assert light.style("body", name) != dark.style("body", name)


@pytest.mark.parametrize(("text", "direction"), [(TEXTS[0], "ltr"), (f"{HEBREW} Apple", "rtl")])
def test_the_direction_is_that_of_the_text(text, direction, browser, cnn_nlp, tmp_path):
    opened = Opened(browser, write(cnn_nlp, text, tmp_path))
    assert opened.style("#tokens", "direction") == direction
    assert opened.style(".entities", "direction") == direction
    first, second = (opened.page.locator(".token").nth(i).bounding_box()["x"] for i in (0, 1))
    assert (first < second) == (direction == "ltr")
