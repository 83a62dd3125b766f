"""Threads, processes and Ctrl-C around every public function."""

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import jsdiv_numba as js
from jsdiv_numba._core import threads
from tests.limits import HANGING

ROOT = Path(__file__).parents[1]


def rows():
    """Rows of which some are nearly equal, enough of them to be shared among threads."""
    P, Q = np.random.default_rng(7).random((2, 700, 640))
    Q[::5] = P[::5] * (1 + 1e-3 * Q[::5])
    return P, Q


def every_function(P, Q, **options):
    """What each public function that has `workers` answers."""
    return {
        "js_divergence": js.js_divergence(P, Q, **options),
        "js_divergence, terms": js.js_divergence(P, Q, reduce=False, **options),
        "js_divergence, columns": js.js_divergence(P, Q, axis=0, **options),
        "js_divergence, one sum": js.js_divergence(P, Q, axis=None, **options),
        "js_divergence, skewed": js.js_divergence(P, Q, weight=0.3, **options),
        "js_divergence_logit": js.js_divergence_logit(P, Q, **options),
        "js_divergence_logit, terms": js.js_divergence_logit(P, Q, reduce=False, **options),
        "jensenshannon": js.jensenshannon(P, Q, axis=1, **options),
        "jensenshannon, columns": js.jensenshannon(P, Q, **options),
        "cdist": js.cdist(P[:200], Q[:300], **options),
        "cdist of a matrix with itself": js.cdist(P[:200], P[:200], "js_divergence", **options),
        "pdist": js.pdist(Q[:250], **options),
        "kneighbors": np.stack(js.kneighbors(P[:200], Q[:300], **options)),
    }


def every_name(P, Q):
    """What all other public functions and classes answer, too."""
    scalarisations = [name for name in js.__all__ if name.endswith("_scalarise")]
    weighted = {"wmean_scalarise": {"weight": Q}}
    answers = {name: getattr(js, name)(**weighted.get(name, {}))(P) for name in scalarisations}
    pairs = [f"{kind}_{what}" for kind in ("js", "kl") for what in ("term", "sum", "sum_logit")]
    for name in (*pairs, "kl_divergence", "kl_divergence_logit"):
        answers[name] = getattr(js, name)(P, Q)
    for name in ("entropy_term", "entropy_sum", "entropy_sum_logit", "entropy", "entropy_logit"):
        answers[name] = getattr(js, name)(P)
    several = np.stack([P[:50], Q[:50], P[50:100]])
    answers["js_divergence_many"] = js.js_divergence_many(several)
    answers["js_divergence_many_logit"] = js.js_divergence_many_logit(several)
    answers["js_centroid"] = js.js_centroid(several)
    of_many = dict.fromkeys(
        ("js_divergence_many_grad", "js_divergence_many_logit_grad"), (several,)
    )
    for name in (name for name in js.__all__ if name.endswith("_grad")):
        inputs = of_many.get(name, (P,) if name.startswith("entropy") else (P, Q))
        _, *gradients = getattr(js, name)(*inputs)
        answers[name] = np.stack(gradients)
    for name in (name for name in js.__all__ if name.endswith("Loss") and name != "Loss"):
        answers[name] = getattr(js, name)()(*((P,) if name.startswith("Entropy") else (P, Q)))
    answers["Loss"] = js.Loss(js.js_divergence, js.Scalarisation(np.mean))(P, Q)
    answers["contributions"] = js.contributions(P[0], Q[0]).values
    scheme = js.LossScheme([js.LossApply(js.JSDivergenceLoss(), (0, 1))])
    answers["LossScheme"], answers["LossApply"] = scheme(P, Q)[0], next(iter(scheme))(P, Q)
    answers["kneighbors_graph"] = js.kneighbors_graph(P[:50], Q[:60]).toarray()
    answers["radius_neighbors"] = np.concatenate(js.radius_neighbors(P[:50], Q[:60], 0.3)[0])
    answers["radius_neighbors_graph"] = js.radius_neighbors_graph(P[:50], Q[:60], 0.3).toarray()
    answers["selfwmean"], answers["wmean"] = js.selfwmean(P), js.wmean(P, Q)
    with js.set_workers(3):
        return answers | every_function(P, Q)


def bits(answers):
    return {name: np.asarray(answer).tobytes() for name, answer in answers.items()}


def test_any_number_of_workers_gives_the_same_bits():
    alone = bits(every_function(*rows(), workers=1))
    for workers in (2, 7, None):
        assert bits(every_function(*rows(), workers=workers)) == alone


def test_any_number_of_workers_gives_the_same_bits_in_single_precision():
    P, Q = (x.astype(np.float32) for x in rows())
    for function, arguments in ((js.cdist, (P, Q)), (js.pdist, (Q,))):
        alone = function(*arguments, workers=1)
        for workers in (2, 7, None):
            assert function(*arguments, workers=workers).tobytes() == alone.tobytes()


