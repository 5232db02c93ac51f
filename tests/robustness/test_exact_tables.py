"""Numbers of tables reach a model as they are, in the kinds that it asks for, or are refused by column and row."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import pfungst
from pfungst.load import bind, load_data, load_model

ROWS = 120
LABELS = np.arange(ROWS) % 2
SECONDS = 1_760_000_000 + np.random.default_rng(0).integers(0, 40, ROWS) + 60 * LABELS
"""Times of two classes that float32, whose steps are 128 here, does not tell apart."""


def right(model, data):
    """The share of right answers of a model to data as both are loaded."""
    opened = load_model(model)
    bound = bind(opened, load_data(data))
    batch, bad = bound.batch(np.arange(len(bound)))
    assert not bad
    return (opened.predict(batch.inputs).predictions == bound.labels).mean()


def test_large_numbers_keep_their_last_digits_in_every_form(tmp_path):
    frame = pd.DataFrame({"seconds": SECONDS, "label": LABELS})
    named = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame[["seconds"]], LABELS)
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    np.savez(tmp_path / "t.npz", inputs=SECONDS[:, None], labels=LABELS)
    arrays = SECONDS[:, None].astype(float), LABELS
    for data in (frame, tmp_path / "t.csv", tmp_path / "t.parquet", tmp_path / "t.npz", arrays):
        assert right(named, data) == 1.0
    assert right(lambda rows: np.c_[-rows[:, 0], rows[:, 0]] - [-1_760_000_050, 1_760_000_050], arrays) == 1.0


def test_integers_beyond_floats_stay_integers(tmp_path):
    ids = 2**60 + np.arange(ROWS)
    kept = [None, *ids[1:].tolist()]
    pq.write_table(pa.table({"id_": ids, "x": np.zeros(ROWS), "gaps": kept, "label": LABELS}), tmp_path / "t.parquet")
    np.savez(tmp_path / "t.npz", inputs=ids[:, None], labels=LABELS)
    inputs = load_data(tmp_path / "t.parquet").batch(np.arange(ROWS))[0].inputs
    assert (inputs[:, 0].tolist(), inputs[:, 2].tolist()) == (ids.tolist(), kept)
    assert load_data(tmp_path / "t.npz").batch(np.arange(ROWS))[0].inputs[:, 0].tolist() == ids.tolist()
    pipeline = make_pipeline(make_column_transformer((OneHotEncoder(), ["id_"])), LogisticRegression(C=1e6))
    pipeline.fit(pd.DataFrame({"id_": ids, "x": np.zeros(ROWS)}), LABELS)
    assert right(pipeline, tmp_path / "t.parquet") == 1.0


def test_float32_stays_float32_and_rows_need_columns(refused):
    rows = np.zeros((4, 2), np.float32)
    assert load_data((rows, np.arange(4) % 2)).batch(np.arange(4))[0].inputs.dtype == np.float32
    refused(lambda: load_data(rows[:, :0]), "(4, 0)", "without columns")


@pytest.mark.parametrize(("kind", "wrong"), [("uint8", -1), ("uint8", 256), ("int64", 0.5), ("int64", np.nan)])
def test_what_an_integer_input_cannot_hold_is_refused_by_column_and_row(refused, onnx_classifier, kind, wrong):
    model = load_model(onnx_classifier(np.eye(2), (2,), kind=kind))
    table = {"a": np.arange(4.0), "b": np.array([1, 2, wrong, 3]), "label": np.arange(4) % 2}
    refused(lambda: bind(model, load_data(table)), f"takes {kind}", "'b'", "row 2", str(wrong))
    table["b"] = np.array([0, 2, 1, 3])
    assert len(bind(model, load_data(table))) == 4


def test_integers_reach_an_integer_input_and_what_perturbations_make_is_rounded(onnx_classifier, refused):
    whole, bytes_ = (load_model(onnx_classifier(np.eye(2), (2,), kind=kind)) for kind in ("int64", "uint8"))
    large = np.array([[2**60 + 1, 1]], object)
    assert whole._prepared(large).tolist() == large.tolist()
    assert whole._prepared(np.array([[2.0**63, -1e300]])).tolist() == [[2**63 - 1024, -(2**63)]]
    assert bytes_.predict(np.array([[1.6, 300.0]])).logits.tolist() == [[2, 255]]
    refused(lambda: whole.predict(np.array([[np.nan, 1.0]])), "missing values")


def test_audit_of_an_integer_input_goes_through_every_shift(onnx_classifier):
    values = np.random.default_rng(0).integers(0, 200, (ROWS, 2))
    model = onnx_classifier(np.eye(2), (2,), kind="uint8")
    found = pfungst.audit(model, (values, values.argmax(axis=1)), only=("shift",))
    assert {finding.subject for finding in found.findings} >= {"column-noise", "column-drift", "missing"}


def test_text_of_digits_stays_text(tmp_path):
    codes = np.array([f"{code:03d}" for code in np.arange(ROWS) // 2 % 3 * 2 + LABELS], object)
    frame = pd.DataFrame({"code": codes, "x": np.zeros(ROWS), "on": LABELS.astype(bool)})
    pipeline = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["code"]), remainder="passthrough"), LogisticRegression()
    ).fit(frame, LABELS)
    table = frame.assign(label=LABELS)
    table.to_parquet(tmp_path / "t.parquet", index=False)
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_dict("records")))
    for data in (tmp_path / "t.parquet", tmp_path / "t.jsonl", table):
        assert right(pipeline, data) == 1.0


def test_missing_values_are_named_where_an_estimator_does_not_take_them(refused):
    rows = np.random.default_rng(0).normal(size=(ROWS, 2))
    frame = pd.DataFrame(rows, columns=["age", "dose"])
    fitted = LogisticRegression().fit(frame, LABELS)
    frame.loc[::2, "dose"] = np.nan
    refused(
        lambda: pfungst.audit(fitted, frame.assign(label=LABELS), only=("calibration",)),
        "missing values in column dose", "NaN", "imputer",
    )  # fmt: skip
    words = frame.assign(job="nurse")
    mixed = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["job"]), remainder="passthrough"), LogisticRegression()
    ).fit(words.fillna(0), LABELS)
    refused(lambda: right(mixed, words.assign(label=LABELS)), "missing values in column dose")


def test_imputers_need_no_trust(tmp_path):
    skops = pytest.importorskip("skops.io")
    rows = np.c_[LABELS, np.where(LABELS, np.nan, 1.0)]
    skops.dump(make_pipeline(SimpleImputer(), LogisticRegression()).fit(rows, LABELS), tmp_path / "m.skops")
    assert right(tmp_path / "m.skops", (rows, LABELS)) == 1.0


def test_data_in_memory_of_two_columns_of_one_name_are_refused(refused):
    frame = pd.DataFrame(np.zeros((4, 3)), columns=["a", "a", "label"])
    refused(lambda: load_data(frame), "two columns named 'a'")
    refused(lambda: load_data({1: np.zeros(4), "1": np.ones(4), "label": LABELS[:4]}), "two columns named '1'")


def test_tensors_of_every_kind_are_read_or_refused_in_a_sentence(refused):
    torch = pytest.importorskip("torch")
    rows = torch.arange(8.0).reshape(4, 2)
    labels = torch.tensor([0, 1, 0, 1])
    for tensor in (rows.to(torch.bfloat16), rows.clone().requires_grad_()):
        for data in ((tensor, labels), {"inputs": tensor, "labels": labels}):
            assert load_data(data).batch(np.arange(4))[0].inputs.tolist() == rows.tolist()
    refused(lambda: load_data((rows.to_sparse(), labels)), "`inputs`", "NumPy array")
    half = load_model(lambda shown: torch.from_numpy(shown).to(torch.bfloat16))
    assert half.predict(rows.numpy()).predictions.tolist() == [1] * 4
