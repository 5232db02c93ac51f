"""Conformal sets hold the right class as often as promised, whatever the model; by class and by group where asked."""

import numpy as np
import pytest
from scipy.special import betaincinv

import pfungst
from pfungst.datasets.dataset import COUNTED
from pfungst.datasets.ids import numbered_rows
from pfungst.errors import InputError
from pfungst.methods.conformal import conformal_scores, quantile, split_conformal, uniforms_of
from pfungst.outputs import from_logits, from_top

CLASSES, SET_ON, JUDGED = 6, 200, 400
IDS = tuple(f"row {at}" for at in range(SET_ON + JUDGED))


def world(rows, seed, classes=CLASSES, sureness=3.0):
    """Answers of a model that is far too sure, and is better at the first classes than at the last."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, rows)
    logits = rng.normal(0, 1, (rows, classes))
    logits[np.arange(rows), labels] += 3 - 2.5 * labels / classes
    return from_logits(sureness * logits), labels


def covered(name, seed, **more):
    outputs, labels = world(SET_ON + JUDGED, seed)
    uniforms = uniforms_of(IDS, seed)
    first, last = np.arange(SET_ON), np.arange(SET_ON, SET_ON + JUDGED)
    made = split_conformal(outputs.take(first), labels[first], uniforms[first], conformal_scores[name], **more)
    inside = made(outputs.take(last), uniforms[last])
    return inside[np.arange(JUDGED), labels[last]], inside, labels[last]


@pytest.mark.parametrize("name", conformal_scores)
def test_coverage_over_many_sets_is_what_the_beta_binomial_law_says(name):
    held = np.array([covered(name, seed, doubt=0.1)[0].mean() for seed in range(200)])
    rank = int(np.ceil((SET_ON + 1) * 0.9))
    mean = rank / (SET_ON + 1)
    a, b = rank, SET_ON + 1 - rank
    deviation = (a * b * (a + b + JUDGED) / (JUDGED * (a + b) ** 2 * (a + b + 1))) ** 0.5
    assert held.mean() == pytest.approx(mean, abs=4 * deviation / 200**0.5)
    assert held.std() == pytest.approx(deviation, rel=0.25)
    low, high = betaincinv(a, b, [0.001, 0.999])
    assert (held > low - 0.06).all()
    assert (held < high + 0.06).all()


def test_by_class_every_class_is_held_and_otherwise_the_hard_ones_are_not():
    worst = {}
    for by in ("", "class"):
        of_last = [covered("least-ambiguous", seed, doubt=0.2, by=by) for seed in range(60)]
        worst[by] = np.mean([held[labels == CLASSES - 1].mean() for held, _, labels in of_last])
    assert worst[""] < 0.72
    assert worst["class"] > 0.78


def test_by_group_every_group_is_held():
    rng = np.random.default_rng(0)
    held = {"": [], "group": []}
    for seed in range(60):
        groups = rng.integers(0, 2, 600)
        outputs, labels = world(600, seed)
        outputs = from_logits(np.where(groups[:, None] == 1, outputs.logits[:, ::-1], outputs.logits))
        uniforms, first, last = uniforms_of(IDS, seed), np.arange(300), np.arange(300, 600)
        for by, found in held.items():
            made = split_conformal(
                outputs.take(first), labels[first], uniforms[first], conformal_scores["least-ambiguous"], 0.2, by=by,
                groups=groups[first],
            )  # fmt: skip
            inside = made(outputs.take(last), uniforms[last], groups[last])
            found.append(inside[np.arange(300), labels[last]][groups[last] == 1].mean())
    assert np.mean(held["group"]) == pytest.approx(0.8, abs=0.02)
    assert abs(np.mean(held[""]) - 0.8) > 0.04


def test_adaptive_sets_are_larger_where_rows_are_hard_and_regularised_ones_never_huge():
    outputs, labels = world(4000, 0, classes=40, sureness=0.6)
    uniforms, first = uniforms_of([str(at) for at in range(4000)], 0), np.arange(2000)
    sizes = {}
    for name in conformal_scores:
        made = split_conformal(outputs.take(first), labels[first], uniforms[first], conformal_scores[name])
        sizes[name] = made(outputs, uniforms).sum(axis=1)
    assert sizes["least-ambiguous"].mean() < sizes["adaptive"].mean()
    hard = outputs.confidence < np.median(outputs.confidence)
    assert sizes["adaptive"][hard].mean() > sizes["adaptive"][~hard].mean()
    assert sizes["regularised-adaptive"].std() < sizes["adaptive"].std()


def test_too_few_rows_promise_nothing_and_every_class_is_in_the_set():
    outputs, labels = world(8, 0)
    made = split_conformal(outputs, labels, np.full(8, 0.5), conformal_scores["least-ambiguous"], 0.1)
    assert made.thresholds.tolist() == [np.inf]
    assert made(outputs, np.full(8, 0.5)).all()


@pytest.mark.parametrize(("rows", "doubt", "rank"), [(9, 0.1, 9), (19, 0.05, 19), (19, 0.1, 18), (99, 0.1, 90)])
def test_the_rank_is_exact(rows, doubt, rank):
    assert quantile(np.arange(1, rows + 1), doubt) == rank


def test_uniform_numbers_are_the_rows_own():
    ids = [f"r{at}" for at in range(2000)]
    drawn = uniforms_of(ids, 3)
    np.testing.assert_array_equal(uniforms_of(ids[::-1], 3)[::-1], drawn)
    assert (uniforms_of(ids, 4) != drawn).all()
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert np.abs(np.histogram(drawn, 10, (0, 1))[0] / 200 - 1).max() < 0.25


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"doubt": 1.0}, "doubt between 0 and 1"),
        ({"outputs": from_top(np.zeros(30, int), np.full(30, 0.9), 3)}, "top class only"),
        ({"labels": np.zeros(29, int)}, "29 labels"),
        ({"by": "group"}, "a group for each of 30 rows"),
    ],
)
def test_misuse_is_a_sentence(change, words):
    given = {"outputs": world(30, 0)[0], "labels": np.zeros(30, int), "uniforms": np.zeros(30),
             "score": conformal_scores["adaptive"], "doubt": 0.1}  # fmt: skip
    with pytest.raises(InputError, match=words):
        split_conformal(**{**given, **change})


def test_of_a_group_that_was_not_seen_every_class_is_in_the_set():
    outputs, labels = world(30, 0)
    made = split_conformal(
        outputs, labels, np.zeros(30), conformal_scores["adaptive"], 0.5, by="group", groups=np.zeros(30, int)
    )
    seen, unseen = made(outputs, np.zeros(30), np.zeros(30, int)), made(outputs, np.zeros(30), np.arange(30) % 2)
    assert not seen.all()
    assert unseen[1::2].all()
    np.testing.assert_array_equal(unseen[::2], seen[::2])
    with pytest.raises(InputError, match="number of a group"):
        made(outputs, np.zeros(30), np.full(30, -1))


def test_the_report_shows_what_was_promised_and_what_was_held(tmp_path):
    outputs, labels = world(1200, 1)
    site = np.where(np.random.default_rng(0).random(1200) < 0.5, "A", "B")
    logits = np.where((site == "B")[:, None], outputs.logits[:, ::-1], outputs.logits)
    path = tmp_path / "answers.npz"
    np.savez(path, logits=logits, labels=labels, classes=np.array(list("abcdef")), site=site)
    task = tmp_path / "task.toml"
    task.write_text('[columns]\nsite = ["site"]\n')
    done = pfungst.audit(str(path), task=str(task), only=("calibration",), out=tmp_path / "run")
    shown = [one for finding in done.findings for one in finding.evidence]
    (table,) = [one for one in shown if one.title.startswith("Sets of classes")]
    assert table.columns[-1] == "worst of site"
    by = {(row[0], row[1]): row for row in table.rows}
    assert set(by) == {
        (name.replace("-", " "), how) for name in conformal_scores for how in ("one for all", "by class", "by site")
    }
    assert by["least ambiguous", "one for all"][-1].startswith("site=B")

    def share(row):
        return int(row[-1].split(": ")[1].split("%")[0])

    assert share(by["least ambiguous", "by site"]) > share(by["least ambiguous", "one for all"])


def test_uniform_numbers_of_many_rows_without_names_are_their_own_too():
    ids = numbered_rows(COUNTED + 9)
    drawn, order = uniforms_of(ids, 3), np.random.default_rng(0).permutation(len(ids))
    np.testing.assert_array_equal(uniforms_of(ids.at(order), 3), drawn[order])
    assert (uniforms_of(ids, 4) != drawn).mean() > 0.99
    assert (drawn.min() >= 0, drawn.max() < 1) == (True, True)
    assert np.abs(np.sort(drawn) - (np.arange(len(drawn)) + 0.5) / len(drawn)).max() < 0.02
