"""The documentation as readers see it: every page in a real browser, light and dark."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urldefrag, urljoin

import pytest

from tests import browser

ROOT = Path(__file__).parents[1]
PHONE = {"width": 390, "height": 844}
IMAGE = "image => [image.getAttribute('src'), image.naturalWidth > 0, image.alt]"
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa"]},
    "resultTypes": ["violations"],
}
SOURCES = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.rst")]
PAGES = sorted(
    path.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
    for path in SOURCES
    if "_build" not in path.parts
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the documentation, and serve it."""
    browser.chromium()
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", ROOT / "docs", folder]
    subprocess.run(list(map(str, command)), check=True)
    with browser.served(folder) as address:
        yield address


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    return browser.installed_by_npm(tmp_path_factory.mktemp("modules"), "mathjax@4")


@pytest.fixture(scope="module")
def window():
    with browser.started() as found:
        yield found


class Seen(NamedTuple):
    """What was seen of a page."""

    width: int
    images: list[list[Any]]
    names: set[str]
    links: list[str]
    violations: dict[str, list[tuple[str, str]]]
    complaints: list[str]


@pytest.fixture(scope="module")
def page(window, modules):
    """The page of a browser on a phone."""
    with window.new_context(viewport=PHONE) as context:
        found = context.new_page()
        browser.answer_for_modules(found, modules)
        yield found


@pytest.fixture(scope="module")
def seen(page, site):
    """Look at a page, once for all tests."""
    complaints = []
    page.on("console", lambda said: said.type == "error" and complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))

    @cache
    def look(name):
        complaints.clear()
        page.goto(site + name)
        page.evaluate("window.MathJax?.startup?.promise")
        return Seen(
            page.evaluate("document.scrollingElement.scrollWidth"),
            page.evaluate(f"[...document.images].map({IMAGE})"),
            set(page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")),
            page.evaluate("[...document.links].map(link => link.getAttribute('href'))"),
            {scheme: violations(page, scheme) for scheme in ("light", "dark")},
            list(complaints),
        )

    return look


def violations(page, scheme):
    """Return what axe-core finds, and the first element of each kind."""
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)
    found = Axe().run(page, options=RULES).response["violations"]
    return [(rule["id"], rule["nodes"][0]["html"]) for rule in found]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_errors_and_fits_a_phone(seen, name):
    assert seen(name).complaints == []
    assert seen(name).width <= PHONE["width"]


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_is_there_and_described(seen, name):
    assert [image for image in seen(name).images if not all(image)] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_read_a_page(seen, name, scheme):
    """By the rules of WCAG 2.1, levels A and AA: contrast, names, keyboard."""
    assert seen(name).violations[scheme] == []


def test_every_link_within_the_site_leads_somewhere(seen, page, site):
    linked = {urljoin(site + name, href): name for name in PAGES for href in seen(name).links}
    lost = []
    for address, name in linked.items():
        target, place = urldefrag(address)
        to = target.removeprefix(site)
        if to in PAGES:
            if place and place not in seen(to).names:
                lost.append((name, address))
        elif target.startswith(site) and not page.request.get(target).ok:
            lost.append((name, address))
    assert lost == []


def test_the_search_finds_a_function(page, site):
    page.goto(f"{site}search.html?q=jensenshannon")
    page.wait_for_selector("#search-results li")
    assert "jsdiv_numba.jensenshannon" in page.inner_text("#search-results")
