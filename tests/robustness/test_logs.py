"""Logs as they come: unsorted, torn, doubled, of another model; judged all the same, or refused in a sentence."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pfungst
from pfungst.errors import InputError
from pfungst.monitoring import monitor

TASK = {"columns": {"time": "when"}}
ROWS = 400


def world(rows, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    score = 2 * rng.normal(2 * labels - 1)
    return np.stack([-score, score], axis=1), labels


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    scores, labels = world(600, 0)
    run = tmp_path_factory.mktemp("reference") / "run"
    pfungst.audit(lambda rows: rows, (scores, labels), only=("calibration",), outputs="logits", out=run)
    return run


def columns():
    scores, labels = world(ROWS, 1)
    return {
        "logit_0": scores[:, 0], "logit_1": scores[:, 1], "label": labels.astype(float),
        "when": np.arange(ROWS).astype(float), "age": np.random.default_rng(2).normal(size=ROWS),
    }  # fmt: skip


def judged(reference, tmp_path, **changed):
    held = {name: values for name, values in {**columns(), **changed}.items() if values is not None}
    pq.write_table(pa.table(held), tmp_path / "log.parquet")
    return monitor(tmp_path / "log.parquet", reference=reference, task=TASK, window=200, out=tmp_path / "out")


def put(values, row, value):
    changed = np.array(values, dtype=object if isinstance(value, str) else None)
    changed[row] = value
    return changed.tolist() if isinstance(value, str) else changed


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("when", put(np.arange(ROWS).astype(float), 7, np.nan), "1 of 400 rows .* have no when .*row 7"),
        ("when", [f"{i + 1}/11/2026" for i in range(ROWS)], "times such as '1/11/2026'.*ISO 8601"),
        ("when", ["2026-11-01T10:00", "2026-11-01T10:00+01:00"] * (ROWS // 2), "time zone and some have none"),
        ("when", None, "names a column 'when'"),
        ("logit_0", ["much"] * ROWS, "column logit_0 of the answers holds words"),
        ("logit_0", put(np.zeros(ROWS), 3, np.inf), "row 3"),
        ("logit_2", np.zeros(ROWS), "3 classes and .* was made with 2 .*the audited model"),
        ("label", np.full(ROWS, 7.0), "lie outside 0..1"),
        ("id", np.arange(ROWS) // 2, "two rows with the id '0'"),
    ],
)
def test_a_torn_log_is_refused_in_one_sentence(reference, tmp_path, name, values, said):
    with pytest.raises(InputError) as refused:
        judged(reference, tmp_path, **{name: values})
    assert re.search(said, str(refused.value)), str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_log_that_was_joined_twice_is_refused_and_coarse_scores_are_not(reference, tmp_path):
    doubled = {name: np.concatenate([values, values]) for name, values in columns().items()}
    with pytest.raises(InputError, match=r"400 of 800 rows .* joined twice"):
        judged(reference, tmp_path, **doubled)
    coarse = {name: np.round(values) for name, values in columns().items() if name.startswith("logit")}
    audit = judged(reference, tmp_path, **coarse, when=np.arange(ROWS) // 50, age=None)
    assert audit.findings


@pytest.mark.parametrize(
    "spelled", [str, lambda i: f"2026-{1 + i // 300:02d}-{1 + i % 300 // 12:02d}T{i % 12:02d}:00:00+01:00"]
)
def test_rows_are_judged_in_the_order_of_time_however_they_come(reference, tmp_path, spelled):
    plain = judged(reference, tmp_path)
    order = np.random.default_rng(0).permutation(ROWS)
    mixed = {name: values[order] for name, values in columns().items()}
    mixed["when"] = [spelled(int(i)) for i in order]
    (tmp_path / "other").mkdir()
    other = judged(reference, tmp_path / "other", **mixed)
    assert [one.effect for one in other.findings] == [one.effect for one in plain.findings]


def test_a_log_that_shrank_or_lost_its_first_rows_names_the_way_out(reference, tmp_path):
    judged(reference, tmp_path)
    with pytest.raises(InputError, match="has 1 window and 2 were judged before"):
        judged(reference, tmp_path, **{name: values[:200] for name, values in columns().items()})
    with pytest.raises(InputError, match=r"rows 0 to 199 .* are not those that were judged before.*--out NEW"):
        judged(reference, tmp_path, **{name: values[200:] for name, values in columns().items()})
    assert judged(reference, tmp_path).findings
