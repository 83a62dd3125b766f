"""The report: what it holds, and what readers see of it in a real browser."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from jsdiv_numba.drift import compare
from tests import browser
from tests.test_site import RULES

RNG = np.random.default_rng(0)
NASTY = '<script>alert("x")</script> & a very long name of a column'
VOID = {"meta", "wbr"}


def table(n, shift):
    return {
        "age": RNG.normal(40 + shift, 10, n),
        "amount": np.where(RNG.random(n) < 0.4 + shift / 20, 0.0, RNG.exponential(3, n)),
        "city": RNG.choice(["Oslo", "Rome", *[f"Town {k}" for k in range(4 * shift)]], n),
        "day": np.datetime64("2024-01-01") + RNG.integers(0, 90, n),
        "gone" if not shift else "new": np.ones(n),
        "missing": np.where(RNG.random(n) < 0.1 + shift / 20, np.nan, RNG.normal(size=n)),
        "nothing": [None] * n,
        NASTY: RNG.normal(shift, 1, n),
        "<b>": [f"<i>{k}</i>" for k in RNG.integers(0, 2 + shift, n)],
        "same": RNG.normal(size=n),
    }


@pytest.fixture(scope="module")
def pages():
    before, after = table(3000, 0), table(2000, 5)
    result, series = compare(before, after), compare(before, after, by="month(day)")
    none = compare({"x": [1.0, 2.0]}, {"x": [1.0, 2.0]})
    return {"one": result.to_html(), "by": series.to_html(), "none": none.to_html()}


class Nesting(HTMLParser):
    """Follows which elements are open, and which there are."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.attributes = [], set(), []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", ["one", "by", "none"])
def test_a_page_needs_nothing_else_and_no_script(pages, name):
    page = Nesting()
    page.feed(pages[name])
    assert page.open == []
    assert page.seen.isdisjoint({"script", "link", "img", "iframe", "i"})
    for attribute, value in page.attributes:
        assert not attribute.startswith("on")
        if attribute in {"href", "src"}:
            assert value.startswith("#")
    assert "url(" not in pages[name]
    assert "@import" not in pages[name]


def test_every_link_leads_to_a_column(pages):
    for page in pages.values():
        assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))


def test_the_summary_says_how_many_of_how_many(pages):
    assert "6</span> of 11 columns drifted" in pages["one"]
    assert "None</span> of 1 column drifted" in pages["none"]
    assert "3 of 3</span> groups drifted" in pages["by"]


def test_a_hundred_columns_take_less_than_a_megabyte():
    shifted = {f"column {k}": RNG.normal(k % 2, 1, 3000) for k in range(100)}
    result = compare({name: RNG.normal(0.5, 1, 3000) for name in shifted}, shifted)
    assert len(result.drifted) == 100
    assert len(result.to_html().encode()) < 1e6


@pytest.fixture(scope="module")
def window():
    with browser.started() as found:
        yield found


@pytest.fixture(scope="module")
def address(pages, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    with browser.served(folder) as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 800, 1440])
@pytest.mark.parametrize("name", ["one", "by", "none"])
def test_everybody_can_read_a_report(window, address, name, width, scheme):
    """By the rules of WCAG 2.1, levels A and AA, with scripts off but those of the rules."""
    from axe_playwright_python.sync_playwright import Axe

    viewport = {"width": width, "height": 900}
    with window.new_context(viewport=viewport, color_scheme=scheme) as context:
        page = context.new_page()
        complaints = []
        page.on("console", lambda said: said.type == "error" and complaints.append(said.text))
        page.goto(f"{address}{name}.html")
        assert [text for text in complaints if "favicon" not in text and "404" not in text] == []
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert [rule["id"] for rule in Axe().run(page, options=RULES).response["violations"]] == []


def test_a_report_is_read_by_keyboard(window, address):
    with window.new_context() as context:
        page = context.new_page()
        page.goto(f"{address}one.html")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the table"
        page.keyboard.press("Tab")
        first = page.evaluate("document.activeElement.getAttribute('href')")
        page.keyboard.press("Enter")
        assert page.url.endswith(first)
        top = f"document.querySelector('{first}').getBoundingClientRect().top"
        page.wait_for_function(f"{top} >= 0 && {top} < innerHeight")


def test_a_report_prints_whole(window, address):
    with window.new_context() as context:
        page = context.new_page()
        page.goto(f"{address}one.html")
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflowX") == (
            "visible"
        )
        assert page.pdf().startswith(b"%PDF")


def test_names_of_any_kind_have_a_place():
    names = {"": ["", "b"] * 50, "\u202eright to left": ["a"] * 100}
    changed = {"": ["", "c"] * 50, "\u202eright to left": ["b"] * 100}
    page = compare(names, changed, level=0.001).to_html()
    assert page.count("<i>(no name)</i>") == 3
    assert page.count("<i>(empty)</i>") == 1
    assert page.count("<bdi>\u202eright to left</bdi>") == 3
    assert "flagged, 0.1% is expected" in page


def test_many_categories_together_have_no_bar():
    before = [f"k{k}" for k in range(100)] * 20 + ["a"] * 900
    after = [f"k{k}" for k in range(100)] * 20 + ["b"] * 900
    (row,) = re.findall(
        r"<tr><th[^>]*><bdi>100 others</bdi>.*?</tr>",
        compare({"c": before}, {"c": after}).to_html(),
    )
    assert '<td class="bars"></td>' in row
