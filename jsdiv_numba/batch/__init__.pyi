from .errors import FileError as FileError
from .errors import FileWarning as FileWarning
from .errors import OutputError as OutputError
from .errors import PictureWarning as PictureWarning
from .errors import RowError as RowError
from .errors import TableWarning as TableWarning
from .io.options import TableOptions as TableOptions
from .jobs.neighbors import neighbors as neighbors
from .jobs.pairs import pairwise as pairwise
from .jobs.rows import rows as rows
from .run.dask_executor import Cluster as Cluster
from .run.dask_executor import connected as connected
from .run.engine import Summary as Summary
from .run.executor import Executor as Executor
from .run.executor import Threads as Threads
from .run.progress import Bar as Bar
from .run.progress import Lines as Lines
from .run.progress import Progress as Progress
from .run.progress import chosen as chosen
from .run.task import compute_tile as compute_tile

__all__: list[str]
