"""Kernels on disk: found again, or compiled; never stale, never another's, never an error."""

import ctypes
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jsdiv_numba
from jsdiv_numba import cache
from jsdiv_numba._kernels import build as builder
from jsdiv_numba._kernels import catalog, linking, load, target
from jsdiv_numba._kernels.cache import file, identity
from jsdiv_numba._kernels.cache import folder as on_disk
from jsdiv_numba._kernels.linking import Object

ROOT = Path(__file__).parents[1]
MADE = Object("entry", ("log1p",), b"object code")

ENTROPY = """
import sys
import numpy as np
from jsdiv_numba.ufuncs import built
ufunc = built("entropy_term", ("float64",))
assert abs(ufunc(np.float64(0.5)) - 0.5 * np.log(2.0)) < 1e-16
print("numba" in sys.modules)
"""
"""The kernel that is compiled in the shortest time; prints whether it was."""


@pytest.fixture(name="folder")
def _folder(tmp_path, monkeypatch):
    """Have nothing in the cache."""
    monkeypatch.setenv("JSDIV_NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.delenv("JSDIV_NUMBA_CACHE", raising=False)
    return tmp_path / "kernels"


def run(program, root=ROOT, **environment):
    command = [sys.executable, "-W", "error", "-c", program]
    given = {**os.environ, "PYTHONPATH": str(root), **environment}
    done = subprocess.run(command, cwd=root, env=given, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def compiles(program=ENTROPY, root=ROOT, **environment):
    return json.loads(run(program, root, **environment).lower())


def kept(folder):
    return sorted(path.name for path in folder.glob("*/*/*"))


def test_a_kernel_is_compiled_once_and_loaded_without_numba(folder):
    assert compiles()
    assert kept(folder) == ["entropy_term-float64.kernel"]
    assert not compiles()


def test_a_kernel_of_changed_sources_is_compiled(folder, tmp_path):
    shutil.copytree(ROOT / "jsdiv_numba", tmp_path / "jsdiv_numba")
    assert compiles(root=tmp_path)
    assert not compiles(root=tmp_path)
    source = tmp_path / "jsdiv_numba" / "_kernels" / "formulas" / "kl.py"
    source.write_text(source.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert compiles(root=tmp_path)
    assert not compiles(root=tmp_path)
    assert len(kept(folder)) == 2


OTHERS = [
    {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""},
    {"NUMBA_OPT": "1"},
    {"NUMBA_LOOP_VECTORIZE": "0"},
]


@pytest.mark.parametrize("setting", OTHERS, ids=lambda setting: next(iter(setting)))
def test_another_processor_or_setting_has_kernels_of_its_own(setting, folder):
    assert compiles()
    assert compiles(**setting)
    assert not compiles(**setting)
    assert not compiles()
    assert not compiles(NUMBA_NUM_THREADS="1", NUMBA_CACHE_DIR="elsewhere")


@pytest.mark.parametrize("of", ["numba", "llvmlite", "numpy", "python", "sources", "format"])
def test_another_version_finds_nothing(of, folder, monkeypatch):
    on_disk.write("js_sum", "float64", MADE)
    assert on_disk.read("js_sum", "float64") == MADE
    other = {**identity.versions(), of: "another"}
    monkeypatch.setattr(on_disk, "versions", lambda: other)
    assert on_disk.read("js_sum", "float64") is None
    on_disk.write("js_sum", "float64", MADE)
    assert on_disk.read("js_sum", "float64") == MADE
    assert len(kept(folder)) == 2


def test_versions_are_those_of_the_packages():
    import llvmlite
    import numba

    found = identity.versions()
    assert found["numba"] == numba.__version__
    assert found["llvmlite"] == llvmlite.__version__
    assert found["numpy"] == np.__version__


def test_the_processor_is_the_one_that_numba_compiles_for():
    from numba.core.registry import cpu_target

    triple, cpu, features = cpu_target.target_context.codegen().magic_tuple()
    found = target.target()
    assert (found.triple, found.cpu) == (triple, cpu)
    assert set(found.features.split(",")) == set(features.split(","))


@pytest.mark.parametrize(
    ("cpu", "registers"),
    [("x86-64", (4, 16)), ("znver1", (8, 16)), ("haswell", (8, 16)), ("x86-64-v4", (16, 32))],
)
def test_registers_are_those_of_a_named_processor(cpu, registers):
    assert target.registers(target.Target("x86_64-unknown-linux-gnu", cpu, "")) == registers


def test_what_is_kept_for_one_kernel_is_not_read_as_another(folder):
    on_disk.write("js_sum", "float64", MADE)
    path = next(folder.glob("*/*/*"))
    path.rename(path.with_name("js_sum-float32.kernel"))
    assert on_disk.read("js_sum", "float32") is None


CONTENT = file.content_of(MADE, "key", {"kernel": ["js_sum", "float64"]})


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
@settings(max_examples=300, deadline=None)
def test_no_flipped_byte_is_read(place, change):
    damaged = bytearray(CONTENT)
    damaged[place] ^= change
    with pytest.raises(ValueError, match="not what was written"):
        file.parsed(bytes(damaged), "key")


@pytest.mark.parametrize("length", [*range(0, len(CONTENT), 7), len(CONTENT) - 1])
def test_nothing_truncated_is_read(length):
    with pytest.raises(ValueError, match="not what was written"):
        file.parsed(CONTENT[:length], "key")


@pytest.mark.parametrize(
    "damage",
    [lambda path: os.truncate(path, 100), lambda path: path.write_bytes(b""), Path.unlink],
    ids=["truncated", "empty", "missing"],
)
def test_a_damaged_kernel_is_compiled_anew(damage, folder):
    assert compiles()
    damage(next(folder.glob("*/*/*")))
    assert compiles()
    assert not compiles()


def test_a_kernel_that_calls_what_this_process_lacks_is_not_loaded(folder):
    on_disk.write("js_sum", "float64", MADE._replace(symbols=("no_such_function",)))
    assert on_disk.read("js_sum", "float64") is None


def test_a_kernel_that_needs_numbas_library_is_not_kept(folder):
    on_disk.write("js_sum", "float64", MADE._replace(symbols=("NRT_Allocate",)))
    assert not folder.exists()


def test_only_the_user_may_read_what_is_kept(folder):
    on_disk.write("js_sum", "float64", MADE)
    path = next(folder.glob("*/*/*"))
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, *path.parents[:3])]
    assert modes == [0o600, 0o700, 0o700, 0o700]


def test_all_may_read_what_is_kept_in_a_folder_that_they_may_read(folder):
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    on_disk.write("js_sum", "float64", MADE)
    path = next(folder.glob("*/*/*"))
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, *path.parents[:3])]
    assert modes == [0o644, 0o755, 0o755, 0o755]
    assert on_disk.read("js_sum", "float64") == MADE


