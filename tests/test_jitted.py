"""The measures in code that users compile with Numba: the bits of the ufuncs, anywhere."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from numba import guvectorize, njit, prange, vectorize
from numba.core.errors import TypingError

import jsdiv_numba
from jsdiv_numba import jitted

ROOT = Path(__file__).parents[1]
RNG = np.random.default_rng(0)
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])
LENGTHS = 1, 7, 64, 65, 1500
OF_TWO = "js_divergence", "kl_divergence", "jensenshannon"


def rows(length, dtype):
    """Rows with zeros, equal ones, some that are invalid, subnormal and huge ones."""
    P = RNG.dirichlet(np.full(length, 0.5), 12).astype(dtype)
    P[0], P[1, 0], P[2, -1], P[3] = 0, -1, np.nan, P[4]
    P[5] *= dtype(np.finfo(dtype).tiny)
    P[6] *= dtype(np.finfo(dtype).max) / 4
    P[7, ::2] = 0
    return P


def expected(name, P, Q):
    """What the library answers, with NaN where it would raise."""
    valid = [(np.isfinite(x) & (x >= 0)).all(axis=1) for x in (P, Q)]
    both = valid[0] & valid[1] if name != "entropy" else valid[0]
    answers = np.full(len(P), np.nan, P.dtype)
    if name == "entropy":
        answers[both] = jsdiv_numba.entropy(P[both], keepdims=False)
    elif name == "jensenshannon":
        answers[both] = jsdiv_numba.jensenshannon(P[both], Q[both], axis=-1)
    else:
        answers[both] = getattr(jsdiv_numba, name)(P[both], Q[both], keepdims=False)
    return answers


@DTYPES
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", [*OF_TWO, "entropy"])
def test_bits_are_the_librarys_for_any_strides(name, length, dtype):
    function, P, Q = getattr(jitted, name), rows(length, dtype), rows(length, dtype)[::-1]
    exact = expected(name, P, Q)
    wide = np.zeros((12, 2 * length), dtype)
    wide[:, ::2] = P
    for p, q in ((P, Q), (np.asfortranarray(P), np.asfortranarray(Q)), (wide[:, ::2], Q)):
        given = (p,) if name == "entropy" else (p, q)
        computed = [function(*pair) for pair in zip(*given, strict=True)]
        np.testing.assert_array_equal(computed, exact)
        assert np.array(computed, dtype).dtype == dtype


@DTYPES
def test_terms_have_the_bits_of_the_ufunc(dtype):
    p, q = rows(97, dtype).ravel(), rows(97, dtype)[::-1].ravel()

    @njit
    def terms(p, q):
        found = np.empty_like(p)
        for i in range(p.size):
            found[i] = jitted_js_term(p[i], q[i])
        return found

    with np.errstate(all="ignore"):
        exact = jsdiv_numba.js_term(p, q)
    np.testing.assert_array_equal(terms(p, q), exact)


jitted_js_term, jitted_js_divergence = jitted.js_term, jitted.js_divergence


@DTYPES
def test_in_loops_of_threads_and_in_ufuncs_of_users(dtype):
    P, Q = RNG.dirichlet(np.ones(33), (2, 200)).astype(dtype)
    exact = jsdiv_numba.js_divergence(P, Q, keepdims=False)

    @njit(parallel=True, nogil=True)
    def with_threads(P, Q):
        found = np.empty(P.shape[0], P.dtype)
        for i in prange(P.shape[0]):
            found[i] = jitted_js_divergence(P[i], Q[i])
        return found

    @guvectorize(["(f4[:],f4[:],f4[:])", "(f8[:],f8[:],f8[:])"], "(n),(n)->()")
    def of_rows(p, q, result):
        result[0] = jitted_js_divergence(p, q)

    @vectorize(["f4(f4,f4)", "f8(f8,f8)"])
    def of_elements(p, q):
        return jitted_js_term(p, q)

    np.testing.assert_array_equal(with_threads(P, Q), exact)
    np.testing.assert_array_equal(of_rows(P, Q), exact)
    np.testing.assert_array_equal(of_rows(P, np.asfortranarray(Q)), exact)
    np.testing.assert_array_equal(of_elements(P, Q), jsdiv_numba.js_term(P, Q))


def test_fastmath_of_the_caller_changes_no_bit():
    P, Q = RNG.dirichlet(np.ones(33), (2, 20))

    @njit(fastmath=True)
    def first(P, Q):
        return jitted_js_divergence(P[0], Q[0])

    assert first(P, Q) == jsdiv_numba.js_divergence(P[0], Q[0])[0]


PROGRAM = """
import sys
import numpy as np
from numba import njit
from jsdiv_numba.jitted import jensenshannon, kl_divergence

