"""--strict: what had too few rows to be asked is undecided; what does not apply is not."""

import csv

import msgspec
import numpy as np
import pytest

import pfungst
from pfungst.cli import main
from pfungst.errors import TooFew, TooFewRows, reason_of
from pfungst.findings import Skipped


@pytest.fixture
def answers(tmp_path):
    """Writes recorded answers of so many rows."""

    def written(rows):
        rng = np.random.default_rng(0)
        truth = rng.integers(0, 2, rows)
        logits = np.stack([-1.0 * (2 * truth - 1), 1.0 * (2 * truth - 1)], axis=1) + rng.normal(size=(rows, 2))
        np.savez(tmp_path / f"{rows}.npz", logits=logits.astype(np.float32), labels=truth)
        return str(tmp_path / f"{rows}.npz")

    return written


def test_fewer_rows_do_not_turn_the_gate_green(answers, tmp_path, capsys):
    common = ("--only", "calibration", "--fail-at", "critical", "--quiet", "--strict", "--out", str(tmp_path / "run"))
    assert main(["audit", answers(60), *common]) == 3
    assert "0 undecided, 0 broken, 1 with too few rows (--strict)" in capsys.readouterr().out
    assert main(["audit", answers(60), *common[:-3], *common[-2:]]) == 0


def model(inputs):
    x = np.asarray(inputs)[:, 0].astype(float)
    return np.stack([-x, x], axis=1)


@pytest.fixture
def table(tmp_path):
    """Writes a table of so many rows, with labels or without."""

    def written(name, rows, *, labels=True):
        rng = np.random.default_rng(0)
        with (tmp_path / name).open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(("wide", "high", "hospital", "sex", *(["label"] if labels else [])))
            for at in range(rows):
                known = [at % 2] if labels else []
                out.writerow((*rng.normal(size=2).round(3), "AB"[at // 2 % 2], "fm"[at % 3 == 0], *known))
        return str(tmp_path / name)

    return written


def test_what_does_not_apply_is_not_undecided(table):
    report = pfungst.audit(model, table("test.csv", 60, labels=False), only=("calibration", "shift", "selection"))
    assert {one.probe for one in report.skipped} == {"calibration", "shift", "selection"}
    assert not any(one.too_few for one in report.skipped), "rows without labels stay without, however many there are"


def test_every_chapter_marks_what_had_too_few_rows(table):
    report = pfungst.audit(
        model,
        table("test.csv", 18),
        ood={"odd": table("odd.csv", 4)},
        shifted={"later": table("later.csv", 8)},
        task={"columns": {"site": ["hospital"], "group": ["sex"]}},
        skip=("adversarial",),
    )
    few = {
        (one.probe, one.kind, "" if one.kind == "label-error" else one.subject) for one in report.skipped if one.too_few
    }
    assert {
        ("calibration", "", ""),
        ("mistakes", "label-error", ""),
        ("mistakes", "slice", ""),
        ("selection", "", ""),
        ("shift", "", "later"),
        ("shift", "fragile", "resampled"),
        ("shortcuts", "", ""),
        ("sites", "", "hospital"),
        ("sites", "gap", "sex"),
        ("unknowns", "", "odd"),
    } <= few
    other = {one.probe for one in report.skipped if not one.too_few}
    assert {"feedback", "drift"} <= other, "chapters of logs have no log here: more rows would not help"


def test_a_reason_for_lack_of_rows_is_plain_text_in_json():
    one = Skipped(probe="sites", reason=reason_of(TooFewRows("three rows; five are needed")))
    assert msgspec.json.decode(msgspec.json.encode(one)) == {
        "probe": "sites", "kind": "", "subject": "", "reason": "three rows; five are needed", "too_few": True,
    }  # fmt: skip
    assert not Skipped(probe="sites", reason="no column is named as a site").too_few
    assert Skipped(probe="sites", reason=TooFew("x")).reason.__class__ is str