def test_nothing_is_built_that_cannot_be_kept(folder, monkeypatch):
    monkeypatch.setattr(builder, "build", lambda *_: pytest.fail("built"))
    asked = []
    monkeypatch.setattr(os, "access", lambda path, _mode: asked.append(path))
    message = f"{re.escape(str(folder.parent))} cannot be written to$"
    with pytest.raises(RuntimeError, match=f"^compiled kernels cannot be kept: {message}"):
        cache.build()
    with pytest.raises(RuntimeError, match=rf"^kernels cannot be built into .*: {message}"):
        cache.build_for("x86-64-v3", folder / "more")
    assert asked == [folder.parent, folder.parent]


@pytest.mark.parametrize("level", range(4), ids=["file", "processor", "version", "all"])
@pytest.mark.parametrize("mode", [0o020, 0o002], ids=["group", "others"])
def test_nothing_is_read_from_where_others_may_write(level, mode, folder):
    on_disk.write("js_sum", "float64", MADE)
    path = next(folder.glob("*/*/*"))
    each = (path, *path.parents)[level]
    each.chmod(stat.S_IMODE(each.stat().st_mode) | mode)
    assert on_disk.read("js_sum", "float64") is None
    if level:
        assert str(each) in cache.info().unused_because
        before = kept(folder)
        on_disk.write("kl_sum", "float64", MADE)
        assert kept(folder) == before


@pytest.mark.parametrize("level", range(4), ids=["file", "processor", "version", "all"])
def test_nothing_is_read_that_is_another_users(level, folder, monkeypatch):
    on_disk.write("js_sum", "float64", MADE)
    path = next(folder.glob("*/*/*"))
    other = os.geteuid() + 1000
    try:
        os.chown((path, *path.parents)[level], other, -1)
    except PermissionError:
        # Only the system's user may give a file away: for others, this one is another.
        monkeypatch.setattr(os, "geteuid", lambda: other)
    assert on_disk.read("js_sum", "float64") is None


