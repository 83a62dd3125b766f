"""Worker threads: how many, what they do, and how they stop."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jsdiv_numba import set_workers
from jsdiv_numba._core.threads import (
    ENVIRONMENT_VARIABLE,
    _Host,
    available_cpus,
    check_workers,
    get_workers,
    run_blocks,
)
from tests.limits import HANGING

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def four_cpus(monkeypatch):
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setattr("jsdiv_numba._core.threads.available_cpus", lambda: 4)


def test_available_cpus_are_those_of_this_process():
    assert 1 <= available_cpus() <= os.cpu_count()
    if hasattr(os, "sched_setaffinity"):
        command = (
            "import os; from jsdiv_numba._core.threads import available_cpus; "
            "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); print(available_cpus())"
        )
        done = subprocess.run(
            [sys.executable, "-c", command], cwd=ROOT, check=True, capture_output=True, text=True
        )
        assert done.stdout.strip() == "1"


@pytest.mark.parametrize(
    ("workers", "number"), [(1, 1), (3, 3), (100, 100), (-1, 4), (-3, 2), (-4, 1), (True, 1)]
)
def test_negative_numbers_count_from_the_cpus(workers, number):
    assert check_workers(workers) == get_workers(workers) == number


@pytest.mark.parametrize(
    ("workers", "message"),
    [
        (0, "workers is 0; it must be positive, or from -1 (every CPU) down to -4 (one CPU)"),
        (-5, "workers is -5; it must be positive, or from -1 (every CPU) down to -4 (one CPU)"),
        (2.0, "workers is 2.0; it must be an integer or None"),
        ("2", "workers is '2'; it must be an integer or None"),
    ],
)
def test_wrong_numbers(workers, message):
    for call in (lambda: get_workers(workers), lambda: set_workers(workers).__enter__()):
        with pytest.raises(ValueError, match="workers") as caught:
            call()
        assert str(caught.value) == message


def test_the_argument_wins_over_the_context_and_that_over_the_environment(monkeypatch):
    assert get_workers() == 4
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "3")
    assert get_workers() == 3
    with set_workers(2):
        assert get_workers() == 2
        assert get_workers(7) == 7
        with set_workers(-1):
            assert get_workers() == 4
        with set_workers(None):
            assert get_workers() == 3
        assert get_workers() == 2
    assert get_workers() == 3


def test_the_context_ends_with_an_error():
    with pytest.raises(KeyError), set_workers(2):
        raise KeyError
    assert get_workers() == 4


def test_the_context_holds_for_its_own_thread():
    seen = []
    with set_workers(2):
        other = threading.Thread(target=lambda: seen.append(get_workers()))
        other.start()
        other.join()
    assert seen == [4]


@pytest.mark.parametrize("value", ["", "0", "two", "1.5", "-9"])
def test_a_wrong_environment_variable_is_named(monkeypatch, value):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, value)
    with pytest.raises(ValueError, match="environment") as caught:
        get_workers()
    assert str(caught.value) == (
        f"the environment variable JSDIV_NUMBA_WORKERS is {value!r}; "
        "it must be an integer other than 0"
    )


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("number", [0, 1, 2, 3, 100])
def test_every_block_is_done_once(number, workers):
    done = []
    run_blocks(done.append, range(number), workers)
    assert sorted(done) == list(range(number))


def test_blocks_are_shared_by_as_many_threads_as_asked_for():
    together = threading.Barrier(3, timeout=HANGING)
    threads = set()

    def meet(_block):
        threads.add(threading.current_thread())
        together.wait()

    run_blocks(meet, range(3), 3)
    assert len(threads) == 3
    assert threading.current_thread() in threads


def test_one_worker_is_the_calling_thread():
    threads = set()
    run_blocks(lambda _: threads.add(threading.current_thread()), range(10), 1)
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_an_error_stops_the_work_and_is_raised(workers, error):
    done = []

    def fail_at_ten(block):
        if block == 10:
            raise error(block)
        done.append(block)

    with pytest.raises(error):
        run_blocks(fail_at_ten, range(100_000), workers)
    assert len(done) < 100_000


def test_an_error_in_a_helper_is_raised_in_the_caller():
    caller = threading.current_thread()
    together = threading.Barrier(2, timeout=HANGING)

    def fail_in_helper(_block):
        together.wait()
        if threading.current_thread() is not caller:
            raise KeyError

    with pytest.raises(KeyError):
        run_blocks(fail_in_helper, range(2), 2)


def test_begun_blocks_are_finished_before_an_error_is_raised():
    begun, finished = [], []
    failed = threading.Event()

    def fail_while_another_runs(block):
        begun.append(block)
        if threading.current_thread() is caller:
            together.wait()
            failed.set()
            raise KeyError
        together.wait()
        failed.wait()
        finished.append(block)

    caller = threading.current_thread()
    together = threading.Barrier(2, timeout=HANGING)
    with pytest.raises(KeyError):
        run_blocks(fail_while_another_runs, range(100), 2)
    assert len(begun) == 2
    assert len(finished) == 1


def test_blocks_within_blocks_do_not_wait_for_each_other():
    in_same_thread = []

    def nest(_block):
        outer = threading.current_thread()
        run_blocks(
            lambda _: in_same_thread.append(outer is threading.current_thread()), range(5), 8
        )

    run_blocks(nest, range(20), 4)
    assert in_same_thread == [True] * 100


def test_calls_from_many_threads_do_not_mix():
    totals = {}

    def count(name):
        done = []
        run_blocks(done.append, range(200), 3)
        totals[name] = sorted(done)

    callers = [threading.Thread(target=count, args=(name,)) for name in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert totals == {name: list(range(200)) for name in range(8)}


def run_program(program):
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=HANGING, check=False
    )


SUM = """
from jsdiv_numba._core.threads import run_blocks

