"""First use: compiled once, by any number of threads, and found again by other processes."""

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from jsdiv_numba import js_divergence, js_divergence_logit, js_sum, js_sum_logit, js_term

ROOT = Path(__file__).parents[1]


def run_program(program):
    command = [sys.executable, "-W", "error", "-c", program]
    environment = {**os.environ, "JSDIV_NUMBA_CACHE": "0"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


FIRST_USE = """
import os, threading, warnings
from collections import Counter
import numpy as np
from jsdiv_numba import js_divergence
from jsdiv_numba._kernels import compilation

made, compiled = Counter(), compilation.compiled
def counting(*arguments):
    made.update([arguments])
    return compiled(*arguments)
compilation.compiled = counting

P, Q = np.random.default_rng(0).random((2, 1000, 400))
together, results = threading.Barrier(8), {}
def first_use(name):
    together.wait()
    results[name] = js_divergence(P, Q, workers=1 + name % 3), js_divergence(P, Q, reduce=False)
threads = [threading.Thread(target=first_use, args=(name,)) for name in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()

sums, terms = results[0]
assert len(results) == 8
assert all(np.array_equal(s, sums) and np.array_equal(t, terms) for s, t in results.values())
assert np.allclose(terms.sum(axis=-1, keepdims=True), sums, rtol=1e-13)
assert list(made.values()) == [1, 1], made
"""

FORK = """
warnings.simplefilter("ignore", DeprecationWarning)
child = os.fork()
if not child:
    os._exit(not np.array_equal(js_divergence(P, Q, workers=3), sums))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert np.array_equal(js_divergence(P, Q, workers=3), sums)
"""


def test_eight_threads_compile_once_and_a_forked_child_not_at_all():
    run_program(FIRST_USE + FORK * hasattr(os, "fork"))


PICKLED = [js_divergence, js_divergence_logit, js_term, js_sum, js_sum_logit]


# Pickling by name looks into every module there is, also into those that warn of it.
@pytest.mark.filterwarnings("ignore:.*module is deprecated:DeprecationWarning")
@pytest.mark.parametrize("function", PICKLED, ids=lambda function: function.__name__)
def test_functions_and_ufuncs_are_pickled_by_name(function):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        pickled = pickle.dumps(function, protocol)
        assert len(pickled) < 100
        assert pickle.loads(pickled) is function
    assert copy.deepcopy(function) is function


@pytest.mark.filterwarnings("ignore:.*module is deprecated:DeprecationWarning")
def test_a_pickled_ufunc_is_built_where_it_is_read():
    run_program(
        f"import pickle; ufunc = pickle.loads({pickle.dumps(js_term)!r}); "
        "assert ufunc(0.5, 0.5) == 0; import jsdiv_numba; assert ufunc is jsdiv_numba.js_term"
    )
