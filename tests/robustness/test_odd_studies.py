"""Odd but lawful studies, drawn at random: whatever they hold, an audit ends with numbers or one sentence.

Few rows, one class, constant, certain or tiny scores, answers that are NaN for some inputs, empty masks, rows without
votes, columns with gaps: no probe breaks, no warning is raised, no effect is NaN or outside its own interval.
"""

import numpy as np
import pytest

import pfungst
from pfungst.engine.plan import BROKE
from pfungst.errors import InputError
from pfungst.load import load_data
from pfungst.task import Columns, Task

ROWS, CLASSES = (1, 2, 5, 19, 40, 90, 150, 300), (1, 2, 2, 3, 5, 12)
SCALES = {"plain": 1.0, "certain": 1e4, "tiny": 1e-9, "alike": 0.0}
STUDIES = 80


def pictures(rng, rows):
    shape = (rows, *rng.choice([3, 8, 16, 33], 2), *([] if rng.random() < 0.2 else [rng.choice([1, 3])]))
    drawn = rng.integers(0, 256, shape, dtype=np.uint8)
    if rng.random() < 0.2:
        drawn[:] = drawn[:1]
    columns = {}
    if rng.random() < 0.4:
        columns["masks"] = rng.random(shape[:3]) < rng.choice([0, 0.2, 1])
    return drawn, columns


def tables(rng, rows):
    drawn = rng.normal(size=(rows, rng.integers(1, 7))).astype(np.float32)
    drawn[:, 0] *= rng.random() < 0.7
    drawn[rng.random(drawn.shape) < rng.choice([0, 0.1])] = np.nan
    return drawn, {}


def texts(rng, rows):
    letters = list("ab cde é中\n")
    return np.array(["".join(rng.choice(letters, rng.integers(0, 40))) for _ in range(rows)], object), {}


def numbers(inputs):
    """A few numbers that a model of anything may answer by."""
    if inputs.dtype == object:
        return np.array([[len(text), text.count("a"), text.count("b"), text.count("中")] for text in inputs], float) / 9
    flat = np.nan_to_num(inputs.astype(float)).reshape(len(inputs), -1)[:, :12]
    return flat / 255 if inputs.dtype == np.uint8 else flat


def columns_of(rng, rows, classes):
    every = {
        "site": rng.choice(["A", "B", "C"], rows, p=rng.dirichlet([0.5] * 3)),
        "age": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
        "patient": rng.integers(0, max(1, rows // 3), rows),
        "taken": np.array([f"2020-01-{1 + row % 28:02}" for row in range(rows)]),
        "same": np.full(rows, "x"),
        "label_counts": rng.integers(0, 4, (rows, classes)),
    }
    return {name: column for name, column in every.items() if rng.random() < 0.35}


def labels_of(rng, rows, classes, scores):
    drawn = rng.integers(0, classes, rows)
    if rng.random() < 0.3:
        drawn = np.nan_to_num(scores).argmax(axis=1) if scores.shape[1] == classes else drawn
    return drawn * 0 + drawn[0] if rng.random() < 0.1 else drawn


def study(seed):
    """A model, data and options."""
    rng = np.random.default_rng(seed)
    rows, classes = int(rng.choice(ROWS)), int(rng.choice(CLASSES))
    inputs, columns = (pictures, tables, texts)[seed % 3](rng, rows)
    weights = rng.normal(size=(numbers(inputs).shape[1], classes)) * SCALES[str(rng.choice(list(SCALES)))]
    single, faulty = classes == 2 and rng.random() < 0.3, rng.random() < 0.1

    def model(shown):
        scores = numbers(shown) @ weights
        if faulty:
            scores[np.abs(scores[:, 0] * 1000) % 10 < 0.5] = np.nan
        return scores[:, 1:] - scores[:, :1] if single else scores

    data = {"inputs": inputs, **columns, **columns_of(rng, rows, classes)}
    if rng.random() < 0.85:
        data["labels"] = labels_of(rng, rows, classes, model(inputs))
    roles = {"site": ["site"], "unit": "patient", "time": "taken"}
    named = {role: what for role, what in roles.items() if (what[0] if role == "site" else what) in data}
    options = {"task": {"columns": named}} if rng.random() < 0.7 else {}
    if rng.random() < 0.3:
        options["ood"] = {"odd": {"inputs": inputs[rng.permutation(rows)][: max(1, rows // 2)]}}
    if rng.random() < 0.3 and "labels" in data:
        options["train"] = {name: data[name] for name in ("inputs", "labels")}
    return model, data, options


@pytest.mark.parametrize("seed", range(STUDIES))
def test_an_audit_ends_with_numbers_or_a_sentence(seed):
    model, data, options = study(seed)
    skip = ("adversarial",) if seed % 4 else ()
    try:
        audit = pfungst.audit(model, data, skip=skip, **options)
    except InputError as why:
        assert str(why)  # noqa: PT017 - being refused is one of two good ends
        return
    assert [entry for entry in audit.skipped if entry.reason.startswith(BROKE)] == []
    for finding in audit.findings:
        effect = finding.effect
        assert np.isfinite([effect.value, effect.low, effect.high]).all(), finding.name
        assert effect.low - 1e-9 <= effect.value <= effect.high + 1e-9, finding.name
    assert audit.to_html()


def test_most_of_these_studies_are_answered():
    refused = 0
    for seed in range(0, STUDIES, 4):
        model, data, options = study(seed)
        try:
            pfungst.audit(model, data, only=("calibration",), **options)
        except InputError:
            refused += 1
    assert refused < STUDIES / 4 / 3


@pytest.mark.parametrize("units", [1, 2, 3])
def test_rows_of_few_units_are_too_few_and_break_nothing(units, onnx_classifier):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(400, 4)).astype(np.float32)
    labels = (inputs[:, 0] + rng.normal(size=400) > 0).astype(int)
    data = {"inputs": inputs, "labels": labels, "who": np.arange(400) % units / 1, "site": rng.choice(list("ABC"), 400)}
    network = onnx_classifier(rng.normal(size=(4, 2)), (4,))
    result = pfungst.audit(
        str(network),
        data,
        task={"columns": {"unit": "who"}},
        only=("shift", "sites", "shortcuts", "unknowns", "mistakes"),
    )
    assert not [one.reason for one in result.skipped if "broke" in one.reason]
    few = {(one.probe, one.subject) for one in result.skipped if one.too_few}
    assert few >= ({("shift", "resampled"), ("sites", "site")} if units == 1 else set())
    labels = next(one for one in result.findings if one.kind == "label-error")
    assert labels.status == "inconclusive"
    assert units > 1 or (labels.effect.low, labels.effect.rows) == (0, 1)


def test_rows_whose_unit_is_not_given_stand_for_themselves(tmp_path):
    lines = [f"{row % 7},{row % 2},{'' if row % 2 else row % 4}" for row in range(120)]
    (tmp_path / "rows.csv").write_text("\n".join(["x,label,patient", *lines]), "utf-8")
    data = load_data(tmp_path / "rows.csv", task=Task(columns=Columns(label="label", unit="patient")))
    assert len(set(data.units)) == 2 + 60
    assert any("column patient names no unit in 60 rows" in note for note in data.notes)
    lines = [f"{row % 7},{row % 2}," for row in range(120)]
    (tmp_path / "rows.csv").write_text("\n".join(["x,label,patient", *lines]), "utf-8")
    assert load_data(tmp_path / "rows.csv", task=Task(columns=Columns(label="label", unit="patient"))).units is None
