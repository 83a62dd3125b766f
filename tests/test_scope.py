"""The page of what is there: its table is what the code has."""

import re

import pytest

from tests import scope_table

DOCUMENTED = re.compile(r"^\.\. autofunction:: (\S+)", re.MULTILINE)


def test_the_table_is_that_of_the_code():
    """Where it is not: ``python -m tests.scope_table``."""
    assert scope_table.PAGE.read_text(encoding="utf-8") == scope_table.page()


def test_every_cell_leads_to_what_is_documented():
    folder = scope_table.ROOT / "docs" / "api"
    pages = [page.read_text(encoding="utf-8") for page in folder.glob("*.rst")]
    documented = {name for page in pages for name in DOCUMENTED.findall(page)}
    documented |= {f"jsdiv_numba.{name}" for name in documented if "." not in name}
    whole = {"jsdiv_numba.torch", "jsdiv_numba.jax"}
    assert all(any(f".. automodule:: {name}\n" in page for page in pages) for name in whole)
    for path in re.findall(r"<(jsdiv_numba\.[\w.]+)>", scope_table.table()):
        assert path in documented or path.rpartition(".")[0] in whole, path


@pytest.mark.parametrize(
    ("name", "column", "there"),
    [
        ("js_divergence", "logits", True),
        ("js_divergence", "many", True),
        ("jensenshannon", "logits", False),
        ("js_divergence_many", "sparse", False),
        ("cdist", "sparse", True),
        ("kneighbors", "weights", True),
        ("kneighbors", "command", True),
        ("js_divergence", "CUDA", True),
        ("entropy", "CUDA", False),
        ("kl_divergence", "pairs", True),
    ],
)
def test_cells_are_what_is_known(name, column, there):
    row = next(row for row in scope_table.rows() if row.name == name)
    assert (scope_table.COLUMNS[column](row) is not None) == there
