"""Findings and answers as frames: one row each, the same numbers, and only what is asked for is read."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

import pfungst
from pfungst.audit_result import Audit
from pfungst.errors import InputError

SAMPLE = runpy.run_path(str(Path(__file__).parents[1] / "end_to_end" / "sample_report.py"))


@pytest.fixture(scope="module")
def sample() -> Audit:
    return Audit(SAMPLE["sample_report"](), {})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(120, 3)).astype(np.float32)
    labels = (inputs[:, 0] > 0).astype(int)
    out = tmp_path_factory.mktemp("tables") / "run"
    pfungst.audit(scores, (inputs, labels), only=("calibration",), out=out)
    return out


def scores(rows: np.ndarray) -> np.ndarray:
    return np.stack([-rows[:, 0], rows[:, 0]], axis=1)


def test_findings_are_one_row_each_in_every_frame(sample: Audit) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("polars")
    table, pandas, polars = sample.to_arrow(), sample.to_pandas(), sample.to_polars()
    assert len(table) == len(pandas) == len(polars) == len(sample.findings)
    assert table.column_names == list(pandas.columns) == polars.columns
    for name in ("id", "probe", "kind", "subject", "status", "severity"):
        assert pandas[name].tolist() == polars[name].to_list() == [getattr(one, name) for one in sample.findings]
    for name in ("value", "low", "high", "rows"):
        assert pandas[name].tolist() == polars[name].to_list() == [getattr(one.effect, name) for one in sample.findings]
    assert polars["p_value"].null_count() == sum(one.p_value is None for one in sample.findings) > 0


@pytest.mark.parametrize("frame", ["pandas", "polars"])
def test_a_missing_package_is_named_with_what_installs_it(sample: Audit, frame: str, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, frame, None)
    with pytest.raises(InputError, match=rf"needs the package {frame}.*pip install 'pfungst\[frames\]'"):
        getattr(sample, f"to_{frame}")()


def test_answers_of_a_pass_are_the_model_s(run: Path) -> None:
    found = pfungst.answers(run)
    assert "as it is" in found
    assert len(found) == len(list((run / "answers").glob("*.parquet")))
    table = found["as it is"].table()
    assert len(table) == 120
    right = pc.sum(pc.equal(table["label"], table["prediction"])).as_py()
    assert right / 120 == pfungst.saved(run).headline[0].accuracy.value
    assert found["as it is"].classes == ("0", "1")


def test_answers_are_filtered_where_they_lie(run: Path) -> None:
    one = pfungst.answers(run)["as it is"]
    unsure = one.scan().to_table(columns=["id", "confidence"], filter=pc.field("confidence") < 0.7)
    whole = one.table(columns=["confidence"])["confidence"].to_numpy()
    assert unsure.column_names == ["id", "confidence"]
    assert 0 < len(unsure) == (whole < 0.7).sum() < 120
    pytest.importorskip("polars")
    assert one.to_polars(["row"]).columns == ["row"]


def test_no_answers_and_no_run_are_said(run: Path, tmp_path: Path, sample: Audit) -> None:
    with pytest.raises(InputError, match="no audit in"):
        pfungst.answers(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no answers"):
        pfungst.answers(sample.save(tmp_path / "bare"))
    one = pfungst.answers(run)["as it is"]
    with pytest.raises(InputError, match="cannot be read"):
        one.table(columns=["row"]) and type(one)(one.record, tmp_path / "gone.parquet", ()).table()


def test_nothing_imports_a_frame_before_it_is_asked_for(run: Path) -> None:
    read = f"import sys, pfungst; pfungst.saved({str(run)!r}); pfungst.answers({str(run)!r})"
    check = f"{read}; assert not {{'pandas', 'polars'}} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
