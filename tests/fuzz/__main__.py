"""A long run by hand: ``python -m tests.fuzz --count 100000``.

Each input is drawn from a number, so that ``--only NUMBER`` tries it again. A process that
hangs in one or crashes leaves it in the folder, and says which number it was.
"""

import argparse
import faulthandler
import json
import math
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.fuzz.mutations import Mutation, drawn, mutated
from tests.fuzz.targets import (
    Target,
    command,
    in_memory_and_in_tiles,
    journal,
    seed_files,
    stopped_run,
)

_SECONDS = 60
"""What is a hang."""

_MOST_BYTES, _MOST_CHUNKS = 6 << 30, 1000


class Fuzzer:
    """Draws inputs, and tries them in a folder.

    Parameters
    ----------
    folder : Path
        Where to.
    seed : int
        Of all that is drawn.
    name : str
        What the names of the files that are damaged have in them.
    """

    def __init__(self, folder: Path, seed: int, name: str = "") -> None:
        self.folder, self.seed = folder, seed
        self.files = [(file, top) for file, top in seed_files() if name in top.name]
        self.contents = [file.read_bytes() for file, _ in self.files]
        made = folder / "made"
        made.mkdir()
        self.journal = stopped_run(made).read_bytes()

    def tried(self, number: int) -> tuple[str, bool]:
        """Try one input; return what it was made of, and whether it was read.

        Parameters
        ----------
        number : int
            Which one.
        """
        chance = random.Random(f"{self.seed}:{number}")
        mutations, work = drawn(chance), self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        (work / "out").mkdir(parents=True)
        kind = chance.random()
        if kind < 0.03:
            path = work / "journal"
            path.write_bytes(mutated(self.journal, mutations, self.journal))
            return "journal", journal(path, work / "out")
        path, name = self._damaged(chance, mutations, work)
        if _takes_long(path):
            return "array.zarr, of too many chunks to be read", False
        target: Target = command if kind < 0.08 else in_memory_and_in_tiles
        return name, target(path, work / "out")

    def _damaged(
        self, chance: random.Random, mutations: list[Mutation], work: Path
    ) -> tuple[Path, str]:
        index = chance.randrange(len(self.files))
        file, top = self.files[index]
        path = work / top.name
        if top.is_dir():
            shutil.copytree(top, path)
        damaged = path / file.relative_to(top) if top.is_dir() else path
        damaged.write_bytes(mutated(self.contents[index], mutations, chance.choice(self.contents)))
        return path, top.name


def _takes_long(path: Path) -> bool:
    """Return whether a Zarr array says that it has so many chunks that to read them takes long.

    That they are not there is no fault: it is how Zarr keeps zeros.
    """
    try:
        metadata = json.loads((path / "zarr.json").read_bytes())
        shape = metadata["shape"]
        chunk = metadata["chunk_grid"]["configuration"]["chunk_shape"]
        return math.prod(n / c for n, c in zip(shape, chunk, strict=True)) > _MOST_CHUNKS
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError):
        return False


def main() -> int:
    """Try inputs, tell of faults, and return whether there were any."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--count", type=int, default=10_000, help="how many inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="", help="only files with this in their names")
    parser.add_argument("--only", type=int, help="the number of one input")
    parser.add_argument("--folder", help="where to write; best in memory, as /dev/shm")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="jsdiv-fuzz-", dir=arguments.folder))
    fuzzer = Fuzzer(folder, arguments.seed, arguments.name)
    numbers = range(arguments.count) if arguments.only is None else [arguments.only]
    tried, read, faults = Counter(), Counter(), Counter()
    begun = time.monotonic()
    # A file that says that it is huge may not take the memory of all.
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    for number in numbers:
        (folder / "number").write_text(str(number))
        faulthandler.dump_traceback_later(_SECONDS, exit=True)
        try:
            name, is_read = fuzzer.tried(number)
            tried[name] += 1
            read[name] += is_read
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            faults[f"{type(error).__name__}, {place.filename}:{place.lineno}"] += 1
            if sum(faults.values()) <= 20:
                options = f"--seed {arguments.seed} --name '{arguments.name}'"
                print(f"--only {number} {options}: {traceback.format_exc()}")
        faulthandler.cancel_dump_traceback_later()
        if (number + 1) % 5000 == 0:
            seconds = time.monotonic() - begun
            print(
                f"{number + 1:,} inputs, {sum(faults.values())} faults, {seconds:.0f} s", flush=True
            )
    for name, count in sorted(tried.items()):
        print(f"{name}: {count:,} tried, {read[name]:,} of them read")
    print(f"{sum(tried.values()):,} inputs without a fault, {sum(faults.values())} with one")
    for place, count in faults.most_common():
        print(f"{count}: {place}")
    if arguments.only is None:
        shutil.rmtree(folder)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
