"""Selection: centred objects, leaks and samples unlike the world are found, and not where there are none."""

import numpy as np
import pytest

import pfungst
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError
from pfungst.findings import Estimates, Histogram, Table
from pfungst.methods.inclusion import inclusion_weights, reweighted, worst_accuracy
from pfungst.methods.objects import box_columns, objects_of


def pictures(rows, seed, spread):
    """A disc or a square of about a third of the side, this far from the middle (deviation, in pixels of 32)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 2
    inputs = rng.normal(60, 8, (rows, 32, 32, 1))
    y, x = np.mgrid[:32, :32]
    boxes = np.zeros((rows, 4))
    for image, label, box in zip(inputs, labels, boxes, strict=True):
        down, right = np.clip(16 + rng.normal(0, spread, 2), 6, 26)
        far = np.maximum(np.abs(y - down), np.abs(x - right)) if label else np.hypot(y - down, x - right) * 0.9
        image[far < 5] += 120
        box[:] = right - 5, down - 5, right + 5, down + 5
    return np.clip(inputs, 0, 255).astype(np.uint8), labels, boxes


def by_place(shown):
    """Looks at fixed pixels near a corner of the square that stands in the middle."""
    values = np.asarray(shown, np.float32) / (255 if shown.dtype == np.uint8 else 1)
    corners = values[:, [12, 12, 20, 20], [12, 20, 12, 20], 0].mean(axis=1)
    return np.stack([0.48 - corners, corners - 0.48], axis=1) * 20


def by_shape(shown):
    """Counts bright pixels, wherever they are."""
    values = np.asarray(shown, np.float32) / (255 if shown.dtype == np.uint8 else 1)
    bright = (values > 0.5).mean(axis=(1, 2, 3))
    return np.stack([0.088 - bright, bright - 0.088], axis=1) * 300


def file_of(tmp_path, inputs, labels, boxes):
    names = dict(zip(("Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2"), boxes.T, strict=True))
    size = {"Width": np.full(len(labels), 32), "Height": np.full(len(labels), 32)}
    np.savez(tmp_path / "signs.npz", inputs=inputs, labels=labels, **names, **size)
    return tmp_path / "signs.npz"


def found(audit, kind):
    return next(one for one in audit.findings if (one.probe, one.kind) == ("selection", kind))


def test_centred_objects_and_a_model_that_looks_at_fixed_places(tmp_path):
    data = file_of(tmp_path, *pictures(400, 0, 0.4))
    audit = pfungst.audit(by_place, data, only=("selection",))
    centred = found(audit, "centred")
    assert centred.status == "found"
    assert centred.severity in {"high", "critical"}
    assert "Nine of ten objects lie within" in centred.claim


def test_a_model_that_finds_its_object_is_not_accused(tmp_path):
    audit = pfungst.audit(by_shape, file_of(tmp_path, *pictures(400, 0, 0.4)), only=("selection",))
    assert found(audit, "centred").status != "found"


def test_objects_that_lie_anywhere_are_not_called_centred(tmp_path):
    audit = pfungst.audit(by_shape, file_of(tmp_path, *pictures(400, 0, 4.0)), only=("selection",))
    assert found(audit, "centred").status == "absent"
    assert "They are not centred" in found(audit, "centred").claim


def test_without_boxes_or_masks_it_is_said_what_lacks():
    inputs, labels, _ = pictures(200, 0, 0.4)
    audit = pfungst.audit(by_shape, (inputs, labels), only=("selection",))
    reasons = {one.kind: one.reason for one in audit.report.skipped if one.probe == "selection"}
    assert "boxes" in reasons["centred"]
    assert "--train" in reasons["leak"]
    assert "--shifted" in reasons["unrepresentative"]


def test_rows_that_stand_in_the_training_set_are_a_leak():
    inputs, labels, _ = pictures(400, 0, 3.0)
    other, known, _ = pictures(400, 1, 3.0)
    mixed, theirs = np.concatenate([other, inputs[:120]]), np.concatenate([known, labels[:120]])
    leak = found(pfungst.audit(by_shape, (inputs, labels), only=("selection",), train=(mixed, theirs)), "leak")
    assert leak.status == "found"
    assert leak.effect.value == pytest.approx(0.3)
    clean = found(pfungst.audit(by_shape, (inputs, labels), only=("selection",), train=(other, known)), "leak")
    assert clean.status == "absent"


def table(rows, seed, away=0.0):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(0, 1, (rows, 3))
    inputs[:, 0] += away
    return inputs, (inputs[:, 1] > 0).astype(int)


def careless(some):
    """Right where the first column is low."""
    wrong = (some[:, 0] > 0.8) & (np.sin(1e4 * some[:, 2]) > 0)
    score = 4 * np.where(wrong, -1, 1) * np.sign(some[:, 1])
    return np.stack([-score, score], axis=1)


def test_a_sample_unlike_the_world_is_found_and_the_weighted_accuracy_nears_the_true_one():
    there, truth = table(1000, 2, away=0.8)
    audit = pfungst.audit(careless, table(1000, 1), only=("selection",), shifted={"world": there})
    unlike = found(audit, "unrepresentative")
    assert unlike.status == "found"
    plain, weighted = next(one for one in unlike.evidence if isinstance(one, Estimates)).items
    true = float((careless(there).argmax(axis=1) == truth).mean())
    assert abs(plain.value - true) > 0.1
    assert weighted.low < true < weighted.high


def test_samples_of_one_world_are_not_told_apart():
    worlds = [(table(400, seed), {"world": table(400, 50 + seed)[0]}) for seed in range(8)]
    audits = [pfungst.audit(careless, rows, only=("selection",), shifted=world) for rows, world in worlds]
    assert "found" not in {found(audit, "unrepresentative").status for audit in audits}


def test_weights_that_leave_few_rows_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="told from the new ones at sight"):
        inclusion_weights(rng.normal(0, 1, (200, 2)), rng.normal(4, 1, (200, 2)))
    with pytest.raises(InputError, match="too unlike the new ones"):
        reweighted(np.ones(200), np.exp(rng.normal(0, 2.5, 200)))


def test_the_worst_accuracy_is_that_of_the_published_formula():
    assert [round(worst_accuracy(0.95, odds), 3) for odds in (1.5, 2, 3)] == [0.894, 0.826, 0.679]


def test_framings_stand_beside_how_the_tested_rows_frame_their_objects(tmp_path):
    centred = found(pfungst.audit(by_place, file_of(tmp_path, *pictures(400, 0, 0.4)), only=("selection",)), "centred")
    table = next(one for one in centred.evidence if isinstance(one, Table))
    lines = {row[0]: row[1:] for row in table.rows}
    assert set(lines) == {"off-centre", "zoom-in", "zoom-out", "crop", "rotation"}
    assert lines["off-centre"][2].endswith("% lie that far from the middle")
    assert float(lines["off-centre"][2].split("%")[0]) < 5
    assert lines["rotation"][2] == "not known from boxes or masks"
    where = next(one for one in centred.evidence if isinstance(one, Histogram))
    assert sum(where.series[0].shares) == pytest.approx(1)
    assert 0 < where.line < 0.2


def test_accuracy_falls_with_the_offset_of_the_objects_of_a_model_that_looks_at_fixed_places(tmp_path):
    trends = {}
    for model in (by_place, by_shape):
        audit = pfungst.audit(model, file_of(tmp_path, *pictures(600, 0, 2.0)), only=("selection",))
        by_offset = next(one for one in found(audit, "centred").evidence if isinstance(one, Estimates))
        trends[model] = [one.value for one in by_offset.items]
    assert len(trends[by_place]) == 4
    assert trends[by_place][0] - trends[by_place][-1] > 0.2
    assert abs(trends[by_shape][0] - trends[by_shape][-1]) < 0.1


CORNERS = np.array([[8, 8, 24, 24], [0, 8, 16, 24], [16, 16, 48, 32], [8, 12, 24, 28.0]])
SPELLED = [
    ("roi_x1", "roi_y1", "roi_x2", "roi_y2"),
    ("Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("bbox left", "bbox top", "bbox right", "bbox bottom"),
    ("x_1", "y_1", "x_2", "y_2"),
]


def boxed(columns, side=32):
    rows = len(next(iter(columns.values())))
    image = np.zeros((side, side, 1), np.uint8)
    ids = tuple(map(str, range(rows)))
    return Dataset("test", "", "image", ids, lambda at: [image] * len(at), columns=columns)


@pytest.mark.parametrize("names", SPELLED, ids=lambda names: names[0])
def test_boxes_are_read_from_columns_of_many_spellings(names):
    columns = dict(zip(names, CORNERS[[0, 1, 3]].T, strict=True))
    assert box_columns({**columns, "label": 0}) == names
    for more in ({}, {"width": np.full(3, 32), "height": np.full(3, 32)}):
        seen = objects_of(boxed(columns | more), np.arange(3))
        assert seen.offsets == pytest.approx([0, 8 / 32, 4 / 32])
        assert seen.sizes == pytest.approx([0.5] * 3)
        assert seen.cut.tolist() == [False, True, False]


def test_boxes_that_are_shares_missing_or_not_of_these_pictures():
    names = ("x1", "y1", "x2", "y2")
    shares = objects_of(boxed(dict(zip(names, CORNERS[[0, 1]].T / 32, strict=True))), np.arange(2))
    assert shares.offsets == pytest.approx([0, 0.25])
    holes = CORNERS[[0, 1]].T.copy()
    holes[2, 0] = np.nan
    assert objects_of(boxed(dict(zip(names, holes, strict=True))), np.arange(2)).rows.tolist() == [1]
    written = dict(zip(names, [["8", "0"], ["8", "8"], ["24", ""], ["24", "24"]], strict=True))
    assert objects_of(boxed({name: np.array(column) for name, column in written.items()}), np.arange(2)).rows == [0]
    with pytest.raises(InputError, match=r"reach beyond 25% of the pictures \(row 2: to 48, 32 in 32 x 32\)"):
        objects_of(boxed(dict(zip(names, CORNERS.T, strict=True))), np.arange(4))


def test_columns_of_boxes_are_named_in_the_task_file(tmp_path):
    inputs, labels, boxes = pictures(400, 0, 0.4)
    named = dict(zip("lrtb", boxes[:, [0, 2, 1, 3]].T, strict=True))
    np.savez(tmp_path / "signs.npz", inputs=inputs, labels=labels, **named)
    task = {"columns": {"box": ["l", "t", "r", "b"]}}
    audit = pfungst.audit(by_place, tmp_path / "signs.npz", only=("selection",), task=task)
    assert found(audit, "centred").status == "found"
    task = {"columns": {"box": ["l", "t", "r", "bottom"]}}
    audit = pfungst.audit(by_place, tmp_path / "signs.npz", only=("selection",), task=task)
    reasons = {one.kind: one.reason for one in audit.report.skipped if one.probe == "selection"}
    assert "left, top, right and bottom" in reasons["centred"]


def test_what_the_shift_chapter_asks_makes_no_objects_known():
    inputs, labels, _ = pictures(110, 0, 0.4)
    audit = pfungst.audit(by_shape, (inputs, labels), only=("shift", "selection"))
    reasons = {one.kind: one.reason for one in audit.report.skipped if one.probe == "selection"}
    assert "where objects lie is not known" in reasons["centred"]
