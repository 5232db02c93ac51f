"""Newness: whether rows from elsewhere look like the test rows to the model and without it, and which look newest."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError, TooFew, TooFewRows
from pfungst.findings import AnyEvidence, Examples, Table
from pfungst.methods.input_statistics import pixel_statistics, table_statistics, text_statistics
from pfungst.methods.two_sample import Comparison, two_sample_tests
from pfungst.outputs import Outputs
from pfungst.passes import Passes, Predict
from pfungst.probe import shot
from pfungst.probes.known_parts import positions, reader
from pfungst.statistics.multiplicity import holm

ROWS, FEWEST = 1000, 50
"""Rows of a set that are compared at most, and at least."""

TOO_COARSE = 0.65
"""A classifier's AUC that should have been found: where only larger ones would be, rows are too few."""

FOREIGN = 0.9
"""A classifier's AUC above which new rows are told from test rows at sight: nothing known of these carries over."""

STATED, NEWEST = "black-box-shift-detection", "classifier-two-sample-test"
"""The test that looks at stated probabilities, and the one that says how new each row is."""

WORDS = 128
"""Bins into which the words of texts are thrown."""


@dataclass(frozen=True, eq=False)
class Compared:
    """The tests by name with corrected p-values, and what is shown of them; ``shown`` are the pieces of evidence."""

    tests: dict[str, Comparison]
    p_values: dict[str, float]
    shown: tuple[AnyEvidence, ...]

    @property
    def doubt(self) -> str:
        """Why no estimate that goes by the answers can be trusted here, or ""."""
        one = self.tests.get(NEWEST)
        if one is not None and self.p_values[NEWEST] <= 0.05 and one.effect > FOREIGN:
            return "told apart at sight"
        return "inputs differ, answers do not" if self.unnoticed else ""

    @property
    def unnoticed(self) -> bool:
        """Whether features or inputs differ and the answers do not show it."""
        seen = [name for name, p in self.p_values.items() if p <= 0.05]
        return bool(seen) and STATED not in seen


@dataclass(frozen=True, eq=False)
class Pair:
    """Numbers of test rows and of new rows, and what they are."""

    reference: FloatArray
    new: FloatArray
    words: str
    columns: tuple[str, ...] = ()


def features_pass(name: str) -> Predict:
    """A sample of a set with the features of its rows."""
    return Predict(on=name, features=True, rows=ROWS)


def compared(data: Dataset, done: Passes, known: Predict, name: str, most: int) -> Compared | str:
    """The registered tests of a further set against the test rows, or why there are none."""
    new = done[features_pass(name)]
    reference = done[known].take(np.isin(positions(done[known]), data.sample(ROWS)))
    if min(len(reference), len(new)) < FEWEST:
        return TooFew(
            f"whether these rows differ from the test rows was not tested: {len(reference)} and {len(new)} rows are "
            f"there, and each set needs {FEWEST}"
        )
    try:
        reference, new, looked = side_by_side(data, name, reference, new)
        units = [
            None if some.units is None else some.units[positions(rows)]
            for some, rows in ((data, reference), (data.on(name), new))
        ]
        stated = Pair(reference.probabilities, new.probabilities, "stated probabilities") if new.complete else None
        pairs = {test: stated if test == STATED else looked for test in two_sample_tests}
        tests = {
            test: two_sample_tests[test](pair.reference, pair.new, *units, seed=data.seed)
            for test, pair in pairs.items()
            if pair is not None
        }
    except InputError as error:
        said = f"whether these rows differ from the test rows was not tested: {error}"
        return TooFew(said) if isinstance(error, TooFewRows) else said
    adjusted = dict(zip(tests, holm([one.p_value for one in tests.values()]).tolist(), strict=True))
    found = Compared(tests, adjusted, ())
    shown = (_table(data, found, pairs), *_columns(looked), *_newest(data, found, name, new, most))
    return Compared(tests, adjusted, shown)


