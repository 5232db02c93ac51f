"""Networks of the trick benchmark learn the trick that they are built with, and load like anybody's files."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the image networks are trained with torch")
pytest.importorskip("skops", reason="the estimators are saved with skops")
pytest.importorskip("onnx", reason="the networks are saved as ONNX")

import pfungst

TRICKS = Path(__file__).parents[2] / "benchmarks" / "tricks"
TRICKED = ("image-digits-mark-97-n800-100", "table-progress-site-97-n800-200", "text-manual-footer-90-n800-302")
HONEST = ("image-digits-plain-n800-143", "table-progress-site-chance-n800-230", "text-reviews-token-chance-n200-340")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    into = tmp_path_factory.mktemp("tricks")
    words = [
        sys.executable,
        str(TRICKS / "build.py"),
        "--into",
        str(into),
        "--seeds",
        "0",
        "--only",
        ",".join((*TRICKED, *HONEST)),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {path.parent.name: (path.parent, json.loads(path.read_text())) for path in into.glob("*/truth.json")}


def test_every_network_is_built_as_named(built):
    assert set(built) == {*TRICKED, *HONEST}


@pytest.mark.parametrize("name", TRICKED)
def test_a_tricked_network_loses_its_accuracy_where_the_cue_is_drawn_by_chance(built, name):
    truth = built[name][1]
    assert truth["learned"]
    assert truth["accuracy"] - truth["by_chance"] > 0.1
    assert truth["subjects"]


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_network_does_not_care_what_the_cue_says(built, name):
    truth = built[name][1]
    assert truth["role"] == "honest"
    assert abs(truth["accuracy"] - truth["by_chance"]) < 0.05
    assert truth["accuracy"] > 0.6


@pytest.mark.parametrize("name", [*TRICKED, *HONEST])
def test_files_load_and_answer_as_they_did_when_they_were_built(built, name):
    folder, truth = built[name]
    model, *options = truth["model"]
    weights = folder / options[options.index("--weights") + 1] if "--weights" in options else None
    network = pfungst.load_model(
        str(folder / model), weights=weights, trust_pickle="--trust-pickle" in options, threads=1
    )
    data = pfungst.load_data(str(folder / truth["data"]))
    assert len(data.ids) == truth["rows"]
    batch, _ = data.batch(np.arange(len(data.ids)))
    said = network.predict(batch.inputs)
    names = np.array(network.classes if network.named else data.classes)
    assert abs((names[said.predictions] == np.array(data.classes)[data.labels]).mean() - truth["accuracy"]) < 0.01
    assert len(np.load(folder / "answers.npz")["probabilities"]) == truth["rows"]


def test_the_catalogue_holds_enough_of_every_modality():
    code = (
        "import json, catalogue; print(json.dumps([(r.name, r.modality, r.role, r.rows) for r in catalogue.recipes()]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=TRICKS, capture_output=True, text=True, check=True)
    recipes = json.loads(done.stdout)
    names = [name for name, *_ in recipes]
    assert len(set(names)) == len(names)
    assert sum(role == "tricked" for _, _, role, _ in recipes) >= 24
    for wanted in ("image", "table", "text"):
        honest = [rows for _, modality, role, rows in recipes if modality == wanted and role == "honest"]
        assert len(honest) >= 10
        assert {200, 1000, 5000} <= set(honest)
