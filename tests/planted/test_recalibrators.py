"""Each recalibrator mends the distortion it is made for, and takes nothing from what is calibrated already."""

import numpy as np
import pytest

import pfungst
from pfungst.datasets.dataset import Dataset
from pfungst.datasets.ids import numbered_rows
from pfungst.methods.opportunity import folds_of
from pfungst.methods.recalibration import cross_fitted, log_losses, thinned
from pfungst.methods.recalibrators import recalibrators
from pfungst.outputs import from_logits, from_probabilities
from pfungst.probe import Labelled
from pfungst.probes.recalibrated import recalibrated

SPREAD = np.array([[1.2, 0.4, -0.6, 0.0], [0.0, 1.0, 0.6, -0.6], [0.0, -0.3, 1.0, 0.3], [-0.5, 0.3, 0.0, 1.2]])
"""Its rows sum to one, so that it does the same to scores and to log-probabilities."""

CLASSES = np.array(["cat", "dog", "fox", "owl"])


def world(rows=4000, classes=4, seed=0):
    """Logits that are calibrated, their shares, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (rows, classes))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return logits, shares, (shares.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(0, classes - 1)


def steps(p):
    """A map that never falls and that no curve with two or three numbers follows."""
    return np.interp(p, [0, 0.2, 0.25, 0.7, 0.75, 1], [0.02, 0.05, 0.45, 0.5, 0.9, 0.98])


DISTORTIONS = {
    "temperature": lambda z: from_logits(2.5 * z),
    "temperature-mix": lambda z: from_logits(2.5 * z),
    "vector": lambda z: from_logits(z * [0.5, 1, 2, 3] + [1, 0, -1, 0]),
    "matrix": lambda z: from_logits(z @ np.linalg.inv(SPREAD).T),
    "dirichlet": lambda z: from_logits(z @ np.linalg.inv(SPREAD).T),
    "platt": lambda z: from_logits(2.5 * z),
    "beta": lambda z: from_logits(2.5 * z),
    "isotonic": lambda z: from_logits(2.5 * z),
    "histogram-binning": lambda z: from_logits(2.5 * z),
}


@pytest.mark.parametrize("name", recalibrators)
def test_the_distortion_it_is_made_for_is_mended(name):
    z, shares, labels = world()
    outputs = DISTORTIONS[name](z)
    before, best = log_losses(outputs, labels).mean(), -np.log(shares[np.arange(4000), labels]).mean()
    after = log_losses(cross_fitted(outputs, labels, folds_of(4000), recalibrators[name]), labels).mean()
    assert before - best > 0.05, "nothing was distorted"
    # One class at a time, or the answer alone, mends only most of what a temperature mends.
    share = {"platt": 0.9, "beta": 0.9, "isotonic": 0.75, "histogram-binning": 0.6}.get(name, 0.93)
    assert before - after > share * (before - best)


@pytest.mark.parametrize("name", ["platt", "beta", "isotonic", "histogram-binning"])
def test_of_two_classes_every_curve_is_followed_that_it_can_take(name):
    rng = np.random.default_rng(3)
    p = rng.beta(0.8, 0.8, 6000)
    truth = {"platt": lambda p: p**3 / (p**3 + 3 * (1 - p) ** 3), "beta": lambda p: p**2.5 / (p**2.5 + (1 - p) ** 0.7)}
    labels = (rng.random(6000) < truth.get(name, steps)(p)).astype(int)
    outputs = from_probabilities(np.stack([1 - p, p], axis=1))
    fitted = recalibrators[name](outputs, labels)
    grid = np.linspace(0.05, 0.95, 50)
    given = fitted(from_probabilities(np.stack([1 - grid, grid], axis=1))).probabilities[:, 1]
    worst = {"isotonic": 0.08}.get(name, 0.04)
    if name == "histogram-binning":
        made = fitted(outputs)
        right = made.predictions == labels
        assert abs(made.confidence - right).mean() > 0
        assert abs((made.confidence - right).mean()) < 0.01
    else:
        assert np.abs(given - truth.get(name, steps)(grid)).mean() < worst


def test_labels_that_err_at_times_are_what_a_uniform_share_is_for():
    z, _, labels = world(8000)
    rng = np.random.default_rng(5)
    wrong = np.where(rng.random(8000) < 0.15, rng.integers(0, 4, 8000), labels)
    outputs = from_logits(2.5 * z)
    found = recalibrators["temperature-mix"](outputs, wrong)
    assert found.share == pytest.approx(0.15, abs=0.03)
    assert found.temperature == pytest.approx(2.5, rel=0.1)
    plain = recalibrators["temperature"](outputs, wrong)
    assert log_losses(plain(outputs), wrong).mean() - log_losses(found(outputs), wrong).mean() > 0.005


@pytest.mark.parametrize("name", recalibrators)
@pytest.mark.parametrize("seed", range(3))
def test_calibrated_probabilities_gain_nothing_and_lose_little(name, seed):
    z, _, labels = world(3000, seed=seed)
    outputs = from_logits(z)
    lost = log_losses(cross_fitted(outputs, labels, folds_of(3000), recalibrators[name]), labels) - log_losses(
        outputs, labels
    )
    assert lost.mean() > -2 * lost.std() / 3000**0.5 - 1e-4
    assert lost.mean() < {"isotonic": 0.02, "histogram-binning": 0.02}.get(name, 0.008)


def audited(tmp_path, logits, labels, **more):
    path = tmp_path / "answers.npz"
    np.savez(path, logits=logits.astype(np.float32), labels=labels, classes=CLASSES, **more)
    found = pfungst.audit(str(path), only=("calibration",), out=tmp_path / "run")
    return next(one for one in found.findings if one.kind == "overconfident")


def table(finding, begins):
    return next((one for one in finding.evidence if one.title.startswith(begins)), None)


def test_the_report_says_which_recalibration_removes_most(tmp_path):
    z, shares, labels = world(2500)
    counts = np.array([np.random.default_rng(at).multinomial(30, each) for at, each in enumerate(shares)])
    finding = audited(tmp_path, z * [0.5, 1, 2, 3] + [1, 0, -1, 0], labels, label_counts=counts)
    assert "the best recalibration, vector, would remove without retraining" in finding.claim
    found = table(finding, "What recalibration buys")
    assert found.columns[-1] == "cross-entropy to labellers"
    assert [row[0] for row in found.rows][:2] == ["as it is", "temperature"]
    losses = {row[0]: float(row[1]) for row in found.rows}
    assert min(losses, key=losses.get) == "vector"
    saved = table(finding, "Log-loss saved")
    assert {one.name: one.low > 0.1 for one in saved.items}["vector"]


def test_nothing_is_removable_from_what_is_calibrated(tmp_path):
    z, _, labels = world(2500, seed=2)
    finding = audited(tmp_path, z, labels)
    assert "is shown to be removable by any of 9 recalibrators" in finding.claim


def test_what_could_not_be_fitted_is_said(tmp_path):
    z, _, labels = world(110, seed=2)
    refused = table(audited(tmp_path, 2 * z, labels), "Recalibrators that were not fitted")
    assert {row[0]: row[1] for row in refused.rows}["histogram binning"].startswith("histogram binning with 15 bins")


def test_of_answers_alone_nothing_is_said(tmp_path):
    z, shares, labels = world(300)
    path = tmp_path / "answers.npz"
    np.savez(path, prediction=z.argmax(axis=1), confidence=shares.max(axis=1), labels=labels, classes=CLASSES)
    finding = next(
        one
        for one in pfungst.audit(str(path), only=("calibration",), out=tmp_path / "run").findings
        if one.kind == "overconfident"
    )
    assert "remov" not in finding.claim
    assert table(finding, "What recalibration buys") is None
    assert table(finding, "Sets of classes") is None


@pytest.mark.parametrize("name", recalibrators)
def test_ten_thousand_rows_of_a_fold_do_what_all_do(name):
    z, _, labels = world(50_000)
    outputs = DISTORTIONS[name](z)
    few, every = (
        log_losses(cross_fitted(outputs, labels, folds_of(50_000, folds=2), recalibrators[name], most), labels).mean()
        for most in (10_000, None)
    )
    assert abs(few - every) < 0.002


def test_thinned_rows_have_the_shares_of_all_and_one_of_each_class():
    labels = np.random.default_rng(0).choice(4, 9000, p=[0.7, 0.2, 0.0995, 0.0005])
    kept = thinned(labels, 900)
    assert 900 <= len(kept) <= 904
    assert (np.diff(kept) > 0).all()
    assert (np.bincount(labels[kept]) >= 1).all()
    assert np.abs(np.bincount(labels[kept]) / len(kept) - np.bincount(labels) / 9000).max() < 0.004
    assert thinned(np.eye(4)[labels], 900).tolist() == kept.tolist()
    assert thinned(labels, 9000).tolist() == list(range(9000))


def test_of_many_rows_two_folds_are_fitted_and_the_table_says_on_how_many():
    z, _, labels = world(30_000)
    rows = Labelled(from_logits(2.5 * z), labels, None)
    (table, saved), sentence = recalibrated(Dataset("test", "", "answers", numbered_rows(30_000), lambda at: at), rows)
    assert table.title.endswith("each of 30000 rows judged by one fitted on other rows, 10000 at most")
    assert [row[0] for row in table.rows] == ["as it is", *(name.replace("-", " ") for name in recalibrators)]
    assert len(saved.items) == len(recalibrators)
    assert "of its log-loss" in sentence
    numbers = {row[0]: [float(one) for one in row[1:]] for row in table.rows}
    p = rows.outputs.probabilities
    assert numbers["as it is"][1] == pytest.approx(((p - np.eye(4)[labels]) ** 2).sum(axis=1).mean(), abs=6e-5)
    assert abs(numbers["temperature"][0] - (-np.log(world(30_000)[1][np.arange(30_000), labels]).mean())) < 1e-3
