"""Forms of models and data as a person gives them on the command line: what is inferred, a plan, and a small audit."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pfungst.cli import main

RNG = np.random.default_rng(0)
WORDS = {"ham": ["home", "soon", "love"], "spam": ["win", "money", "prize"]}


def asked(*words):
    """Doctor, a plan, and an audit of one chapter with a folder as its result."""
    assert main(["doctor", *words]) == 0
    assert main(["audit", *words, "--only", "calibration", "--dry-run"]) == 0
    assert main(["audit", *words, "--only", "calibration", "--out", "run", "--quiet", "--no-images"]) in {0, 1}
    return json.loads(Path("run/audit.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def saved(estimator, path):
    io_ = pytest.importorskip("skops.io")
    io_.dump(estimator, path)


def test_pipeline_on_a_table_of_numbers_and_words(tmp_path):
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    age, job = RNG.integers(20, 70, 120), RNG.choice(["cook", "judge"], 120)
    rich = np.where((age > 45) ^ (RNG.random(120) < 0.1) | (job == "judge"), "yes", "no")
    table = pd.DataFrame({"age": age, "job": job, "rich": rich})
    table.to_csv("rows.csv", index=False)
    split = ColumnTransformer(
        [("n", StandardScaler(), ["age"]), ("w", OneHotEncoder(handle_unknown="ignore"), ["job"])]
    )
    saved(make_pipeline(split, LogisticRegression()).fit(table[["age", "job"]], rich), tmp_path / "model.skops")
    (tmp_path / "task.toml").write_text('[columns]\nlabel = "rich"\n')
    found = asked("model.skops", "rows.csv", "--task", "task.toml")
    assert found["model"]["kind"] == "scikit-learn"
    assert found["data"]["modality"] == "table"
    assert found["headline"][0]["accuracy"]["value"] > 0.8


def texts(rows):
    for i in range(rows):
        label = ("ham", "spam")[i % 2]
        yield " ".join(RNG.choice([*WORDS[label], "you", "now", "call"], 5)), label


def test_pipeline_on_texts(tmp_path):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rows = list(texts(120))
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps({"text": t, "label": y}) for t, y in rows))
    saved(
        make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(*zip(*rows, strict=True)), tmp_path / "model.skops"
    )
    found = asked("model.skops", "rows.jsonl")
    assert found["data"]["modality"] == "text"
    assert found["model"]["classes"] == ["ham", "spam"]
    assert found["headline"][0]["accuracy"]["value"] > 0.8


def test_shards_of_pictures(tmp_path, onnx_classifier):
    weights = np.zeros((48, 2))
    weights[:16, 0], weights[16:32, 1] = 1.0, 1.0
    onnx_classifier(weights, (3, 4, 4))
    with tarfile.open(tmp_path / "s-0.tar", "w") as archive:
        for i in range(60):
            pixels = np.clip(RNG.normal(120, 30, (4, 4, 3)), 0, 255)
            pixels[..., i % 2] += 60
            held = io.BytesIO()
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(held, "PNG")
            for name, data in ((f"{i}.png", held.getvalue()), (f"{i}.cls", str(i % 2).encode())):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    found = asked("model.onnx", "s-{0..0}.tar")
    assert found["data"]["rows"] == 60
    assert found["data"]["labelled"]
    assert found["headline"][0]["accuracy"]["value"] > 0.8
    assert main(["audit", "model.onnx", "s-*.tar", "--only", "calibration", "--out", "two", "--workers", "2",
                 "--quiet", "--no-images"]) in {0, 1}  # fmt: skip
    again = json.loads(Path("two/audit.json").read_text(encoding="utf-8"))
    assert [one["id"] for one in again["findings"]] == [one["id"] for one in found["findings"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("hf:./nothing/here/at/all", "x.npz"), "hf:./nothing/here/at/all"),
        (("http://127.0.0.1:9/v2/models/net", "x.npz", "--task", "quick.toml"), "asked 1 times"),
        (("model.torchscript", "x.npz"), "there is no model"),
    ],
)
def test_what_cannot_be_opened_ends_with_two(tmp_path, capsys, words, said):
    (tmp_path / "quick.toml").write_text("[endpoint]\nretries = 0\ntimeout = 1.0\n")
    if words[0].startswith("hf:"):
        pytest.importorskip("transformers", reason="transformers is not installed")
    assert main(["doctor", *words]) == 2
    told = capsys.readouterr().err
    assert told.startswith("pfungst: ")
    assert said in told
    assert "Traceback" not in told
