"""How far a call is, shown or told."""

import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import PermutationMethod

from jsdiv_numba import cdist, kneighbors, pdist
from jsdiv_numba._core.progress import told
from jsdiv_numba.stats import js_test

RNG = np.random.default_rng(0)
ROWS = RNG.dirichlet(np.ones(5), size=400)
LONG = RNG.dirichlet(np.ones(300), size=700)
FILLED = np.where(RNG.random((700, 60)) < 0.2, RNG.random((700, 60)), 0)
SPARSE = csr_array(FILLED)
COUNTS = RNG.multinomial(400, np.full(12, 1 / 12), 6000)
TABLES = np.vstack([RNG.multinomial(9, [0.2, 0.3, 0.5], 900), COUNTS[:100, :3]])

CALLS = {
    "few": (lambda **more: cdist(ROWS[:9], ROWS[:7], **more), 63),
    "few, within": (lambda **more: pdist(ROWS[:9], **more), 36),
    "dense": (lambda **more: cdist(LONG, LONG[:500], **more), 700 * 500),
    "dense, within": (lambda **more: pdist(LONG, **more), 700 * 699 // 2),
    "to another dtype": (
        lambda **more: pdist(LONG, out=np.empty(700 * 699 // 2, ">f8"), **more),
        700 * 699 // 2,
    ),
    "kl": (lambda **more: cdist(LONG[:300], LONG, "kl_divergence", **more), 300 * 700),
    "near": (lambda **more: cdist(LONG, LONG, max_distance=0.4, **more).toarray(), 700**2),
    "zeros": (lambda **more: cdist(FILLED, FILLED, **more), 700**2),
    "zeros, within": (lambda **more: pdist(FILLED, **more), 700 * 699 // 2),
    "sparse": (lambda **more: cdist(SPARSE, SPARSE[:600], **more), 700 * 600),
    "sparse, within": (lambda **more: pdist(SPARSE, **more), 700 * 699 // 2),
    "sparse, near": (
        lambda **more: cdist(SPARSE, SPARSE, max_distance=0.7, **more).toarray(),
        700**2,
    ),
    "tests": (lambda **more: js_test(COUNTS, COUNTS[0], **more).pvalue, 6000),
    "tests by tables": (
        lambda **more: js_test(TABLES[:500], TABLES[500:], **more).pvalue,
        500,
    ),
    "permuted": (
        lambda **more: (
            js_test(
                COUNTS[:40],
                groups=np.arange(40) % 2,
                method=PermutationMethod(n_resamples=90, batch=20, rng=0),
                **more,
            ).pvalue
        ),
        90,
    ),
}
"""What has progress, and of how much."""


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", CALLS)
def test_it_counts_all_and_changes_nothing(kind, workers):
    call, total = CALLS[kind]
    seen = []
    result = call(progress=lambda *told: seen.append(told), workers=workers)
    np.testing.assert_array_equal(result, call(workers=workers))
    assert seen[-1] == (total, total)
    assert {of for _, of in seen} == {total}
    assert all(a < b for (a, _), (b, _) in pairwise(seen))
    assert len(seen) > 1 or kind.startswith("few")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", ["dense", "sparse", "tests", "permuted"])
def test_what_it_raises_stops_the_call(kind, workers):
    seen = []

    def stop(done, total):
        seen.append(done)
        raise KeyboardInterrupt

    call, _ = CALLS[kind]
    with pytest.raises(KeyboardInterrupt):
        call(progress=stop, workers=workers)
    assert len(seen) <= workers


def test_bars_of_several_threads_end_full(capsys):
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: cdist(LONG, LONG, progress=True), range(3)))
    assert all((values == found[0]).all() for values in found)
    assert capsys.readouterr().out.count("100%") >= 1


def test_a_notebook_has_a_bar_of_its_own(monkeypatch, capsys):
    bundles = []

    class Handle:
        def update(self, bundle, raw):
            bundles.append(bundle)

    def display(bundle, raw, display_id):
        bundles.append(bundle)
        return Handle()

    shell = SimpleNamespace(kernel=None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    monkeypatch.setattr("jsdiv_numba._core.progress.PAUSE", float("inf"))
    cdist(LONG, LONG, progress=True)
    first, last = bundles
    assert first["text/html"] == "<label><progress></progress> Pairs</label>"
    assert last["text/plain"] == "Pairs: 490,000 of 490,000"
    assert '<progress value="490000" max="490000">' in last["text/html"]
    monkeypatch.setattr("jsdiv_numba._core.progress.PAUSE", 0)
    cdist(LONG, LONG, progress=True)
    assert len(bundles) > 5
    assert capsys.readouterr() == ("", "")


def test_who_does_not_ask_sees_nothing_and_loads_nothing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    for kind in ("few", "dense", "sparse", "tests"):
        CALLS[kind][0](progress=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("progress", [None, False])
def test_nobody_is_told(progress):
    with told(progress, "Neighbours") as tell:
        assert tell is None


def test_a_function_is_told_itself():
    with told(print, "Neighbours") as tell:
        assert tell is print


@pytest.mark.parametrize("kind", ["few", "tests", "permuted"])
def test_what_cannot_be_told_is_an_error(kind):
    with pytest.raises(TypeError, match="progress is 'yes'; it must be True, or a function of"):
        CALLS[kind][0](progress="yes")


def test_true_shows_a_bar_that_ends_full(capsys):
    kneighbors(ROWS, progress=True)
    shown = capsys.readouterr().out
    assert "Neighbours" in shown
    assert "100%" in shown


def test_an_error_ends_the_bar():
    with pytest.raises(ZeroDivisionError), told(True, "Neighbours"):
        raise ZeroDivisionError
    with told(True, "Neighbours"):  # rich has one live display at a time
        pass


def test_without_rich_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with pytest.raises(ImportError, match="pip install rich, or pass a function"):
        kneighbors(ROWS, progress=True)