def total():
    done = []
    run_blocks(done.append, range(1000), 4)
    return sum(done)

assert total() == 499500
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_threads_of_its_own():
    child = "pid = os.fork()\nif not pid: os._exit(total() != 499500)\n"
    parent = "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), total())"
    silence = "import os, warnings; warnings.simplefilter('ignore', DeprecationWarning)\n"
    assert run_program(f"{silence}{SUM}{child}{parent}").stdout == "0 499500\n"


def test_work_goes_on_while_the_interpreter_exits():
    """Pools start no thread then: neither for a thread that lives on nor for an exit handler."""
    thread = "import atexit, threading; main = threading.main_thread()\n"
    late = "threading.Thread(target=lambda: (main.join(), print(total()))).start()\n"
    final = "atexit.register(lambda: print(total()))"
    done = run_program(f"{SUM}{thread}{late}{final}")
    assert (done.stdout, done.stderr) == ("499500\n499500\n", "")


@pytest.mark.skipif(os.name == "nt", reason="signals are not sent this way on Windows")
def test_ctrl_c_stops_between_blocks():
    program = """
import os, signal, time
from jsdiv_numba._core.threads import run_blocks

# A shell may have started the tests in the background, where it has SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
done = []

def block(i):
    if i == 20:
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.001)
    done.append(i)

try:
    run_blocks(block, range(100_000), 3)
except KeyboardInterrupt:
    finished = len(done)
    time.sleep(0.05)
    # A thread may wait for a busy machine; all the blocks take it half a minute, however quick.
    print(finished == len(done) < 50_000)
"""
    assert run_program(program).stdout == "True\n"


def test_a_host_computes_in_a_thread_of_its_own_with_the_caller_s_context():
    host = _Host()
    assert host.run(threading.get_ident) == threading.get_ident()
    host.start()
    host.start()
    assert host.run(threading.get_ident) != threading.get_ident()
    with set_workers(3):
        assert host.run(get_workers) == 3
    with pytest.raises(ZeroDivisionError):
        host.run(lambda: 1 // 0)
    host._executor.shutdown()
    assert host.run(threading.get_ident) == threading.get_ident()
