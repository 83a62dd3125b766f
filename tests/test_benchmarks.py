"""The scripts of `benchmarks`: they have to find an error where there is one, and to run."""

import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from scipy.spatial.distance import cdist

from benchmarks import (
    accuracy,
    assembly,
    batch,
    cluster,
    drift,
    features,
    gradients,
    kinds,
    layouts,
    memory,
    neighbors,
    pairs,
    peers,
    picture,
    report,
    roofline,
    rows,
    samples,
    search,
    sets,
    small,
    tables,
    timing,
)
from benchmarks import sparse as sparse_rows
from tests import cases


def _path(errors: list[float], bound: float) -> accuracy.Path:
    remaining = iter(errors)
    return accuracy.Path(
        "a path",
        {"ordinary": cases.ordinary},
        lambda p, q: [next(remaining)],
        {np.float64: bound, np.float32: bound},
    )


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([1e-16, 3e-16, 2e-16], 3e-16),
        ([1e-16, np.nan, 2e-16], np.nan),
        ([0.0, 0.0, np.inf], np.inf),
    ],
)
def test_the_worst_error_is_kept_and_nan_is_the_worst(errors, expected):
    worst = accuracy.worst_of(_path(errors, 1e-15), "ordinary", np.float64, count=3, seed=0)
    np.testing.assert_equal(worst.error, expected)
    assert worst.exceeded is (not expected <= 1e-15)


