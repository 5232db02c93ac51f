"""Groups: who is served worse is found, by the kind of error too, and equal groups are left in peace."""

import numpy as np
import pytest

import pfungst
from pfungst.methods.group_rates import compared, groups_of

COLUMNS = {"columns": {"group": ["sex", "age"]}}


def people(seed, rows=2000):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    return rng, labels, np.where(rng.random(rows) < 0.3, "f", "m"), rng.integers(18, 80, rows).astype(float)


def wrong(rng, labels, chance):
    """Answers that are wrong with a chance that may differ from row to row."""
    return np.where(rng.random(len(labels)) < chance, 1 - labels, labels)


def audited(labels, answers, columns):
    scores = 4.0 * (2 * answers - 1)[:, None] * np.array([-0.5, 0.5])
    data = {"inputs": scores.astype(np.float32), "labels": labels, **columns}
    audit = pfungst.audit(lambda rows: rows, data, outputs="logits", only=("sites",), task=COLUMNS)
    return {one.subject: one for one in audit.findings}, audit


def test_equal_groups_are_accused_in_fewer_than_one_of_twenty():
    accused = 0
    for seed in range(200):
        rng, labels, sex, age = people(seed)
        found = compared(groups_of({"sex": sex, "age": age}), labels, wrong(rng, labels, 0.1), 2)
        accused += any(one.effect.low > 0 for one in found)
    assert accused <= 10, "5 % of 200; Newcombe's intervals at Bonferroni's level hold more than they promise"


def test_a_group_that_errs_twice_as_often_is_found_with_its_accuracy():
    found = 0
    for seed in range(40):
        rng, labels, sex, _ = people(seed)
        answers = wrong(rng, labels, np.where(sex == "f", 0.25, 0.1))
        groups = groups_of({"sex": sex})
        best = max((one for one in compared(groups, labels, answers, 2)), key=lambda one: one.effect.low)
        found += groups.names[best.group] == "sex=f" and best.effect.low > 0.05
    assert found >= 36


def test_a_class_that_is_missed_in_one_group_is_named_though_the_accuracy_agrees():
    rng, labels, sex, age = people(0, 4000)
    f = sex == "f"
    chance = np.where(f, np.where(labels == 1, 0.4, 0.1), 0.2)
    found, audit = audited(labels, wrong(rng, labels, chance), {"sex": sex, "age": age})
    one = found["sex"]
    assert (one.status, one.kind) == ("found", "gap")
    assert "1 is missed" in one.claim
    assert found["age"].status != "found"
    assert set(found) == {"sex", "age", "sex × age"}
    assert any(each.condition.startswith("sex=") for each in audit.report.headline)


def test_a_group_that_is_worse_at_once_in_both_columns_is_found_there_and_named():
    rng, labels, sex, age = people(1, 6000)
    both = (sex == "f") & (age >= 65)
    found, _ = audited(labels, wrong(rng, labels, np.where(both, 0.45, 0.08)), {"sex": sex, "age": age})
    assert found["sex × age"].status == "found"
    assert found["sex × age"].claim.startswith("On rows with sex=f, age>=")
    assert found["sex × age"].severity == "high"


def test_few_rows_are_shown_as_such_and_never_ranked():
    rng, labels, sex, age = people(2, 400)
    sex[:12] = "x"
    found, audit = audited(labels, wrong(rng, labels, np.where(sex == "x", 1.0, 0.1)), {"sex": sex, "age": age})
    assert found["sex"].status != "found"
    assert "Not compared, having fewer than 30 rows: sex=x" in found["sex"].claim
    assert "sex=x" not in {one.condition for one in audit.report.headline}


def test_ten_classes_and_rows_of_one_person():
    rng = np.random.default_rng(3)
    labels, eyes = rng.integers(0, 10, 3000), np.where(rng.random(3000) < 0.5, "left", "right")
    missed = (labels == 7) & (eyes == "left") & (rng.random(3000) < 0.8)
    groups = groups_of({"eye": eyes})
    answers = np.where(missed, 2, labels)
    worst = max(compared(groups, labels, answers, 10), key=lambda one: one.effect.low)
    assert (worst.measure, worst.label, groups.names[worst.group]) == ("missed", 7, "eye=left")
    alone = max(compared(groups, labels, answers, 10, np.arange(3000) // 10), key=lambda one: one.effect.low)
    assert alone.effect.unit == "unit"


def test_a_column_with_one_group_or_rows_without_labels_are_skipped_in_a_sentence():
    _, labels, sex, age = people(4, 300)
    found, audit = audited(labels, labels, {"sex": np.full(300, "f"), "age": age})
    assert "sex" not in found
    assert any(one.subject == "sex" and "no group of sex has 30" in one.reason for one in audit.report.skipped)
    data = {"inputs": np.zeros((300, 2), np.float32), "sex": sex, "age": age}
    audit = pfungst.audit(lambda rows: rows, data, outputs="logits", only=("sites",), task=COLUMNS)
    assert not audit.findings
    assert any("no labels" in one.reason for one in audit.report.skipped)


@pytest.mark.parametrize("value", [np.nan, None])
def test_what_is_not_recorded_is_a_group(value):
    column = np.array(["a", value] * 50, dtype=object)
    assert groups_of({"g": column}).names == ("g=a", "g=not recorded")
