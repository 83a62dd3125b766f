"""Which columns of a table label its rows, and which are its categories."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NoReturn

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.format import counted, shown
from jsdiv_numba.batch.io.headings import is_heading_word
from jsdiv_numba.batch.io.options import NO_LABELS, TableOptions, UnknownColumnError, chosen

_SHOWN = 40
_FEWEST = 3
# What names a column of whole numbers that label rows, wherever the column stands.
_KEY = re.compile(
    r"""\#?\s*(?:
        (?:.*[\s_.-])?(?:id|ids|identifier|key|uuid|index|code)
        |(?-i:\w*[a-z](?:Id|ID))
        |zip|zip\s?code|postal\s?code|post\s?code|plz|fips|geoid|isbn|ean|gtin|barcode
        |year|jahr|date|datum|month|week|day|timestamp|quarter
        |row|row\s?(?:nr|no|number)|line|nr|number|unnamed:\s\d+
        |replicate|rep|batch|plate|lane|run|visit|cohort|sample|subject|patient|participant
    )\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_ALWAYS_KEY = re.compile(r"#?(?:id|year|zip|zip\s?code|fips|isbn|date|.*[\s_]id)", re.IGNORECASE)
_COORDINATE = re.compile(r"lat|lon|lng|latitude|longitude", re.IGNORECASE)
_CATEGORY_HEADING = re.compile(
    r"#?\s*(?:otu|asv|zotu|taxon|taxonomy|feature)"
    r"(?:[\s_]?(?:id|name|ids|names))?s?\s*",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")


@dataclass(frozen=True)
class Field:
    """A column of a table, as far as a sample of its rows shows it."""

    name: str  # its heading; empty where it has none
    kind: str
    """What it holds; ``"empty"`` is a column without a heading and without values. {"number",
    "text", "empty", "other"}."""
    marked: bool = False  # whether the format itself says that it labels the rows, as pandas does
    whole: tuple[int, ...] | None = None  # the sample of its values, if all are whole numbers
    fractions: bool = False  # whether a value is no whole number


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are for."""

    labels: Sequence[int]
    values: Sequence[int]
    ignored: Sequence[int]
    """The columns that label the rows, that are categories, and that are left out."""
    warnings: tuple[str, ...] = ()  # where another reading is plausible
    chosen: bool = False  # whether the user has named the categories one by one


def roles(
    fields: Sequence[Field],
    options: TableOptions,
    source: str,
    *,
    named: bool,
) -> Roles:
    """Return what the columns of a table are for.

    `named` says whether the columns have headings. Raises `FileError` if the options name
    no such column, or if a column may as well label the rows.

    Examples
    --------
    >>> fields = [Field("country", "text"), Field("a", "number"), Field("b", "number")]
    >>> roles(fields, TableOptions(exclude="b"), "f.csv", named=True)
    Roles(labels=(0,), values=(1,), ignored=(2,), warnings=(), chosen=False)
    """
    return _Assignment(fields, options, source, named).roles()


class _Assignment:
    """The steps from columns to their roles."""

    def __init__(
        self, fields: Sequence[Field], options: TableOptions, source: str, named: bool
    ) -> None:
        self.fields, self.options, self.source, self.named = fields, options, source, named
        self.warnings: list[str] = []
        self.index: list[int] = []

    def roles(self) -> Roles:
        options = self.options
        everything = [j for j, field in enumerate(self.fields) if field.kind != "empty"]
        excluded = set(self._chosen("exclude", options.exclude))
        wanted = self._chosen("columns", options.columns) if options.columns else None
        free = [j for j in everything if j not in excluded and (not wanted or j not in wanted)]
        labels = self._labels(free, wanted)
        if wanted is None:
            no_values = {*labels, *self.index}
            values = [j for j in free if j not in no_values and not self.fields[j].marked]
        else:
            values = [j for j in wanted if j not in labels and j not in excluded]
        if options.label_column is None and wanted is None:
            self._look_for_keys(labels, values)
        if not options.transpose and labels and self.named:
            self._look_for_categories_in_rows(labels[0])
        used = {*labels, *values}
        ignored = [j for j in everything if j not in used]
        if not values and any(self.fields[j].kind == "number" for j in ignored):
            self._refuse_to_leave_none()
        return Roles(
            tuple(labels), tuple(values), tuple(ignored), tuple(self.warnings), wanted is not None
        )

    def _refuse_to_leave_none(self) -> None:
        """Raise `FileError` if options are why no column of numbers is left."""
        names = ("long",) if self.options.long else ("columns", "exclude")
        said = [f"--{name}" for name in names if getattr(self.options, name)]
        if said:
            verb = "leaves" if len(said) == 1 else "leave"
            raise FileError(f"{self.source}: {' and '.join(said)} {verb} no numeric column")

    def _chosen(self, option: str, given: object) -> list[int]:
        if given is None:
            return []
        names = [field.name for field in self.fields] if self.named else None
        try:
            return chosen(given, names, len(self.fields))  # type: ignore[arg-type]
        except UnknownColumnError as error:
            raise FileError(f"{self.source}: --{option.replace('_', '-')}: {error}") from error

    def _labels(self, free: Sequence[int], wanted: Sequence[int] | None) -> list[int]:
        given = self.options.label_column
        if given is not None:
            return [] if given in ((NO_LABELS,), (False,)) else self._chosen("label_column", given)
        fields = self.fields
        marked = [j for j in free if fields[j].marked]
        unmarked = [j for j in free if not fields[j].marked]
        if not marked and len(unmarked) > 1 and self._only_counts(*unmarked[:2]):
            # Numbers before text are an index, as pandas writes it.
            self.index = unmarked[:1]
            del unmarked[0]
        leading = []
        for j in unmarked:
            key = (
                self.named
                and fields[j].whole is not None
                and _KEY.fullmatch(_spaced(fields[j].name))
            )
            if not (fields[j].kind == "text" or key):
                break
            leading.append(j)
        if wanted is not None:
            # What is not wanted is no label unless it stands first, or is text.
            leading = [j for j in leading if fields[j].kind == "text" or j == 0]
        text = [j for j in leading if fields[j].kind == "text"]
        # The numbers of pandas' index say less than text, and than a key with a name.
        numbered = len(marked) == 1 and fields[marked[0]].whole is not None
        return leading if text and (not marked or numbered) else [*marked, *leading]

    def _only_counts(self, j: int, after: int) -> bool:
        """Return whether a column counts the rows, and text follows."""
        whole = self.fields[j].whole or ()
        counts = whole in (tuple(range(len(whole))), tuple(range(1, len(whole) + 1)))
        return counts and len(whole) > 1 and self.fields[after].kind == "text"

    def _look_for_keys(self, labels: Sequence[int], values: Sequence[int]) -> None:
        fields = self.fields
        if values and not labels and fields[values[0]].whole is not None:
            self._look_at_first(values)
        for j in values[1:] if labels or len(values) > 1 else ():
            field = fields[j]
            key = field.whole is not None and _ALWAYS_KEY.fullmatch(field.name)
            if self.named and key:
                self._warn(j, "is taken for a category by what it holds, not for a label")
        for j in values:
            if self.named and _COORDINATE.fullmatch(self.fields[j].name):
                self._warn(j, "is taken for a category by what it holds, not for a place")

    def _look_at_first(self, values: Sequence[int]) -> None:
        j, *others = values
        whole = self.fields[j].whole or ()
        if len(set(whole)) < len(whole) or len(whole) < 2 or not others:
            return
        sibling = self.named and _is_sibling([self.fields[k].name for k in values])
        rest = [self.fields[k] for k in others]
        steps = {b - a for a, b in pairwise(whole)}
        counting = len(whole) >= _FEWEST and steps == {1} and whole[0] in (0, 1)
        most = max((max(other.whole or (0,)) for other in rest), default=0)
        large = all(other.whole is not None for other in rest) and min(whole) > most
        apart = any(other.fractions for other in rest) and max(whole) > 1
        if sibling and not apart:
            return
        heading = self.named and is_heading_word(self.fields[j].name)
        if counting or large or apart or heading:
            self._refuse(j)
        alike = sum(
            other.whole is not None and len(set(other.whole)) == len(other.whole) for other in rest
        )
        if self.named and len(whole) >= _FEWEST and 2 * alike < len(rest):
            self._refuse(j)
        if self.named and len(whole) >= _FEWEST:
            self._warn(j, "is taken for a category; its whole numbers are all different")

    def _look_for_categories_in_rows(self, j: int) -> None:
        name = self.fields[j].name
        if _CATEGORY_HEADING.fullmatch(name):
            self.warnings.append(
                f"{self.source}: the rows are called {shown(name, _SHOWN)!r}, which are "
                "categories as a rule, and are compared; --transpose compares the columns"
            )

    def _refuse(self, j: int) -> NoReturn:
        name = self._name(j)
        raise FileError(
            f"{self.source}: {self._called(j)}, of whole numbers that are all different, may label "
            f"the rows or be a category; say --label-column {name} or --label-column none"
        )

    def _warn(self, j: int, reading: str) -> None:
        name = self._name(j)
        self.warnings.append(
            f"{self.source}: {self._called(j)} {reading}; --label-column {name} takes it for the "
            f"rows' labels, --exclude {name} leaves it out"
        )

    def _called(self, j: int) -> str:
        return f"column {self.fields[j].name!r}" if self._has_name(j) else f"column {j + 1}"

    def _name(self, j: int) -> str:
        return repr(self.fields[j].name) if self._has_name(j) else str(j + 1)

    def _has_name(self, j: int) -> bool:
        return self.named and bool(self.fields[j].name)


def _spaced(name: str) -> str:
    return name.strip().replace("_", " ") if name != "_" else name


def _is_sibling(names: Sequence[str]) -> bool:
    """Return whether names count on from the first: x1, x2, ..., or a, b, ..."""
    first, second = names[:2]
    if len(first) == len(second) == 1:
        return first.isalpha() and ord(second) == ord(first) + 1
    one, two = _NUMBERED.fullmatch(first), _NUMBERED.fullmatch(second)
    return bool(one and two and one[1] == two[1] and one[3] == two[3] and one[2] != two[2])


def require_categories(
    source: str, count: int, first: str, reading: str = "", *, transposed: bool = False
) -> None:
    """Raise `FileError` if there is only one category, or none.

    `transposed` says whether categories are the file's rows.
    """
    if count > 1:
        return
    noun = "row" if transposed else "numeric column"
    found = f"no {noun}" if not count else f"only {counted(count, noun)}, {first}"
    raise FileError(f"{source}: {found}, but a distribution needs two categories or more{reading}")
