"""The files that are damaged, as small as may be: ``python -m tests.fuzz.seeds`` writes them."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import zarr
from pyarrow import feather, parquet
from scipy import io, sparse

FOLDER = Path(__file__).parent / "seeds"
COUNTS = np.array([[4.0, 1.0, 0.5], [0.0, 2.0, 7.0], [3.0, 3.0, 0.0], [1.0, 0.0, 9.0]])
_TEXT = "k,a,b,c\nw,4,1,0.5\nx,0,2,7\ny,3,3,0\nz,1,0,9\n"


def write() -> None:
    """Write all seeds anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    np.save(FOLDER / "rows.npy", COUNTS)
    np.save(FOLDER / "columns.npy", np.asfortranarray(COUNTS.astype(np.float32)))
    np.savez(FOLDER / "stored.npz", COUNTS)
    np.savez_compressed(FOLDER / "deflated.npz", COUNTS)
    sparse.save_npz(FOLDER / "sparse.npz", sparse.csr_matrix(COUNTS))
    io.mmwrite(FOLDER / "matrix.mtx", sparse.coo_matrix(COUNTS))
    (FOLDER / "text.csv").write_text(_TEXT)
    (FOLDER / "quoted.csv").write_text(_TEXT.replace("w", '"w, ""w"""').replace("k,", ",", 1))
    (FOLDER / "semicolons.csv").write_text(_TEXT.replace(",", ";").replace("0.5", "0,5"))
    (FOLDER / "tabs.tsv").write_text(_TEXT.replace(",", "\t"))
    (FOLDER / "spaces.txt").write_text("# comment\n" + _TEXT.replace(",", "  "))
    (FOLDER / "text.csv.gz").write_bytes(gzip.compress(_TEXT.encode(), mtime=0))
    table = pa.table({"k": list("wxyz"), **dict(zip("abc", COUNTS.T, strict=True))})
    parquet.write_table(table, FOLDER / "table.parquet", compression="none")
    lists = pa.table({"k": list("wxyz"), "v": pa.array(COUNTS.tolist())})
    parquet.write_table(lists, FOLDER / "lists.parquet", compression="zstd")
    feather.write_feather(table, str(FOLDER / "table.feather"))
    (FOLDER / "folder").mkdir()
    for name, part in (("1.parquet", table[:2]), ("2.parquet", table[2:])):
        parquet.write_table(part, FOLDER / "folder" / name, compression="none")
    array = zarr.create_array(
        FOLDER / "array.zarr", shape=COUNTS.shape, chunks=(2, 3), dtype=COUNTS.dtype
    )
    array[:] = COUNTS


if __name__ == "__main__":
    write()