def test_all_is_well_within_the_bounds(capsys):
    assert accuracy.main(["--cases", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| divergence | ordinary | ")
    assert len(lines) == 2 + sum(len(path.kinds) for path in accuracy.PATHS)


def test_what_runs_have_kept_is_one_table(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(accuracy, "PATHS", (_path([1e-16, 2e-16, 3e-16, 4e-16], 1e-15),))
    files = [tmp_path / name for name in ("one.csv", "other.csv")]
    for file, processor in zip(files, ("one", "other"), strict=True):
        monkeypatch.setenv("NUMBA_CPU_NAME", processor)
        accuracy.main(["--cases", "1", "--output", str(file)])
    capsys.readouterr()
    both = tmp_path / "both.csv"
    assert accuracy.main(["--merge", *map(str, files), "--output", str(both)]) == 0
    heading, _, line = capsys.readouterr().out.splitlines()
    assert heading.split(" | ")[2:5] == ["float64, one", "float64, other", "float64 bound"]
    assert line == ("| a path | ordinary | 1.0e-16 | 3.0e-16 | 1e-15 | 2.0e-16 | 4.0e-16 | 1e-15 |")
    assert both.read_text().splitlines()[1:] == [
        line for file in files for line in file.read_text().splitlines()[1:]
    ]


def test_a_run_may_be_of_some_results(capsys):
    assert accuracy.main(["--cases", "1", "--only", "derivative of `entropy`"]) == 0
    assert {line.split(" | ")[0] for line in capsys.readouterr().out.splitlines()[2:]} == {
        "| derivative of `entropy`"
    }


def test_a_run_computes_as_another_processor_does(tmp_path):
    file = tmp_path / "haswell.csv"
    arguments = ["--cases", "1", "--only", "derivative of `entropy`", "--output", str(file)]
    assert accuracy.main([*arguments, "--processor", "haswell"]) == 0
    assert all(line.endswith(",haswell") for line in file.read_text().splitlines()[1:])


def test_an_exceeded_bound_is_reported_with_its_rows(monkeypatch, capsys):
    monkeypatch.setattr(accuracy, "PATHS", (_path([1e-16, 1e-8], 1e-15),))
    assert accuracy.main(["--cases", "1"]) == 1
    report = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert report[0] == "a path: ordinary, float32: 1.00e-08 exceeds 1e-15"
    p, q = cases.ordinary(np.random.default_rng([0, 0]), np.float32)
    for line, name, row in zip(report[1:], "PQ", (p, q), strict=True):
        shown = eval(line.removeprefix(f"{name} = "), {"np": np})
        np.testing.assert_array_equal(shown, row, strict=True)


def test_infinite_logits_are_reported_as_python_writes_them():
    pair = np.array([0.0, -np.inf]), np.array([1.0, 2.0])
    path = replace(_path([], 1e-15), kinds={"logits": lambda rng, dtype: pair})
    report = accuracy.report(accuracy.Worst(path, "logits", np.float64, 1.0))
    assert "P = np.array([0.0, -np.inf], np.float64)" in report.splitlines()


def test_a_ratio_is_compared_with_its_goal():
    goal, of_times = tables.Goal(1.0, 1.4), tables.Goal(0.7, 0.4, smaller_is_better=True)
    assert [goal.met(ratio) for ratio in (0.9, 1.0, 1.4)] == ["**no**", "yes", "beyond"]
    assert [of_times.met(ratio) for ratio in (0.8, 0.7, 0.4)] == ["**no**", "yes", "beyond"]
    assert tables.Goal().met(3.0) == ""


def test_all_contenders_are_called_in_turn_after_a_warm_up():
    calls = []
    contenders = [
        timing.Contender("a", lambda: calls.append("a"), repeats=2),
        timing.Contender("b", lambda: calls.append("b"), repeats=1),
    ]
    assert set(timing.median_seconds(contenders)) == {"a", "b"}
    assert calls == ["a", "b", "a", "b", "a"]


def test_threads_take_every_part_once():
    taken = []
    timing.Threads(2).run(taken.append, 9)
    assert sorted(taken) == list(range(9))


X86 = """
.LBB0_1:
\tvfmadd213ps\t%zmm3, %zmm2, %zmm1
.LBB0_2:
\tvmovups\t(%rax), %zmm1
\tvcvtdq2ps\t%zmm1, %zmm2
\tvfmadd213ps\t%zmm3, %zmm2, %zmm1
\tvmulps\t64(%rsp), %zmm1, %zmm2
\tvaddps\t%zmm3, %zmm2, %zmm1
\taddq\t$32, %rax
\tjne\t.LBB0_2
\tjne\t.LBB0_1
"""
ARM = """
LBB0_2:
\tldr\tq0, [x8]
\tfmla.2d\tv0, v1, v2
\tfdiv\tv3.2d, v0.2d, v1.2d
\tfmul\tv4.2d, v3.2d, v0.2d
\tstr\tq4, [sp, #16]
\tb.ne\tLBB0_2
"""


def test_the_innermost_loop_of_a_shape_is_counted():
    loop = assembly.hot_loop(X86, assembly.Shape(1))
    assert (loop.vectors, loop.lanes) == (2, 16)
    assert (loop.per_element, loop.per_vector, loop.on_stack) == (7 / 32, 2.0, 1 / 32)
    loop = assembly.hot_loop(ARM, assembly.Shape(2, 1))
    assert (loop.vectors, loop.lanes) == (1, 2)
    assert (loop.per_element, loop.per_vector, loop.on_stack) == (3.0, 3.0, 0.5)


def test_a_loop_of_another_shape_is_not_taken_for_it():
    for text, shape in ((X86, (3,)), (X86, (1, 1)), (ARM, (1,)), ("foo:\n\tret\n", (1,))):
        assert assembly.hot_loop(text, assembly.Shape(*shape)) is None
    assert assembly.hot_loop(X86, assembly.Shape(1, chains=2)).vectors == 2
    assert assembly.hot_loop(X86.replace("vmulps", "vmulss"), assembly.Shape(1)) is None


@pytest.mark.parametrize(
    ("instruction", "one_by_one", "calls"),
    [
        ("vcvtsi2sdq\t%rax, %xmm1, %xmm2", 1, 0),
        ("vpextrq\t$1, %xmm1, %rax", 1, 0),
        ("vcvtdq2ps\t%ymm1, %ymm2", 0, 0),
        ("callq\tlog", 0, 1),
        ("scvtf\td0, x8", 1, 0),
        ("mov\tx8, v0.d[1]", 1, 0),
        ("scvtf\tv0.2d, v1.2d", 0, 0),
        ("bl\tlog", 0, 1),
        ("blr\tx8", 0, 1),
    ],
)
def test_what_is_done_one_by_one_is_seen(instruction, one_by_one, calls):
    text = ARM.replace("\tb.ne", f"\t{instruction}\n\tb.ne")
    loop = assembly.hot_loop(text, assembly.Shape(2, 1))
    assert (loop.one_by_one, loop.calls) == (one_by_one, calls)


def test_a_page_is_filled_in_with_what_its_scripts_print(monkeypatch, tmp_path):
    page = tmp_path / "page.md"
    empty = "A\n<!-- begin: benchmarks.rows --quick -->\n{}<!-- end: benchmarks.rows -->\nB\n"
    page.write_text(empty.format("old\n"))
    monkeypatch.setattr(report, "output_of", lambda script, arguments: f"{script}{arguments}!")
    for _ in range(2):
        report.main([str(page)])
        assert page.read_text() == empty.format("\nbenchmarks.rows --quick!\n\n")


def test_the_picture_is_drawn_last_wherever_it_is(monkeypatch, tmp_path):
    page, run = tmp_path / "page.md", []
    scripts = "benchmarks.picture", "benchmarks.rows"
    page.write_text("".join(f"<!-- begin: {each} -->\n<!-- end: {each} -->\n" for each in scripts))
    monkeypatch.setattr(report, "output_of", lambda *call: run.append(call[0]) or call[0])
    report.main([str(page)])
    assert run == [*reversed(scripts)]
    assert [line for line in page.read_text().splitlines() if line in scripts] == [*scripts]


def test_an_answer_that_is_not_a_number_is_drawn_where_no_digit_is_right():
    assert [picture.drawn(error) for error in (1e-7, np.nan, np.inf, 40.0)] == [1e-7, 1, 1, 1]


SIZES = {
    rows: {"rows": 20, "length": 8, "peak_turns": 10},
    pairs: {
        "rows": {np.float32: 8, np.float64: 8},
        "near": 100,
        "second": 8,
        "length": 8,
        "given": dict.fromkeys(peers.PAIRS, 2),
        "dimensions": (10,),
        "numbers": (10,),
        "peak_turns": 100,
        "small_seconds": 1e-5,
    },
}


@pytest.mark.parametrize("script", SIZES)
def test_every_line_of_the_tables_is_there_and_the_picture_can_be_drawn(
    script, monkeypatch, tmp_path, capsys
):
    quick = replace(script.QUICK, judged=1, **SIZES[script])
    monkeypatch.setattr(script, "QUICK", quick)
    # Not in four processes of its own, which is slow.
    monkeypatch.setattr(memory, "beyond", lambda *shape: 1e6)
    # As where no peer but SciPy is installed.
    for name in ("ROWS", "LOGITS", "PAIRS"):
        loaders = getattr(peers, name)
        kept = {key: loaders[key] for key in (peers.OURS, "SciPy") if key in loaders}
        monkeypatch.setattr(peers, name, kept)
    written, image = tmp_path / "points.json", tmp_path / "picture.png"
    script.main(["--quick", "--json", str(written)])
    printed = capsys.readouterr().out
    for dtype in ("float32", "float64"):
        assert f"| {dtype} | jsdiv_numba | " in printed
        assert f"| {dtype} | SciPy | " in printed
    assert {point["peer"] for point in json.loads(written.read_text())} == {peers.OURS, "SciPy"}
    picture.main([str(written), str(image)])
    assert image.read_bytes().startswith(b"\x89PNG")


def test_a_column_for_each_set_of_instructions(monkeypatch, capsys):
    for name in ("ROWS", "LOGITS", "PAIRS"):
        loaders = getattr(peers, name)
        kept = {key: loaders[key] for key in (peers.OURS, "SciPy") if key in loaders}
        monkeypatch.setattr(peers, name, kept)
    few, a_few = replace(pairs.QUICK, **SIZES[pairs]), rows.Sizes(5, 8, 0, 100)
    monkeypatch.setattr(sets, "QUICK", sets.Sizes(2, a_few, a_few, few))
    # Not in processes of their own, and as if each were of another set.
    own = roofline.instruction_set()
    monkeypatch.setattr(sets, "OTHER", {own: {"another": "haswell"}})
    found = sets.measured(sets.QUICK)

    def measured(environment, _options):
        return {**found, "set": "another" if environment else own}

    monkeypatch.setattr(sets, "measured_elsewhere", measured)
    sets.main(["--quick"])
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert table[0] == f"| ratio of speeds (at least) | {own} | another |"
    assert [line.split(" | ")[0] for line in table[2:]] == [f"| {what}" for what in sets.SHOWN]
    of_some = [line for line in table if "SciPy" in line or "axis=0" in line]
    assert len(of_some) == 6
    assert all(cell for line in of_some for cell in line.strip("| ").split(" | "))


@pytest.mark.parametrize(("goal", "expected"), [(None, "2.00"), (2, "2.00 (≥ 2)")])
def test_a_median_beside_its_goal(goal, expected):
    assert sets.cell([(1.0, goal), (3.0, goal), (2.0, goal)]) == expected


def test_a_goal_that_is_not_reached_is_marked():
    assert sets.cell([(1.5, 2.0)]) == "1.50 (≥ 2, **no**)"


def test_every_line_of_the_derivatives_table_is_there(monkeypatch, capsys):
    monkeypatch.setattr(gradients, "QUICK", gradients.Sizes(5, 8))
    for loaders in (peers.GRADIENTS, peers.LOGIT_GRADIENTS):
        monkeypatch.delitem(loaders, "JAX")
    gradients.main(["--quick"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("| time of float") for line in lines) == 12


def test_every_line_of_the_table_of_layouts_is_there(capsys):
    layouts.main(["--quick"])
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if " | " in line]
    assert {len(cells) for cells in lines} == {6}
    assert len(lines) == 2 + 2 * (len(layouts.FUNCTIONS) + 1)


def test_every_line_of_the_table_of_kinds_is_there(capsys):
    kinds.main(["--quick"])
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if " | " in line]
    assert {len(cells) for cells in lines} == {7}
    assert len(lines) == 2 + 2 * (len(kinds.OF_PROBABILITIES) + len(kinds.OF_LOGITS))


def test_every_line_of_the_table_of_small_calls_is_there(monkeypatch, capsys):
    monkeypatch.setattr(small, "QUICK", small.Sizes(seconds=1e-5, repeats=1, many=50))
    small.main(["--quick"])
    lines = capsys.readouterr().out.splitlines()
    for dtype in ("float32", "float64"):
        assert sum(f", {dtype} / " in line for line in lines) == 12
    assert sum("two lists" in line for line in lines) == 1
    assert sum(line.endswith(" ns |") or " ns | " in line for line in lines) == 3


def test_every_line_of_the_table_of_files_is_there(monkeypatch, capsys):
    rows = {np.float32: 2_000, np.float64: 1_000}
    monkeypatch.setattr(batch, "QUICK", batch.Sizes(50, 16, 40, rows, repeats=1))
    batch.main(["--quick"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("| `jsdiv pairwise`, 50 × 50 rows of 16") for line in lines) == 1
    assert sum(line.startswith("| `rows`, float") for line in lines) >= 4


def test_what_files_need_of_memory_is_seen_while_the_command_runs(tmp_path):
    np.save(tmp_path / "x.npy", np.eye(3))
    run = batch.Watch("pairwise", tmp_path / "x.npy", "-o", tmp_path / "d.npy", "--tile", 2)
    assert (tmp_path / "d.npy").exists()
    # Elsewhere than on Linux it is not seen.
    assert not memory.STATUS.exists() or run.most["VmHWM"] > run.most["RssAnon"] > 1e6


def test_every_line_of_the_table_of_neighbours_is_there(monkeypatch, capsys):
    quick = replace(neighbors.QUICK, rows=60, fewer=40, turns=100, square=8)
    monkeypatch.setattr(neighbors, "QUICK", quick)
    # It compiles for a minute.
    monkeypatch.setattr(neighbors, "APPROXIMATED", ())
    # And so does another process.
    monkeypatch.setattr(neighbors, "memory_line", lambda _: [])
    neighbors.main(["--quick"])
    lines = capsys.readouterr().out.splitlines()
    for kind in neighbors.KINDS:
        assert sum(f" {kind} / " in line for line in lines) == 2


def test_every_line_of_the_table_of_sparse_rows_is_there(monkeypatch, capsys):
    # They compile for seconds.
    monkeypatch.setattr(sparse_rows, "pynndescent_seconds", lambda X, number: 1.0)
    monkeypatch.setattr(sparse_rows, "accumulations", lambda X, repeats: 1e-9)
    monkeypatch.setattr(sparse_rows.roofline, "instruction_set", lambda: "")
    sparse_rows.main(["--quick", "--part", "pairs"])
    lines = capsys.readouterr().out.splitlines()
    for kind in ("words", "cells", "uniform"):
        assert sum(f" {kind}, " in line and line.startswith("| ") for line in lines) == 4


def test_shared_entries_are_those_of_two_rows_on_average():
    X = scipy.sparse.csr_array([[1.0, 0, 2], [0, 3, 1], [4, 0, 0]])
    there = (X.toarray() > 0).astype(float)
    assert sparse_rows.shared_entries(X) == pytest.approx((there @ there.T).mean())


def test_every_line_of_the_table_of_features_is_there(monkeypatch, capsys):
    def exact(found, number):
        found = found.toarray() if scipy.sparse.issparse(found) else found
        return np.argsort(cdist(found, found), axis=1)[:, :number]

    # pynndescent compiles for a minute.
    monkeypatch.setattr(features, "nearest_by_index", exact)
    monkeypatch.setattr(features, "QUICK", 150)
    features.main(["--quick"])
    lines = capsys.readouterr().out.splitlines()
    for kind in features.KINDS:
        shares = [line.split(" | ")[3] for line in lines if f" {kind} |" in line]
        # Near as the features are, an index that is exact finds what is asked for.
        assert shares[1:] == ["100.00 %"] * 3


def test_every_line_of_the_table_of_samples_is_there(monkeypatch, capsys):
    monkeypatch.setattr(samples, "QUICK", samples.Sizes(2, resamples=9, many=3, repeats=1))
    monkeypatch.setattr(samples, "SETTINGS", samples.SETTINGS[2:4])
    monkeypatch.setattr(samples, "ALL_PAIRS", samples.SETTINGS[:1])
    samples.main(["--quick"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(" µs | ≤ " in line for line in lines) == 2
    assert sum(line.startswith("| seconds of 3 tests") for line in lines) == 1


def test_every_line_of_the_cluster_table_and_the_example_are_there(monkeypatch, capsys):
    monkeypatch.setattr(cluster, "QUICK", cluster.Sizes(rows=400, side=32, length=8, many=3))
    monkeypatch.setattr(cluster, "REPEATS", 1)
    monkeypatch.setattr(cluster, "CHUNKS", 10)
    cluster.main(["--quick"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("| ") for line in lines) == 7
    assert sum(line.startswith("- ") for line in lines) == 8


def test_every_line_of_the_table_of_searches_over_files_is_there(monkeypatch, capsys):
    monkeypatch.setattr(search, "REPEATS", 1)
    search.main(["--quick"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("| `batch.neighbors`, float32, 10 nearest") for line in lines) == 1
    assert sum(line.startswith("- ") for line in lines) == 6


def test_the_memory_that_a_call_needs_is_within_its_bound():
    shape = "pdist", "float32", 512, 256
    beyond = memory.beyond(*shape)
    # Elsewhere than on Linux it is not measured.
    assert beyond is None or 0 < beyond <= memory.allowed(*shape)


def test_a_peer_that_is_not_installed_is_left_out_with_a_note():
    def missing():
        raise ImportError

    loaders = {peers.OURS: peers.ROWS[peers.OURS], "Another": missing}
    assert [peer.name for peer in peers.installed(loaders)] == [peers.OURS]
    assert peers.note_on_missing(loaders) == "Not installed and left out: Another."


@pytest.mark.parametrize("by_profile", [False, True])
def test_every_kind_of_column_is_asked_for_false_alarms(monkeypatch, capsys, by_profile):
    monkeypatch.setattr(drift, "SIZES", (50,))
    drift.alarms(4, seed=0, by_profile=by_profile)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:-2]] == [*drift.draws(np.random)]
    assert lines[-1].startswith(f"Of {4 * len(lines[2:-2])} columns ")
    assert [line.split("|")[3].strip() for line in lines if "dates" in line] == ["-"]


def test_an_outlier_hides_a_shift_from_bins_of_equal_width(capsys):
    drift.outlier(seed=0)
    lines = capsys.readouterr().out.splitlines()[3:]
    distances = [float(line.split("|")[2]) for line in lines]
    assert distances[0] > 0.15
    assert distances[-1] < 0.01
    assert all(line.endswith("| yes |") for line in lines)
