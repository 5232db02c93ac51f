"""The audit of the auditor: its laws hold what they promise, a few of its networks are asked, its page is current."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="some of the networks are torch's")
pytest.importorskip("onnx", reason="some of the networks are saved as ONNX")
pytest.importorskip("sklearn", reason="some of the networks are scikit-learn's")

HERE = Path(__file__).parents[2] / "benchmarks" / "selfaudit"


def loaded(name):
    spec = importlib.util.spec_from_file_location(f"selfaudit_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def laws():
    return loaded("laws")


@pytest.mark.parametrize("classes", [2, 4, 8])
def test_glyphs_answer_alike_in_every_class_and_shrug_at_what_is_symmetric(laws, classes):
    world = laws.glyphs(3, classes, colour=True, hard=False, steps=0)
    rng = np.random.default_rng(0)
    rows = world.draw(20, rng).inputs
    plain = world.stated(rows)
    assert plain.std(axis=1).min() > 0
    mirrored = world.stated(laws.turned(rows, laws.ELEMENTS[classes][1]))
    np.testing.assert_allclose(np.sort(mirrored, axis=1), np.sort(plain, axis=1), atol=1e-6)
    assert not np.allclose(mirrored, plain)
    np.testing.assert_allclose(world.stated(world.strangers(20, rng)), 1 / classes, atol=1e-6)
    other = rows.copy()
    other[:, : laws.RING], other[:, :, -laws.RING :] = 255, 0
    np.testing.assert_array_equal(world.stated(other), plain)


def test_no_change_within_the_budget_turns_a_sheet(laws):
    world = laws.dyes(4, form="torch")
    rows = world.draw(200, np.random.default_rng(1)).inputs.astype(int)
    red, _, blue = rows.mean(axis=(1, 2)).T
    worst = rows + np.where((red > blue)[:, None, None, None], [-8, 0, 8], [8, 0, -8])
    before, after = (world.stated(np.clip(some, 0, 255).astype(np.uint8)) for some in (rows, worst))
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()
    assert before.max(axis=1).min() > 0.98


def test_labels_are_drawn_as_often_as_stated(laws):
    stated = np.array([[0.7, 0.2, 0.1]]).repeat(20000, axis=0)
    shares = np.bincount(laws.drawn_labels(stated, np.random.default_rng(0))) / 20000
    np.testing.assert_allclose(shares, stated[0], atol=0.015)


def test_a_few_networks_are_asked_and_what_was_said_is_not_asked_again(tmp_path, monkeypatch):
    said = tmp_path / "said.jsonl"
    words = [sys.executable, str(HERE / "run.py"), "--quick", "--workers", "1", "--said", str(said)]
    first = subprocess.run(words, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    lines = [json.loads(line) for line in said.read_text().splitlines()]
    honest, planted = ([one for one in lines if bool(one["fault"]) == has] for has in (False, True))
    assert len(honest) == len(planted) == 1
    assert not [each for each in honest[0]["findings"] if (each["truth"], each["status"]) == ("false", "found")]
    assert any(each["truth"] == "false" for each in honest[0]["findings"])
    assert any((each["truth"], each["status"]) == ("due", "found") for each in planted[0]["findings"])
    with said.open("a") as file:
        file.write('{"stamp": "cut o')
    monkeypatch.syspath_prepend(HERE)
    run = loaded("run")
    assert run.answered(list(run.jobs(0, 1000, quick=True)), said, 1) == lines
    assert not run.held(said, "another")


def test_page_and_picture_are_current():
    tell = loaded("tell")
    record = json.loads(tell.RESULTS.read_text())
    assert tell.PAGE.read_text() == tell.page(record), "run python benchmarks/selfaudit/tell.py"
    assert tell.PICTURE.read_text() == tell.drawn(record)


def test_enough_networks_are_asked(monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    run = loaded("run")
    jobs = list(run.jobs(run.HONEST, 1000))
    assert len({job.name for job in jobs}) == len(jobs)
    assert sum(not job.fault for job in jobs) >= 40
    # How shifts break networks is seen in honest ones, whose loss under each is known.
    for chapter in set(run.CHAPTERS) - {"shift"}:
        assert sum(job.fault.startswith(f"{chapter}.") for job in jobs) >= 20, chapter