class TestHowMany:
    @pytest.fixture
    def asked_for(self, monkeypatch):
        """The numbers of threads of which work was asked, as it is done."""
        numbers = []

        def run_in_pool(function, blocks, workers):
            numbers.append(workers)
            for block in blocks:
                function(block)

        monkeypatch.delenv(threads.ENVIRONMENT_VARIABLE, raising=False)
        monkeypatch.setattr("jsdiv_numba._core.blocks.BLOCK_ELEMENTS", 1 << 14)
        monkeypatch.setattr(threads, "_run_in_pool", run_in_pool)
        monkeypatch.setattr(threads, "available_cpus", lambda: 5)
        return numbers

    @pytest.mark.parametrize("setting", [2, 3, -1])
    @pytest.mark.parametrize("way", ["argument", "context", "environment"])
    def test_workers_are_as_many_as_asked_for(self, setting, way, asked_for, monkeypatch):
        P, Q = rows()
        if way == "argument":
            every_function(P, Q, workers=setting)
        elif way == "context":
            with js.set_workers(setting):
                every_function(P, Q)
        else:
            monkeypatch.setenv(threads.ENVIRONMENT_VARIABLE, str(setting))
            every_function(P, Q)
        assert len(asked_for) >= 11
        # A sum of columns may have fewer blocks than there are workers.
        assert max(asked_for) == (5 if setting == -1 else setting)

    def test_contexts_nest(self, asked_for):
        """As many as there are parts at most: some steps have fewer."""

        def most():
            found = max(asked_for)
            asked_for.clear()
            return found

        P, Q = rows()
        with js.set_workers(2):
            with js.set_workers(3):
                js.cdist(P, Q)
                assert most() == 3
            js.pdist(P)
            assert most() == 2
            js.jensenshannon(P, Q, axis=1, workers=4)
            assert most() == 4
        js.cdist(P, Q)
        assert most() == 5

    @pytest.mark.parametrize("rows", [1, 300])
    @pytest.mark.parametrize(
        "function", [js.js_divergence, js.js_divergence_logit, js.jensenshannon, js.cdist, js.pdist]
    )
    def test_wrong_numbers_are_refused_for_any_size(self, function, rows):
        inputs = [np.ones((rows, 300))] * (1 if function is js.pdist else 2)
        for workers, rule in ((0, "it must be positive"), ("2", "it must be an integer or None")):
            with pytest.raises(ValueError, match=f"^workers is {workers!r}; {rule}"):
                function(*inputs, workers=workers)


def run_program(program, path):
    path.write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "error", path],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGING,
    )
    assert (done.returncode, done.stderr) == (0, "")


FIRST_USE = """
import threading
import jsdiv_numba
from tests.test_concurrency import bits, every_name, rows

results, together = [], threading.Barrier(8)

def call():
    P, Q = rows()
    together.wait()
    results.append(bits(every_name(P, Q)))

threads = [threading.Thread(target=call) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(results) == 8

afterwards = every_name(*rows())
assert results == [bits(afterwards)] * 8
called = {name.split(",")[0] for name in afterwards}
holders = {"Contribution", "Contributions", "LossArgument", "LossReturn", "Terms"}
rest = set(jsdiv_numba.__all__) - called - holders - {"UnpackingLossArgument"}
assert rest == {"Scalarisation", "__version__", "set_workers"}, rest
"""


def test_eight_threads_call_every_function_at_once_and_first(tmp_path):
    run_program(FIRST_USE, tmp_path / "program.py")


@pytest.mark.parametrize("name", ["numpy.ma", "scipy.sparse"])
def test_another_thread_may_be_importing_a_module_that_is_asked_for(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    P, Q = rows()
    js.js_divergence(P, Q)
    js.cdist(P.tolist(), Q)


RAISING = """
import numpy as np
import jsdiv_numba

P = np.random.default_rng(0).dirichlet(np.ones(8), 40)
with np.errstate(all="raise"):
    jsdiv_numba.{call}
"""


@pytest.mark.parametrize("call", ["js_divergence(P, P)", "pdist(P)", "kneighbors(P)"])
def test_a_first_call_where_numpy_raises_compiles(call, tmp_path):
    run_program(RAISING.format(call=call), tmp_path / "program.py")


PROCESSES = """
import multiprocessing, os, sys, threading, warnings
import numpy as np
from jsdiv_numba import cdist, pdist
from tests.limits import HANGING

P = np.random.default_rng(0).random((300, 400))

def answers(_):
    return cdist(P, P, workers=3).tobytes(), pdist(P, workers=3).tobytes()

def fork():
    child = os.fork()
    if not child:
        os._exit(answers(0) != before)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    before = answers(0)
    for method in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.apply_async(answers, [0]).get(timeout=HANGING) == before
    if hasattr(os, "fork"):
        busy = threading.Thread(target=lambda: [answers(0) for _ in range(20)])
        busy.start()
        for _ in range(5):
            fork()
        busy.join()
    assert answers(0) == before
"""


def test_processes_started_after_use_by_every_method(tmp_path):
    run_program(PROCESSES, tmp_path / "program.py")


LONG = """
import signal
import numpy as np
from jsdiv_numba import cdist

# A shell may have started the tests in the background, where it has SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
P = np.random.default_rng(0).random((30_000, 2_000), np.float32)
before = cdist(P[:50], P[:60])
small = P[:300]
for workers in (1, 2):
    out = np.zeros((30_000, 30_000), np.float32)
    print("begun", flush=True)
    try:
        cdist(P, P, out=out, workers=workers)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    # However busy the machine is, it was interrupted long before the end.
    assert np.count_nonzero(out[::50, ::50]) < 600 * 600 / 4
    assert np.array_equal(cdist(P[:50], P[:60], workers=2), before)
    assert np.array_equal(cdist(small, small, workers=2), cdist(small, small, workers=1))
    print("usable", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are not sent this way on Windows")
def test_ctrl_c_stops_a_long_comparison():
    """Not at its end, which is minutes away."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", LONG],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = queue.Queue()
    reader = threading.Thread(
        target=lambda: [*map(lines.put, map(str.strip, process.stdout)), lines.put("ended")]
    )
    reader.start()
    try:
        for _ in range(2):
            assert lines.get(timeout=HANGING) == "begun"
            with pytest.raises(queue.Empty):
                lines.get(timeout=1)
            process.send_signal(signal.SIGINT)
            assert lines.get(timeout=HANGING) == "interrupted"
            assert lines.get(timeout=HANGING) == "usable"
        assert process.wait(HANGING) == 0
    finally:
        process.kill()
        reader.join()
        process.stdout.close()