def test_a_link_in_place_of_a_folder_is_not_followed(folder, tmp_path):
    on_disk.write("js_sum", "float64", MADE)
    version = next(folder.iterdir())
    version.rename(tmp_path / "elsewhere")
    version.symlink_to(tmp_path / "elsewhere")
    assert on_disk.read("js_sum", "float64") is None


@pytest.mark.parametrize(
    "environment",
    [
        {"JSDIV_NUMBA_CACHE_DIR": "/proc/no/such/place"},
        {"JSDIV_NUMBA_CACHE_DIR": str(Path(__file__))},
        {"JSDIV_NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": "/proc/nobody"},
        {"JSDIV_NUMBA_CACHE": "0"},
        {"JSDIV_NUMBA_CACHE": "off"},
    ],
    ids=["no place", "a file", "no home", "0", "off"],
)
def test_without_a_place_kernels_are_compiled(environment, folder):
    assert compiles(**environment)
    assert not folder.exists()


AS_NOBODY = """
import os, sys, numba, numpy as np, llvmlite.binding
import jsdiv_numba.ufuncs
from jsdiv_numba._kernels import linking
from jsdiv_numba._kernels.cache import bundle, folder
folder.folders()
os.setuid(65534)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only the system's user can become another")
def test_a_folder_of_the_system_is_read_by_others_and_not_written(monkeypatch):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        monkeypatch.setenv("JSDIV_NUMBA_CACHE_DIR", name)
        assert compiles()
        # What is imported later may be in a folder that nobody else may enter.
        assert not compiles(AS_NOBODY + ENTROPY.replace("import sys", "del sys.modules['numba']"))
        before = kept(folder)
        run(AS_NOBODY + "folder.write('js_sum', 'float64', linking.Object('entry', (), b''))")
        assert kept(folder) == before


def test_a_full_disk_is_no_error(folder, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file.os, "fdopen", full)
    on_disk.write("js_sum", "float64", MADE)
    monkeypatch.undo()
    assert not [path for path in folder.rglob("*") if path.is_file()]


KILLED = """
import os, signal
from jsdiv_numba._kernels.cache import file
from jsdiv_numba.ufuncs import built
chmod = file.Path.chmod
file.Path.chmod = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
built("entropy_term", ("float64",))
"""


def test_a_writer_that_is_killed_leaves_nothing_that_is_read(folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = folder.glob("*/*/*")
    assert left.name.startswith(file.UNFINISHED)
    assert compiles()
    assert not compiles()
    os.utime(left, (time.time() - 7200,) * 2)
    on_disk.write("js_sum", "float64", MADE)
    assert kept(folder) == ["entropy_term-float64.kernel", "js_sum-float64.kernel"]


def test_sixteen_processes_at_once_on_a_cold_cache(folder):
    command = [sys.executable, "-W", "error", "-c", ENTROPY]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe)
        for _ in range(16)
    ]
    ended = [(*process.communicate(), process.returncode) for process in processes]
    assert [end[1:] for end in ended] == [(b"", 0)] * 16
    assert kept(folder) == ["entropy_term-float64.kernel"]
    assert not compiles()


FORKED = """
import os, sys, warnings
import numpy as np
from jsdiv_numba.ufuncs import built
before = built("entropy_term", ("float64",))(np.full(5, 0.3))
warnings.simplefilter("ignore", DeprecationWarning)
child = os.fork()
if not child:
    same = (built("entropy_term", ("float64",))(np.full(5, 0.3)) == before).all()
    other = built("entropy_term", ("float32",))(np.float32(0.5))
    os._exit(not (same and abs(other - 0.5 * np.log(2)) < 1e-7 and "numba" not in sys.modules))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(False)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_the_kernels_and_finds_others(folder):
    run(ENTROPY)
    run(ENTROPY.replace("float64", "float32").replace("1e-16", "1e-7"))
    assert not compiles(FORKED)