def side_by_side(data: Dataset, name: str, reference: Outputs, new: Outputs) -> tuple[Outputs, Outputs, Pair]:
    """Columns of tables, features of others where the model offers them, else what pixels or words are like.

    Inputs are read anew; no more than fit into memory, and the answers to them.
    """
    if data.modality != "table" and reference.features is not None and new.features is not None:
        return reference, new, _scaled(reference.features, new.features, "features of the last layer", ())
    read = reader(data, passes=2)
    places, first = read(Predict(), positions(reference))
    others, second = read(Predict(on=name), positions(new))
    words, columns = {"image": ("pixel statistics", ()), "text": ("length, signs and words", ())}.get(
        data.modality, ("columns", data.features)
    )
    numbers = _numbers(np.concatenate([first, second]))
    pair = _scaled(numbers[: len(first)], numbers[len(first) :], words, columns)
    return reference.take(places), new.take(others), pair


def _numbers(inputs: Array) -> FloatArray:
    if inputs.ndim == 4:
        return pixel_statistics(inputs)
    if inputs.ndim == 1:
        counts = np.zeros((len(inputs), WORDS))
        for row, text in zip(counts, inputs, strict=True):
            for word in str(text).casefold().split():
                row[zlib.crc32(word.encode("utf-8", "surrogatepass")) % WORDS] += 1
        return np.concatenate([text_statistics(inputs, frozenset()), np.log1p(counts)], axis=1)
    return table_statistics(inputs, inputs)


def _scaled(reference: Array, new: Array, words: str, columns: tuple[str, ...]) -> Pair:
    both = np.concatenate([reference, new]).astype(np.float64)
    spread = both.std(axis=0)
    scaled = np.clip((both - both.mean(axis=0)) / np.where(spread > 0, spread, 1), -10, 10)
    return Pair(scaled[: len(reference)], scaled[len(reference) :], words, columns)


def _table(data: Dataset, found: Compared, pairs: dict[str, Pair | None]) -> Table:
    def says(name: str, one: Comparison) -> str:
        if found.p_values[name] <= 0.05:
            most = "" if one.column is None else f": most in the probability of {data.classes[one.column]}"
            return f"they differ{most}"
        coarse = one.measure == "AUC" and one.detectable > TOO_COARSE
        return "too few rows to say" if coarse else "no difference seen"

    rows = []
    for name, one in found.tests.items():
        pair = pairs[name]
        assert pair is not None, "what was tested was looked at"
        numbers = (f"{one.measure} {one.effect:.3f}", f"{one.detectable:.3f}", f"{found.p_values[name]:.3f}")
        rows.append((name, pair.words, *numbers, says(name, one)))
    return Table(
        title="Do these rows differ from the test rows? (rows or units permuted; Holm)",
        columns=("test", "looks at", "effect", "would be found from", "p, corrected", ""),
        rows=tuple(rows),
    )


def _columns(looked: Pair, most: int = 8) -> Iterator[AnyEvidence]:
    """The columns of a table that lie furthest apart."""
    if len(looked.columns) != looked.new.shape[1]:
        return
    distances = [_distance(*pair) for pair in zip(looked.reference.T, looked.new.T, strict=True)]
    order = np.argsort(distances)[::-1][:most]
    yield Table(
        title="Columns that differ most (share of rows that would have to move)",
        columns=("column", "KS distance"),
        rows=tuple((looked.columns[i], f"{distances[i]:.3f}") for i in order),
    )


def _distance(first: FloatArray, second: FloatArray) -> float:
    at = np.concatenate([first, second])
    shares: Sequence[FloatArray] = [np.searchsorted(np.sort(x), at, "right") / len(x) for x in (first, second)]
    return float(np.abs(shares[0] - shares[1]).max())


def _newest(data: Dataset, found: Compared, name: str, new: Outputs, shown: int) -> Iterator[AnyEvidence]:
    one = found.tests.get(NEWEST)
    if one is None or one.newness is None or found.p_values[NEWEST] > 0.05:
        return
    order: IntArray = np.argsort(-one.newness, kind="stable")[:shown]
    yield Examples(
        title="The rows that are newest to a classifier",
        items=tuple((shot(data, Predict(on=name), new, int(i)),) for i in order),
    )