@njit(cache=True)
def both(P, Q):
    return kl_divergence(P[0], Q[0]) + jensenshannon(P[1], Q[1])

P, Q = np.random.default_rng(0).dirichlet(np.ones(5), (2, 2))
print(repr(float(both(P, Q))), sum(both.stats.cache_hits.values()))
"""


def test_users_own_cache_holds_it(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    run = [sys.executable, str(program)]
    outputs = [
        subprocess.run(run, check=True, capture_output=True, text=True, env=environment).stdout
        for _ in range(2)
    ]
    (first, hits), (second, more_hits) = (output.split() for output in outputs)
    assert (first, hits, more_hits) == (second, "0", "1")


def test_metric_of_pynndescent():
    pynndescent = pytest.importorskip("pynndescent")
    X = RNG.dirichlet(np.ones(16), 300).astype(np.float32)
    index = pynndescent.NNDescent(X, metric=jitted.jensenshannon, n_neighbors=10, random_state=0)
    found, distances = index.neighbor_graph
    exact = jsdiv_numba.cdist(X, X)
    of_found = jsdiv_numba.jensenshannon(X[:, np.newaxis], X[found], axis=-1)
    np.testing.assert_allclose(distances, of_found, rtol=1e-6)
    nearest = np.argsort(exact, axis=1)[:, :10]
    assert np.mean([len(np.intersect1d(*pair)) for pair in zip(found, nearest, strict=True)]) > 9


def test_metric_of_umap():
    X = RNG.dirichlet(np.ones(16), 60)
    umap = pytest.importorskip("umap")
    with pytest.warns(UserWarning, match="n_jobs|gradient"):
        placed = umap.UMAP(metric=jitted.jensenshannon, random_state=0, n_epochs=5).fit_transform(X)
    assert placed.shape == (60, 2)


@pytest.mark.parametrize(
    ("package", "options"), [("sklearn.cluster", {"copy": True}), ("hdbscan", {})]
)
def test_metric_of_hdbscan(package, options):
    X = np.concatenate([RNG.dirichlet(a, 30) for a in ([50, 1, 1], [1, 50, 1])])
    clusterer = pytest.importorskip(package).HDBSCAN(metric=jitted.jensenshannon, **options)
    labels = clusterer.fit(X).labels_
    assert len(set(labels[:30])) == len(set(labels[30:])) == 1
    assert labels[0] != labels[-1]


def test_errors():
    with pytest.raises(ValueError, match="p and q have different lengths"):
        jitted.js_divergence(np.ones(3), np.ones(4))
    for wrong in (np.ones((2, 2)), np.ones(3, int), np.ones(3, np.float32)):
        with pytest.raises(TypingError, match="js_divergence takes 1-d arrays of one dtype"):
            jitted.js_divergence(wrong, np.ones(3))
    with pytest.raises(TypingError, match="js_term takes numbers of one dtype"):
        jitted.js_term(1, 0.5)
    with pytest.raises(AttributeError, match=r"'jsdiv_numba\.jitted' has no attribute 'jsd'"):
        _ = jitted.jsd
    assert set(jitted.__all__) < set(dir(jitted))


@pytest.mark.parametrize("name", ["js_divergence", "kl_divergence", "entropy", "js_term"])
def test_functions_are_part_of_the_loops_that_call_them(name):
    """A call for each would load all constants anew, and keep numbers from lanes."""
    function = getattr(jitted, name)

    @njit
    def of_numbers(P, Q, out):
        for i in range(len(P)):
            out[i] = function(P[i, 0], Q[i, 0])

    @njit
    def of_one(P, Q, out):
        for i in range(len(P)):
            out[i] = function(P[i])

    @njit
    def of_rows(P, Q, out):
        for i in range(len(P)):
            out[i] = function(P[i], Q[i])

    loop = {"js_term": of_numbers, "entropy": of_one}.get(name, of_rows)
    loop(np.ones((2, 3)), np.ones((2, 3)), np.empty(2))
    (code,) = loop.inspect_llvm().values()
    calls = [line for line in code.splitlines() if " call " in line]
    assert not [line for line in calls if "@_ZN11jsdiv_numba8_kernels6jitted" in line]
