"""Each row is decoded once and shown once as it is, however many passes and pages want it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import pfungst
import pfungst.audits.study
from pfungst.audits.request import resolve
from pfungst.audits.study import opened
from pfungst.datasets.decoded import Decoded
from pfungst.passes import Predict

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (120, 8, 8, 3), dtype=np.uint8)
LABELS = (PICTURES[..., 0].mean((1, 2)) > 127).astype(int)
TASK = {"task": {"classes": ["dark", "bright"]}, "shift": {"kinds": ("brightness", "off-centre")}}


def scores(pictures):
    red = pictures[..., 0].mean((1, 2)) / 255
    return np.stack([red * 0, (red - 0.5) * 20], 1).astype(np.float32)


@pytest.fixture
def decoded(monkeypatch):
    """How often each row was read."""
    counts = Counter()
    load = pfungst.audits.study.load_data

    def counted(*arguments, **options):
        data = load(*arguments, **options)

        def read(rows):
            counts.update(np.asarray(rows).tolist())
            return list(data.read(rows))  # one by one, as files are; an array in memory is not decoded

        return replace(data, read=read)

    monkeypatch.setattr(pfungst.audits.study, "load_data", counted)
    return counts


def test_rows_are_decoded_once_for_all_passes_rounds_donors_and_pictures(decoded, tmp_path):
    chapters = ("calibration", "mistakes", "shortcuts", "shift", "unknowns")
    result = pfungst.audit(scores, (PICTURES, LABELS), only=chapters, task=TASK, out=tmp_path / "run")
    assert len(result.report.passes) > 20
    assert set(decoded.values()) == {1}
    assert len(decoded) == len(PICTURES)


def test_no_two_passes_show_the_model_the_same_rows_alike():
    """Two passes that keep different parts of the same answers are one question."""
    shown = Counter()

    def model(pictures):
        shown.update(picture.tobytes() for picture in pictures)
        return scores(pictures)

    study = opened(model, (PICTURES, LABELS), resolve(TASK, {"batch_size": 1}))
    done = study.answered([Predict(), Predict(features=True), Predict(half="discovery")])
    assert len(done) == 3
    assert set(shown.values()) == {1}


def test_what_does_not_fit_into_memory_is_read_again():
    asked = []

    def read(rows):
        asked.extend(rows.tolist())
        return [np.full(4, row, np.uint8) for row in rows]

    few = Decoded(most=8)
    for _ in range(2):
        assert [int(item[0]) for item in few.items(np.array([5, 3, 4]), read)] == [5, 3, 4]
    assert asked == [5, 3, 4, 4]
