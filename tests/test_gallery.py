"""What the gallery says of its pictures, computed again."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def run(name):
    return runpy.run_path(str(EXAMPLES / name))


@pytest.mark.parametrize("name", ["separation.py", "mixture.py"])
def test_a_script_draws(tmp_path, name):
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
