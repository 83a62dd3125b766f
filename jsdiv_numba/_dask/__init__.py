"""From Dask arrays to graphs of tasks: their chunks, their blocks, and what a task computes."""

from importlib.util import find_spec

if find_spec("dask") is None:
    message = 'jsdiv_numba.dask needs Dask: pip install "jsdiv_numba[dask]"'
    raise ModuleNotFoundError(message, name="dask")
