"""A real browser that looks at pages: Chromium, where it and Playwright are installed."""

import functools
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = "chromium", "chromium-browser", "google-chrome"
"""What systems call it."""

MODULES = "https://cdn.jsdelivr.net/npm/"
"""Where pages load MathJax from; a test answers for it, with what npm has."""


def chromium() -> str:
    """Return the browser's path; skip the test where there is none."""
    pytest.importorskip("playwright", reason="Playwright is not installed (extra: browser)")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("Chromium is not installed")
    return found


@contextmanager
def started() -> Iterator[Any]:
    """Start a browser without a window."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder; yield its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def installed_by_npm(folder: Path, package: str) -> Path | None:
    """Return the folder of modules with a package in it, if there is npm to get it."""
    if shutil.which("npm") is None:
        return None
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", package]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "node_modules"


def answer_for_modules(page: Any, modules: Path | None) -> None:
    """Have a page's requests for modules answered from a folder; without one, by nothing."""

    def answer(route: Any) -> None:
        name = route.request.url.removeprefix(MODULES)
        scope, _, rest = name.rpartition("@")
        path = None if modules is None else modules / scope / rest.partition("/")[2]
        if path is not None and path.is_file():
            route.fulfill(path=path)
        else:
            route.fulfill(body="", content_type="text/javascript")

    page.route(f"{MODULES}**", answer)
