"""Matrix Market files: those that SciPy writes, as SciPy reads them, and damaged ones."""

import io

import numpy as np
import pytest
from scipy import io as scipy_io
from scipy import sparse

from jsdiv_numba.batch.io.compressed import rows_of
from jsdiv_numba.batch.io.matrix_market import matrix_entries, matrix_header

DENSE = np.array([[1.0, 2.0, 0.0], [2.0, 0.0, 3.5], [0.0, 3.5, 7.0]])
SKEW = np.array([[0.0, 2.0, 0.0], [-2.0, 0.0, 3.5], [0.0, -3.5, 0.0]])


def read(text):
    file = io.BytesIO(text)
    header = matrix_header(file)
    return rows_of(matrix_entries(file, header), header.shape, np.dtype(float)).toarray()


@pytest.mark.parametrize("symmetry", ["general", "symmetric", "skew-symmetric"])
@pytest.mark.parametrize("make", [np.asarray, sparse.coo_array], ids=["array", "coordinate"])
@pytest.mark.parametrize("field", ["real", "integer", "pattern"])
def test_what_scipy_writes_is_what_scipy_reads(make, field, symmetry):
    matrix = SKEW if symmetry == "skew-symmetric" else DENSE
    if field == "integer":
        matrix = matrix.astype(int)
    if field == "pattern" and make is np.asarray:
        field = "real"  # of an array there is no pattern
    file = io.BytesIO()
    scipy_io.mmwrite(file, make(matrix), comment="one\ntwo", field=field, symmetry=symmetry)
    expected = scipy_io.mmread(io.BytesIO(file.getvalue()))
    dense = expected.toarray() if sparse.issparse(expected) else expected
    np.testing.assert_array_equal(read(file.getvalue()), dense)


def test_lines_that_repeat_add_up_and_blank_ones_do_not_count():
    text = (
        b"%%MatrixMarket MATRIX Coordinate Real General\n%c\n\n2 3 3\n1 1 2\n\n1 1 0.5\n2 3 4\n\n"
    )
    np.testing.assert_array_equal(read(text), [[2.5, 0, 0], [0, 0, 4]])
    np.testing.assert_array_equal(
        read(b"%%MatrixMarket matrix coordinate real general\n2 2 0\n"), np.zeros((2, 2))
    )


BANNER = b"%%MatrixMarket matrix coordinate real general\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "its first line is not"),
        (b"1 2 3\n", "its first line is not"),
        (BANNER.replace(b"coordinate", b"list"), "its format is 'list'"),
        (BANNER.replace(b"real", b"complex"), "its values are complex and general"),
        (BANNER.replace(b"general", b"hermitian"), "its values are real and hermitian"),
        (BANNER.replace(b"coordinate real", b"array pattern"), "its values are pattern"),
        (BANNER, "it ends before its sizes"),
        (BANNER + b"2 2\n", r"its sizes are \(2, 2\)"),
        (BANNER + b"2 -2 1\n", r"its sizes are \(2, -2, 1\)"),
        (BANNER + b"2 x 1\n", "invalid literal for int"),
        (BANNER.replace(b"general", b"symmetric") + b"2 3 1\n", "of 2 rows and 3 columns"),
        (BANNER + b"2 2 2\n1 1 5\n", "there are 1 lines of 3 numbers, not 2 of 3"),
        (BANNER + b"2 2 1\n1 1\n", "there are 1 lines of 2 numbers, not 1 of 3"),
        (BANNER + b"2 2 0\n1 1 5\n", "there are 1 lines of 3 numbers, not 0 of 3"),
        (BANNER + b"2 2 1\n", "there are 0 lines of 3 numbers, not 1 of 3"),
        (BANNER + b"2 2 1\n1 3 5\n", "a value stands outside of 2 × 2"),
        (BANNER + b"2 2 1\n0 1 5\n", "a value stands outside of 2 × 2"),
        (BANNER + b"2 2 1\n1.5 1 5\n", "a value stands outside of 2 × 2"),
        (BANNER + b"2 2 1\nnan 1 5\n", "a value stands outside of 2 × 2"),
        (BANNER + b"2 2 1\n1 1 y\n", "could not convert string 'y'"),
    ],
)
def test_a_damaged_file_is_an_error(text, message):
    with pytest.raises(ValueError, match=message):
        read(text)
