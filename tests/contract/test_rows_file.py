"""rows.parquet: what an audit knows of its rows besides the answers."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

import pfungst
from pfungst.engine.rows import kept_rows
from pfungst.errors import InputError


def audited(folder, **options):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 40)
    arrays = {
        "logits": rng.normal(size=(40, 2)) + 2 * np.eye(2)[labels],
        "classes": np.array(["husky", "wolf"]),
        "labels": np.array(["husky", "wolf"])[labels],
        "site": np.array(["A", "B", ""])[np.arange(40) % 3],
        "scan": np.array([f"scans/{row}.png" for row in range(40)]),
        "age": np.where(np.arange(40) % 5 == 0, np.nan, np.arange(40.0)),
        "row": np.arange(40) * 10,
        "flag": np.arange(40) % 2 == 0,
    }
    np.savez(folder / "answers.npz", **arrays)
    out = folder / "run"
    pfungst.audit(str(folder / "answers.npz"), out=out, only=("calibration",), **options)
    return out, arrays


def test_rows_stand_with_id_label_and_metadata_in_the_order_of_the_answers(tmp_path):
    out, arrays = audited(tmp_path)
    table, about = kept_rows(out)
    answers = pq.read_table(next(iter((out / "answers").glob("test.as-it-is.*.parquet"))))
    assert table["row"].to_pylist() == answers["row"].to_pylist()
    assert table["id"].to_pylist() == answers["id"].to_pylist()
    assert table.column_names == ["row", "id", "label", "site", "scan", "age", "column:row", "flag"]
    rows = table["row"].to_numpy()
    assert table["label"].to_pylist() == arrays["labels"][rows].tolist()
    assert table["site"].to_pylist() == [site or None for site in arrays["site"][rows].tolist()]
    assert table["column:row"].to_pylist() == (rows * 10).tolist()
    assert table["flag"].to_pylist() == arrays["flag"][rows].tolist()
    missing = [age is None for age in table["age"].to_pylist()]
    assert missing == np.isnan(arrays["age"][rows]).tolist()
    assert set(about) == {"source", "fingerprint", "modality", "columns", "classes"}
    assert about["fingerprint"] == json.loads((out / "audit.json").read_text())["data"]["fingerprint"]


def test_a_sample_keeps_its_rows_alone(tmp_path):
    out, _ = audited(tmp_path, rows=12)
    table, _ = kept_rows(out)
    assert len(table) == 12


def test_the_same_audit_writes_the_same_bytes(tmp_path):
    out, _ = audited(tmp_path)
    before = (out / "rows.parquet").read_bytes()
    audited(tmp_path)
    assert (out / "rows.parquet").read_bytes() == before


def test_redacted_rows_name_no_file(tmp_path):
    out, _ = audited(tmp_path, redact_paths=True)
    table, about = kept_rows(out)
    assert set(table["id"].to_pylist()) == {f"row {row}" for row in range(40)}
    assert {str(scan)[:5] for scan in table["scan"].to_pylist()} == {"scan "}, "what it tells apart stays"
    assert table["site"].to_pylist().count("B") > 0
    assert about["source"] == ""
    assert b"scans" not in (out / "rows.parquet").read_bytes()
    assert str(tmp_path).encode() not in (out / "rows.parquet").read_bytes()


def test_without_images_nobody_is_told_where_they_lie(tmp_path):
    np.savez(
        tmp_path / "data.npz", inputs=np.zeros((40, 2), np.float32) + np.arange(40)[:, None], labels=np.arange(40) % 2
    )
    model = lambda some: np.stack([some[:, 0], -some[:, 0]], axis=1)  # noqa: E731
    for images in (True, False):
        pfungst.audit(model, str(tmp_path / "data.npz"), out=tmp_path / "run", only=("calibration",), images=images)
        _, about = kept_rows(tmp_path / "run")
        assert bool(about["source"]) is images


def test_older_runs_have_none_and_damage_is_one_sentence(tmp_path):
    assert kept_rows(tmp_path) is None
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match=r"rows\.parquet holds no rows"):
        kept_rows(tmp_path)
