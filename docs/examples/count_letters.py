"""Count the letters in Debian's word lists: how ``letters.csv`` was made.

On Debian 12 (bookworm), as root::

    apt-get install wamerican wcatalan wdanish wdutch wfaroese wfrench wgaelic \
        wgalician-minimos wirish witalian wmanx wngerman wnorwegian wpolish \
        wportuguese wspanish wswedish

and then, as anyone::

    python docs/examples/count_letters.py /usr/share/dict --output docs/examples/letters.csv

Each word of a list counts once, whatever its frequency in running text; capitals
count as small letters. The columns are a to z and, after them, the letters that any of
the languages adds to those, as far as its list writes them: the French one has ``oe``
for ``œ``, the Manx one no ``ç``. Every column is counted in every list, so the odd loan
word brings an ``é`` to English.

The table below names each list's package, version, licence and encoding. Only the
counts are kept, none of the words. The lists in Cyrillic (wbulgarian, wukrainian) are
left out, since they have nothing in common with the others.
"""

import argparse
import csv
import string
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple


class WordList(NamedTuple):
    """One of Debian's word lists, and the letters that its language adds to a-z."""

    language: str
    package: str
    version: str
    licence: str
    file: str
    encoding: str
    letters: str


WORD_LISTS = (
    WordList("Catalan", "wcatalan", "0.20111230b-14", "GPL-2+", "catalan", "utf-8", "àçèéíïòóúü"),
    WordList("Danish", "wdanish", "1.6.36-14", "GPL-2+", "danish", "utf-8", "æøåé"),
    WordList(
        "Dutch", "wdutch", "1:2.20.19-2", "BSD-3-Clause or CC-BY-3.0", "dutch", "utf-8", "éèëïöü"
    ),
    WordList("English", "wamerican", "2020.12.07-2", "SCOWL", "american-english", "utf-8", ""),
    WordList("Faroese", "wfaroese", "0.4.2+repack1-4", "GPL-2+", "faroese", "utf-8", "áðíóúýæø"),
    WordList("French", "wfrench", "1.2.7-2", "GPL-2+", "french", "utf-8", "àâçéèêëîïôùûü"),
    WordList(
        "Galician", "wgalician-minimos", "0.5-48", "GPL-2+", "galician-minimos", "utf-8", "áéíñóúü"
    ),
    WordList("German", "wngerman", "20161207-11", "GPL-2+", "ngerman", "utf-8", "äöüß"),
    WordList("Irish", "wirish", "2.0-27.1", "GPL-3", "irish", "utf-8", "áéíóú"),
    WordList("Italian", "witalian", "1.10", "GPL-3+", "italian", "utf-8", "àèéìòù"),
    WordList("Manx", "wmanx", "0.50-16.1", "GPL-3", "manx", "latin-1", ""),
    WordList("Norwegian Bokmål", "wnorwegian", "2.2-4", "GPL-2+", "bokmaal", "latin-1", "æøåéèêòô"),
    WordList(
        "Norwegian Nynorsk", "wnorwegian", "2.2-4", "GPL-2+", "nynorsk", "latin-1", "æøåéèêòóô"
    ),
    WordList(
        "Polish",
        "wpolish",
        "20220301-1",
        "GPL-2, LGPL-2.1, MPL-1.1, Apache-2.0 or CC-BY-4.0",
        "polish",
        "utf-8",
        "ąćęłńóśźż",
    ),
    WordList(
        "Portuguese",
        "wportuguese",
        "20220621-1",
        "GPL-2+, LGPL-2.1+ or MPL-1.1",
        "portuguese",
        "utf-8",
        "àáâãçéêíóôõú",
    ),
    WordList("Scottish Gaelic", "wgaelic", "0.50-13.1", "GPL-3", "gaelic", "utf-8", "àèìòù"),
    WordList("Spanish", "wspanish", "1.0.30", "public domain", "spanish", "utf-8", "áéíñóúü"),
    WordList("Swedish", "wswedish", "1.4.5-3", "GPL-2+", "swedish", "latin-1", "åäöé"),
)


def find(word_list: WordList, folders: Iterable[Path]) -> Path:
    """Return the file of a word list in the first folder that has it."""
    for folder in folders:
        if (folder / word_list.file).is_file():
            return folder / word_list.file
    raise FileNotFoundError(
        f"{word_list.file}: not in the given folders; Debian has it in {word_list.package}"
    )


def count_letters(words: Iterable[str]) -> Counter[str]:
    """Count the characters of words, in lower case; affix flags after a slash are left out.

    >>> sorted(count_letters(["Ach", "achomharcainn/E"]).items())[:4]
    [('a', 4), ('c', 3), ('h', 3), ('i', 1)]
    """
    counts: Counter[str] = Counter()
    for word in words:
        counts.update(unicodedata.normalize("NFC", word.partition("/")[0]).lower())
    return counts


def table(folders: Sequence[Path]) -> list[list[str | int]]:
    """Return the header and a line of counts for each language."""
    added = set("".join(word_list.letters for word_list in WORD_LISTS))
    letters = [*string.ascii_lowercase, *sorted(added)]
    lines: list[list[str | int]] = [["language", *letters]]
    for word_list in WORD_LISTS:
        with find(word_list, folders).open(encoding=word_list.encoding) as words:
            counts = count_letters(words)
        lines.append([word_list.language, *(counts[c] for c in letters)])
    return lines


def main() -> None:
    """Write the table as CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="where the word lists are")
    parser.add_argument("--output", type=Path, required=True, help="the CSV file to write")
    arguments = parser.parse_args()
    try:
        lines = table(arguments.folders)
    except FileNotFoundError as error:
        sys.exit(str(error))
    with arguments.output.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)


if __name__ == "__main__":
    main()
