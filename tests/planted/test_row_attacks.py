"""Attacks on texts and tables: what is known to be breakable breaks, budgets are kept to, and all is asked again."""

import numpy as np
import pytest

import pfungst
from pfungst.datasets.dataset import Batch
from pfungst.errors import InputError
from pfungst.findings import Table
from pfungst.methods.row_threats import ColumnMoves, GoodWords, Misspelling
from pfungst.methods.text_shifts import Vocabulary
from pfungst.passes import Attack

SPAM, HAM = ("prize", "cash", "winner"), ("lunch", "dear", "home")


class Counting:
    """Scores are counts of words, spelled exactly; every question is counted."""

    offers = frozenset({"new inputs"})

    def predict(self, inputs):
        from pfungst.outputs import from_logits

        counts = [[sum(str(text).split().count(word) for word in words) for words in (SPAM, HAM)] for text in inputs]
        return from_logits(np.array(counts, np.float32) + np.array([0.5, 0.0], np.float32))


class Linear:
    """Two classes, score weights . row + bias."""

    offers = frozenset({"new inputs"})

    def __init__(self, weights):
        self.weights = np.array(weights)

    def predict(self, inputs):
        from pfungst.outputs import from_logits

        score = np.asarray(inputs, np.float64) @ self.weights
        return from_logits(np.stack([-score / 2, score / 2], axis=1).astype(np.float32))


def batch_of(inputs, labels):
    rows = np.arange(len(inputs))
    return Batch(tuple(f"row {row}" for row in rows), rows, inputs, np.asarray(labels))


def texts(*written):
    found = np.empty(len(written), object)
    found[:] = written
    return found


def test_as_many_good_words_are_appended_as_it_takes_and_no_more():
    batch = batch_of(texts("prize", "prize cash", "prize cash winner prize", "lunch dear"), [0, 0, 0, 1])
    done = Attack(GoodWords(Vocabulary((SPAM, HAM)), (1.0, 2.0, 3.0))).run(Counting(), batch)
    # Spam wins ties by half a point: one word more than the text's own is needed of ham.
    assert done.budget.tolist() == [2.0, 3.0, np.inf, 2.0]
    assert done.distance.tolist() == [2.0, 3.0, np.inf, 2.0]
    assert done.broken.tolist() == [True, True, False, True]
    assert done.left[2] == batch.inputs[2]
    assert all(str(left).startswith(str(text)) for left, text in zip(done.left, batch.inputs, strict=True))


def test_words_are_misspelled_one_by_one_until_the_answer_goes():
    batch = batch_of(texts("prize, dear!", "a prize and cash, dear", "lunch dear home"), [0, 0, 1])

    class Loose(Counting):
        def predict(self, inputs):
            return Counting.predict(self, [str(text).replace(",", "").replace("!", "") for text in inputs])

    done = Attack(Misspelling((1.0, 2.0, 3.0))).run(Loose(), batch)
    assert done.budget.tolist() == [1.0, 2.0, 3.0]
    assert done.distance.tolist() == [1.0, 2.0, 3.0]
    assert "dear" in done.left[0]
    assert "prize" not in done.left[0]


def test_of_a_linear_model_exactly_those_rows_fall_that_can():
    rng = np.random.default_rng(0)
    weights, spread = np.array([1.0, -2.0, 0.5]), np.array([1.0, 0.8, 3.0])
    inputs = rng.normal(0, 1, (200, 3)) * spread
    labels = (inputs @ weights > 0).astype(int)
    threat = ColumnMoves((0, 1, 2), tuple(spread), (-99.0,) * 3, (99.0,) * 3, (0.5, 1.0))
    done = Attack(threat).run(Linear(weights), batch_of(inputs, labels))
    needed = np.abs(inputs @ weights) / np.max(np.abs(weights) * spread)
    far = np.abs(needed[:, None] - [0.5, 1.0]).min(axis=1) > 1e-4
    expected = np.where(needed < 0.5, 0.5, np.where(needed < 1.0, 1.0, np.inf))
    assert np.array_equal(done.budget[far], expected[far])
    assert (done.distance[done.broken] <= done.budget[done.broken] + 1e-6).all()