def test_a_dask_cluster_loads_what_one_process_compiled(folder):
    program = f"""
import numpy as np

def compiles():
    out = []
    exec({ENTROPY.replace("print", "out.append")!r}, {{"out": out}})
    return out[0]

if __name__ == "__main__":
    from distributed import Client, LocalCluster
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            print(any(client.run(compiles).values()))
"""
    assert compiles()
    script = folder.parent / "on_a_cluster.py"
    script.write_text(program, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_folders_of_old_versions_are_removed_and_nothing_else(folder, monkeypatch):
    def write_as(version):
        monkeypatch.setattr(on_disk, "versions", lambda: {"format": version})
        on_disk.write("js_sum", "float64", MADE)
        return on_disk.folders()[1]

    folder.mkdir(mode=0o700)
    (folder / "notes.txt").write_text("not ours", encoding="utf-8")
    made = []
    for i in range(6):
        made.append(write_as(str(i)))
        os.utime(made[-1], (time.time() - 1000 + i,) * 2)
    assert [path.exists() for path in made] == [False, False, True, True, True, True]
    (made[2] / "thesis.txt").write_text("not ours", encoding="utf-8")
    os.utime(made[2], (time.time() - 31 * on_disk.DAY,) * 2)
    os.utime(made[3], (time.time() - 31 * on_disk.DAY,) * 2)
    write_as("6")
    assert [path.exists() for path in made] == [False, False, True, False, True, True]
    assert [path.name for path in made[2].iterdir()] == ["thesis.txt"]
    assert (folder / "notes.txt").exists()


def test_a_version_that_is_used_is_marked_as_such(folder):
    on_disk.write("js_sum", "float64", MADE)
    version = on_disk.folders()[1]
    os.utime(version, (time.time() - 3 * on_disk.DAY,) * 2)
    on_disk.read("js_sum", "float64")
    assert time.time() - version.stat().st_mtime < 60


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/jsdiv_numba"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/.cache/jsdiv_numba"),
        ("darwin", {}, "/home/Library/Caches/jsdiv_numba"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/jsdiv_numba"),
        ("win32", {"LOCALAPPDATA": ""}, "/home/AppData/Local/jsdiv_numba"),
    ],
)
def test_the_place_is_the_platforms(platform, environment, expected, monkeypatch):
    for name, value in {"JSDIV_NUMBA_CACHE_DIR": "", "HOME": "/home", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(on_disk.sys, "platform", platform)
    assert on_disk.root() == Path(expected)


def test_info_build_and_clear(folder, monkeypatch):
    few = {"entropy_term": catalog.UFUNCS["entropy_term"]}
    monkeypatch.setattr(catalog, "KERNELS", few)
    monkeypatch.setattr(builder, "KERNELS", few)
    assert (cache.info().kernels, cache.info().all_kernels) == (0, 2)
    seen = []
    assert cache.build(workers=2, progress=lambda *counts: seen.append(counts)) == 2
    assert seen == [(1, 2), (2, 2)]
    found = cache.info()
    assert (found.kernels, found.others, found.unused_because) == (2, 0, "")
    assert found.folder == on_disk.folders()[-1]
    assert found.bytes == sum(path.stat().st_size for path in found.folder.iterdir())
    assert cache.build() == 0
    (folder / "notes.txt").write_text("not ours", encoding="utf-8")
    assert cache.clear() == 2
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert cache.clear() == 0


def test_what_cannot_be_kept_is_not_built(folder, monkeypatch):
    monkeypatch.setenv("JSDIV_NUMBA_CACHE", "0")
    with pytest.raises(RuntimeError, match="JSDIV_NUMBA_CACHE switches it off"):
        cache.build()


def test_a_kernel_that_cannot_be_built_is_named(folder, monkeypatch):
    monkeypatch.setattr(builder, "KERNELS", {"no_such": catalog.Ufunc("()->()", "T->T")})
    with pytest.raises(RuntimeError, match=r"no_such for float\d\d: (?s:.*)KeyError"):
        cache.build()


def test_kernels_that_come_with_the_package_need_nothing_compiled(folder, tmp_path, monkeypatch):
    level = target.host_level()
    if level is None:
        pytest.skip("this processor is of no level for which kernels are built")
    few = {"entropy_term": catalog.UFUNCS["entropy_term"]}
    monkeypatch.setattr(builder, "KERNELS", few)
    shutil.copytree(ROOT / "jsdiv_numba", tmp_path / "jsdiv_numba")
    assert cache.build_for(level, tmp_path / "jsdiv_numba" / "_kernels" / "built") == 2
    assert not compiles(root=tmp_path, JSDIV_NUMBA_CACHE="0")
    assert not folder.exists()
    assert compiles(root=tmp_path, JSDIV_NUMBA_CACHE="0", NUMBA_OPT="2")
    source = tmp_path / "jsdiv_numba" / "_kernels" / "formulas" / "kl.py"
    source.write_text(source.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert compiles(root=tmp_path, JSDIV_NUMBA_CACHE="0")


def test_an_unknown_level_is_refused(tmp_path):
    with pytest.raises(ValueError, match="target is 'x86-64-v9'; it must be one of x86-64-v4, x86"):
        cache.build_for("x86-64-v9", tmp_path)


def test_registers_of_what_came_with_the_package_are_those_of_its_level():
    for level, floats in {"x86-64-v4": 16, "x86-64-v3": 8}.items():
        triple = "x86_64-unknown-linux-gnu"
        assert target.registers(target.Target(triple, level, "")).floats == floats


LIBRARY = {"expm1", "feclearexcept", "free", "log1p", "malloc", "memcpy", "memset", "tanh"}
LIBRARY |= {"exp", "exp2", "exp2f", "expf", "log", "log2", "log2f", "logf", "sqrt", "fma", "fmaf"}
PYTHON = {
    "PyErr_NoMemory",
    "PyEval_RestoreThread",
    "PyEval_SaveThread",
    "PyGILState_Check",
    "PyGILState_Ensure",
    "PyGILState_Release",
}
KERNELS = [(name, dtype) for name, kernel in catalog.KERNELS.items() for dtype in kernel.dtypes]


@pytest.mark.parametrize(("name", "dtype"), KERNELS)
def test_a_kernel_calls_nothing_but_the_c_library_and_pythons_locks(name, dtype):
    made = on_disk.read(name, dtype)
    if made is None:
        made = load.compiled(name, dtype)
        on_disk.write(name, dtype, made)
    assert set(made.symbols) <= LIBRARY | PYTHON
    undefined = _undefined_in(made.code)
    if undefined is not None:
        assert undefined <= {*made.symbols, "_GLOBAL_OFFSET_TABLE_"} | LIBRARY


def _undefined_in(code):
    """Return what an object file names and has not, as the system's own tool reads it."""
    tool = shutil.which("nm")
    if tool is None:
        return None
    done = subprocess.run([tool, "-u", "-"], input=code, capture_output=True, check=False)
    if done.returncode:
        path = Path(os.environ.get("TMPDIR", "/tmp")) / f"{os.getpid()}.o"
        path.write_bytes(code)
        done = subprocess.run([tool, "-u", path], capture_output=True, check=True)
        path.unlink()
    return {line.split()[-1] for line in done.stdout.decode().splitlines()}


EVERYTHING = """
import sys
import numpy as np
import jsdiv_numba as j
from jsdiv_numba import neighbors

rng = np.random.default_rng(0)
for dtype in np.float32, np.float64:
    P, Q = rng.dirichlet(np.ones(7), (2, 40)).astype(dtype)
    A, B = rng.normal(size=(2, 40, 7)).astype(dtype)
    results = [
        j.js_divergence(P, Q), j.js_divergence(P, Q, reduce=False),
        j.js_divergence(P.T, Q.T, axis=0),
        j.js_divergence(P, Q, weight=0.3), j.js_divergence(P, Q, reduce=False, weight=0.3),
        j.js_divergence_logit(A, B), j.js_divergence_logit(A, B, reduce=False),
        j.js_divergence_many(P), j.js_divergence_many(P, reduce=False),
        j.js_divergence_logit(A, B, weight=0.3), *j.js_divergence_many_logit_grad(A),
        j.kl_divergence(P, Q), j.kl_divergence_logit(A, B), j.entropy(P), j.entropy_logit(A),
        j.jensenshannon(P, Q, axis=-1), j.cdist(P, Q), j.pdist(P),
        *j.js_divergence_grad(P, Q), *j.js_divergence_grad(P, Q, weight=0.3),
        *j.js_divergence_logit_grad(A, B), *j.js_divergence_many_grad(P),
        *j.kl_divergence_grad(P, Q), *j.kl_divergence_logit_grad(A, B),
        *j.entropy_grad(P), *j.entropy_logit_grad(A),
        *j.kneighbors(P, n_neighbors=2), j.contributions(P[0], Q[0]).total,
        j.JSDivergenceLoss()(P, Q), j.JSDivergenceLogitLoss().value_and_grad(A, B)[0],
        j.js_sum(P, Q), j.js_term(P, Q), j.kl_sum_logit(A, B), j.entropy_sum(P),
    ]
    for result in results:
        sys.stdout.write(np.asarray(result).tobytes().hex()[:4000] + "\\n")
sys.stderr.write("numba" * ("numba" in sys.modules))
"""


def output(program, **environment):
    """Run a program with the cache that the tests have; return both its outputs."""
    given = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


def test_every_function_finds_its_kernels_without_numba():
    first, _ = output(EVERYTHING, JSDIV_NUMBA_CACHE="1")
    assert output(EVERYTHING, JSDIV_NUMBA_CACHE="1") == (first, "")


BITS = """
import sys
import numpy as np
import jsdiv_numba as j
P, Q = np.random.default_rng(0).dirichlet(np.ones(700), (2, 9)).astype(np.float32)
for result in j.js_divergence(P, Q), j.cdist(P, Q), j.js_term(P, Q), j.entropy(P):
    print(result.tobytes().hex())
sys.stderr.write("numba" * ("numba" in sys.modules))
"""


def test_kernels_from_disk_have_the_bits_of_those_just_compiled():
    first, _ = output(BITS, JSDIV_NUMBA_CACHE="1")
    assert output(BITS, JSDIV_NUMBA_CACHE="1") == (first, "")
    assert output(BITS, JSDIV_NUMBA_CACHE="0") == (first, "numba")


def test_a_ufunc_made_by_numba_is_the_same(monkeypatch):
    loops = {dtype: load._address("js_sum", dtype) for dtype in catalog.DTYPES}
    ours = linking.make_ufunc("js_sum", catalog.UFUNCS["js_sum"], loops)
    monkeypatch.setattr(linking, "_has_known_interface", lambda: False)
    made = linking.make_ufunc("js_sum", catalog.UFUNCS["js_sum"], loops)
    assert (made.types, made.signature, made.nin) == (ours.types, ours.signature, ours.nin)
    P, Q = np.random.default_rng(0).random((2, 5, 9))
    assert np.array_equal(made(P, Q), ours(P, Q))


def test_another_interface_of_numpys_is_not_relied_on(monkeypatch):
    known = linking._has_known_interface.__wrapped__
    assert known()
    monkeypatch.setattr(linking, "ABI_VERSION", 0x3000000)
    assert not known()
    monkeypatch.setattr(linking, "_capsule", lambda name: np.no_such_table)
    assert not known()


WRONG = [
    (np.ones((2, 3), np.float32), "dtype"),
    (np.ones((3, 2)).T, None),
    (np.ones((2, 3), ">f8"), "order"),
    (np.ones(3), "dimensions"),
    (np.ones(49, np.int8)[1:].view(np.float64).reshape(2, 3), "alignment"),
]


@pytest.mark.parametrize(("rows", "wrong"), WRONG, ids=[str(wrong) for _, wrong in WRONG])
def test_a_routine_refuses_what_is_not_as_the_catalog_says(rows, wrong):
    prepare = load.routine("prepare_neighbors", "float64")
    padded, known, even = np.zeros((4, 16)), np.empty((2, 6)), (0.5, 0.0)
    if wrong is None:
        assert not prepare((rows, padded, known), 0, 2, 1, even)
        return
    with pytest.raises(TypeError, match="argument 0 of the kernel 'prepare_neighbors' must be d"):
        prepare((rows, padded, known), 0, 2, 1, even)
    with pytest.raises(TypeError, match=r"argument 1 .* must be d\[:,::1\]"):
        prepare((np.ones((2, 3)), np.zeros((16, 4)).T, known), 0, 2, 1, even)


def test_no_memory_is_an_error_and_no_crash():
    endless = np.broadcast_to(np.float64(0.5), 10**14)
    with pytest.raises(MemoryError):
        jsdiv_numba.js_sum(endless, endless)
    assert jsdiv_numba.js_sum([0.5, 0.5], [0.5, 0.5]) == 0


def test_the_catalog_names_dimensions_and_types():
    ufunc = catalog.UFUNCS["js_sum_skewed_columns"]
    assert ufunc.dimensions == [("n", "m"), ("n", "m"), ("m",), ("m",), ("m",)]
    assert (ufunc.inputs, ufunc.codes("float32")) == (4, "fffff")
    assert not ufunc.is_elementwise
    assert catalog.UFUNCS["js_term"].is_elementwise
    assert catalog.UFUNCS["kl_parts"].codes("float32") == "ffdd"
    for each in catalog.UFUNCS.values():
        assert len(each.dimensions) == len(each.codes("float64"))
        assert ctypes.sizeof(ctypes.c_void_p) == 8
