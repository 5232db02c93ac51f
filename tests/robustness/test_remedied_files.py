"""A remedy and an export write over nothing but what they wrote before."""

import os
from pathlib import Path

import numpy as np
import pytest

from pfungst.cli import main

WORDS = ["remedy", "temperature", "net/model.onnx", "rows.npz", "--quiet", "--out"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, onnx_classifier):
    """A network with the names of its classes beside it, and rows that it is too sure about."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net").mkdir()
    onnx_classifier(np.array([[-3.0, 3.0], [0.0, 0.0]]), (2,), folder=tmp_path / "net")
    (tmp_path / "net/labels.txt").write_text("no\nyes\n")
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(600, 2)).astype("float32")
    np.savez("rows.npz", inputs=inputs, labels=(inputs[:, 0] + rng.normal(size=600) > 0).astype(int))
    return tmp_path


def held(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_file_that_no_remedy_wrote_stays_as_it_is(here, capsys):
    (here / "mine.onnx").write_text("mine")
    (here / "other").mkdir()
    (here / "other/labels.txt").write_text("cat\ndog\n")
    (here / "new-after").mkdir()
    (here / "new-after/rows.parquet").write_text("mine")
    before = held(here)
    for out, says in (
        ("net/model.onnx", "--out net/model.onnx is net/model.onnx, which is read"),
        ("rows.npz", "--out rows.npz is rows.npz, which is read"),
        ("net", "--out net holds net/model.onnx"),
        ("other", "--out other is a folder"),
        ("mine.onnx", "no remedy wrote it"),
        ("other/new.onnx", "other/labels.txt is another"),
        ("new.onnx", "new-after exists and holds no audit"),
    ):
        capsys.readouterr()
        assert main([*WORDS, out]) == 2
        said = capsys.readouterr().err
        assert says in said
        assert said.count("\n") == 1
        assert held(here) == before


def test_a_remedy_is_repeated_until_its_model_is_replaced(here, capsys):
    for method in ("temperature", "temperature", "vector"):
        assert main(["remedy", method, *WORDS[2:], "new/mended.onnx"]) in {0, 1}
    assert (here / "new/labels.txt").read_text() == "no\nyes\n"
    Path("new/mended.onnx").write_text("mine")
    assert main([*WORDS, "new/mended.onnx"]) == 2
    assert "no remedy wrote it as it is" in capsys.readouterr().err
    assert Path("new/mended.onnx").read_text() == "mine"


def test_an_export_leaves_the_files_of_an_audit_and_what_is_no_file(here, capsys):
    assert main(["audit", "net/model.onnx", "rows.npz", "--only", "calibration", "--quiet", "--out", "run"]) in {0, 1}
    before = held(here)
    for to in ("run/audit.json", "run/events.jsonl", "run/report.html"):
        assert main(["export", "run", "model-card", "--to", to]) == 2
        assert "is a file of the audit in run" in capsys.readouterr().err
    os.mkfifo("pipe")
    assert main(["export", "run", "model-card", "--to", "pipe"]) == 2
    assert held(here) == before
    assert main(["export", "run", "model-card"]) == 0
    assert main(["export", "run", "model-card", "--to", "run/model-card.md"]) == 0