def test_immutable_columns_are_never_touched_and_values_stay_in_range():
    rng = np.random.default_rng(1)
    inputs = rng.normal(0, 1, (100, 3)).astype(np.float32)
    labels = (inputs @ [3, 1, 0] > 0).astype(int)
    low, high = tuple(inputs.min(axis=0)[1:].tolist()), tuple(inputs.max(axis=0)[1:].tolist())
    threat = ColumnMoves((1, 2), (1.0, 1.0), low, high, (2.0,))
    done = Attack(threat).run(Linear([3, 1, 0]), batch_of(inputs, labels))
    assert done.broken.any()
    assert np.array_equal(done.left[:, 0], inputs[:, 0])
    assert (done.left[:, 1] >= low[0] - 1e-6).all()
    assert (done.left[:, 1] <= high[0] + 1e-6).all()


@pytest.mark.parametrize(
    ("threat", "before", "after"),
    [
        (GoodWords(Vocabulary((SPAM, HAM)), (1.0,)), texts("prize"), texts("prize lunch dear home")),
        (Misspelling((1.0,)), texts("prize cash"), texts("prlze cazh")),
        (ColumnMoves((0,), (1.0,), (-9.0,), (9.0,), (1.0,)), np.array([[0.0, 0.0]]), np.array([[5.0, 5.0]])),
    ],
    ids=["good-words", "misspelling", "columns"],
)
def test_what_goes_beyond_the_budget_is_taken_back(threat, before, after):
    kept = threat.kept_to(before, after, np.array([1.0]))
    assert threat.distance(before, kept)[0] == pytest.approx(1.0)


def test_rows_meet_the_same_in_any_batch():
    rng = np.random.default_rng(2)
    inputs, weights = rng.normal(0, 1, (60, 4)), [1.0, 0.5, -1.0, 0.2]
    labels = (inputs @ weights > 0).astype(int)
    threat = ColumnMoves((0, 1, 2, 3), (1.0,) * 4, (-9.0,) * 4, (9.0,) * 4, (0.5, 1.0))
    whole = Attack(threat).run(Linear(weights), batch_of(inputs, labels))
    parts = [
        Attack(threat).run(Linear(weights), batch_of(inputs, labels).take(np.arange(a, a + 20))) for a in (0, 20, 40)
    ]
    assert np.array_equal(np.concatenate([part.budget for part in parts]), whole.budget)
    assert np.array_equal(np.concatenate([part.left for part in parts]), whole.left)


@pytest.mark.parametrize("kind", ["text", "table"])
def test_an_audit_finds_it_shows_it_and_reads_it_back(kind, tmp_path):
    rng = np.random.default_rng(3)
    labels = np.arange(240) % 2
    if kind == "text":
        inputs = texts(*(" ".join(rng.choice((SPAM, HAM)[label], 2)) for label in labels))
        model = lambda some: Counting().predict(some).logits  # noqa: E731 - the shortest model there is
        task = {"adversarial": {"words": (3,), "misspelled": (1,)}}
        subject = "good-words:3"
    else:
        inputs = rng.normal(0, 1, (240, 3)).astype(np.float32) + (2 * labels - 1)[:, None]
        model = lambda some: Linear([1, 1, 1]).predict(some).logits  # noqa: E731 - the shortest model there is
        task = {"adversarial": {"columns": (2.0,), "immutable": ("column 0",)}}
        subject = "columns:2"
    audits = [
        pfungst.audit(model, (inputs, labels), only=("adversarial",), task=task, out=tmp_path / "run", seed=0)
        for _ in range(2)
    ]
    for audit in audits:
        found = {one.subject: one for one in audit.findings}[subject]
        assert found.status == "found"
        assert found.severity in {"critical", "high"}, "a named threat has its own weight"
        shown = next(piece for piece in found.evidence if isinstance(piece, Table) and "fell" in piece.title)
        assert all(before != after for _, before, after, *_ in shown.rows)
    first, second = ({one.subject: one.effect for one in audit.findings} for audit in audits)
    assert first == second


def test_an_unknown_immutable_column_is_named():
    inputs = np.random.default_rng(0).normal(0, 1, (120, 3)).astype(np.float32)
    task = {"adversarial": {"columns": (1.0,), "immutable": ("age",)}}
    model = lambda some: Linear([1, 1, 1]).predict(some).logits  # noqa: E731 - the shortest model there is
    with pytest.raises(InputError, match=r"immutable names 'age'; the columns of .* are column 0"):
        pfungst.audit(model, (inputs, np.arange(120) % 2), only=("adversarial",), task=task)
