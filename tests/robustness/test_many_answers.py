"""Audits of many recorded answers: so many bytes a row, the same for any shards, rows that need no names."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pfungst
from pfungst import paged
from pfungst.datasets import dataset
from pfungst.datasets.dataset import Dataset
from pfungst.datasets.ids import numbered_rows
from pfungst.engine.cache import kept_answers
from pfungst.engine.rows import kept_rows, spelled_ids

AUDITED = """
import sys, tracemalloc
import pfungst.auditing
from pfungst import paged
paged.LARGE = 1 << 18
tracemalloc.start()
pfungst.audit(sys.argv[1], out=sys.argv[2], only=["calibration", "mistakes", "unknowns"])
print(tracemalloc.get_traced_memory()[1])
"""
"""Arrays of a quarter of a megabyte lie in files already, as those of far more rows do otherwise."""

CLASSES, FEW, MANY = 10, 280_000, 480_000


def answers(folder, rows, **more):
    """A file of answers that are mostly right."""
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, CLASSES, rows), rng.normal(size=(rows, CLASSES)).astype(np.float32)
    scores[np.arange(rows), labels] += 3
    file = folder / f"{rows}.parquet"
    columns = {f"logit_{k}": scores[:, k] for k in range(CLASSES)}
    pq.write_table(pa.table({**columns, "label": labels, **more}), file)
    return file, scores


def peak(folder, rows):
    """Most bytes of memory in Python's and NumPy's hands while so many rows are audited, in a process of its own."""
    file, _ = answers(folder, rows)
    ran = subprocess.run(
        [sys.executable, "-c", AUDITED, str(file), str(folder / str(rows))], capture_output=True, text=True, check=True
    )
    return int(ran.stdout.split()[-1])


def test_a_row_more_takes_less_memory_than_its_scores_alone_would(tmp_path):
    assert (peak(tmp_path, MANY) - peak(tmp_path, FEW)) / (MANY - FEW) < 4 * CLASSES


def test_answers_in_files_read_in_parts_say_what_those_in_memory_say_and_stand_under_their_rows(tmp_path, monkeypatch):
    file, scores = answers(tmp_path, 900)
    said = []
    for large, part in ((paged.LARGE, paged.PART), (100, 64)):
        monkeypatch.setattr(paged, "LARGE", large)
        monkeypatch.setattr(paged, "PART", part)
        out = tmp_path / f"run-{part}"
        report = pfungst.audit(file, out=out, only=["calibration", "mistakes"]).report
        said.append({one.id: (one.status, one.effect, one.claim) for one in report.findings})
    assert said[0] == said[1]
    kept, _, ids = kept_answers(max((out / "answers").glob("*.parquet"), key=lambda one: one.stat().st_size))
    assert sorted(ids, key=int) == list(map(str, range(900)))
    assert np.array_equal(kept.logits, scores[[int(name) for name in ids]])
    table, _ = kept_rows(out)
    assert set(table["id"].to_pylist()) == set(ids)


def unnamed(rows, seed=0):
    return Dataset("test", "", "answers", numbered_rows(rows), lambda at: at, seed=seed)


def test_rows_without_names_lie_as_those_that_are_named_by_their_numbers():
    named = Dataset("test", "", "answers", tuple(map(str, range(500))), lambda at: at)
    assert np.array_equal(unnamed(500).sample(), named.sample())
    assert unnamed(500).ids == named.ids
    batch, bad = unnamed(500).batch(np.array([7, 3]))
    assert tuple(batch.ids) == ("7", "3")
    assert not bad
    assert batch.inputs.tolist() == [7, 3]
    assert [one.random() for one in batch.generators("x")] == [
        one.random() for one in named.batch(np.array([7, 3]))[0].generators("x")
    ]


def test_orders_drawn_by_counting_hold_every_row_once_and_depend_on_seed_and_number_alone(monkeypatch):
    monkeypatch.setattr(dataset, "COUNTED", 10)
    some, more, other = unnamed(2000), unnamed(3000), unnamed(2000, seed=1)
    assert sorted(some.sample().tolist()) == list(range(2000))
    first = more.halves["discovery"]
    assert np.array_equal(first[first < 2000], some.halves["discovery"])
    assert not np.array_equal(some.sample(), other.sample())
    assert len(some.halves["discovery"]) == pytest.approx(1000, abs=120)
    assert abs(np.corrcoef(some.sample(), np.arange(2000))[0, 1]) < 0.1


def test_ids_are_spelled_alike_whoever_gave_them():
    rows = np.array([10, 2])
    named = Dataset("test", "", "answers", tuple(f"é{at}" for at in range(12)), lambda at: at)
    assert spelled_ids(unnamed(12), rows, redact=False).to_pylist() == ["10", "2"]
    assert spelled_ids(named, rows, redact=False).to_pylist() == ["é10", "é2"]
    assert spelled_ids(named, rows, redact=True).to_pylist() == ["row 10", "row 2"]
