"""Audits of published networks give the figures that were measured when the networks were collected."""

from dataclasses import dataclass

import numpy as np
import pytest

from pfungst.auditing import audit
from pfungst.audits.request import resolve
from pfungst.audits.study import opened
from pfungst.datasets.dataset import Batch
from pfungst.engine.rounds import Rounds
from pfungst.findings import Table
from pfungst.passes import Passes, Predict

FIGURES = [
    ("cifar10_resnet20", "cifar10_test_jpeg.npz", 0.8096, 0.9341, 0.1245),
    ("cifar10_resnet32", "cifar10_test_jpeg.npz", 0.8292, 0.9488, 0.1198),
    ("mnist_convnet_baseline", "mnist_test.npz", 0.9906, 0.9907, 0.0018),
    ("mnist_convnet_oe_tune", "mnist_test.npz", 0.9908, 0.9908, 0.0016),
    ("gtsrb_simplecnn", "gtsrb_test.zip", 0.7876, 0.8257, 0.0400),
    ("imagenet_mobilenetv2", "imagenette_val_300.zip", 0.7367, 0.7176, 0.0648),
]


def estimates(finding):
    return {
        item.name: item for piece in finding.evidence if piece.__class__.__name__ == "Estimates" for item in piece.items
    }


@pytest.mark.parametrize("figures", FIGURES, ids=lambda figures: figures[0])
def test_accuracy_confidence_and_calibration_error(shared_data, figures):
    model, data, accuracy, confidence, error = figures
    audited = audit(shared_data / "models" / model / "model.onnx", shared_data / "images" / data, only=("calibration",))
    assert audited.headline[0].accuracy.value == pytest.approx(accuracy, abs=1e-3)
    over = next(finding for finding in audited.findings if finding.kind == "overconfident")
    numbers = estimates(over)
    assert numbers["mean stated confidence"].value == pytest.approx(confidence, abs=1e-3)
    assert over.effect.value == pytest.approx(confidence - accuracy, abs=1e-3)
    assert numbers["expected calibration error"].value == pytest.approx(error, abs=1e-3)


def test_letters_shown_to_a_digit_network(shared_data):
    audited = audit(
        shared_data / "models" / "mnist_convnet_baseline" / "model.onnx",
        shared_data / "images" / "mnist_test.npz",
        ood={"letters": shared_data / "images" / "notmnist_5000.npz"},
        only=("unknowns",),
    )
    confident = next(finding for finding in audited.findings if finding.kind == "confident")
    assert confident.status == "found"
    assert confident.severity == "high"
    assert confident.effect.value == pytest.approx(0.3188, abs=1e-3)
    assert estimates(confident)["mean stated confidence, strangers"].value == pytest.approx(0.7185, abs=1e-3)
    apart = estimates(next(finding for finding in audited.findings if finding.kind == "undetectable"))
    assert apart["AUROC of max-probability"].value == pytest.approx(0.9622, abs=5e-3)  # reported on half of the letters


@dataclass(frozen=True)
class MovedRight:
    """Move by whole pixels to the right; the edge is repeated."""

    pixels: int

    @property
    def name(self):
        return f"moved right by {self.pixels} px"

    def __call__(self, batch: Batch):
        edge = np.repeat(batch.inputs[:, :, :1], self.pixels, axis=2)
        return np.concatenate([edge, batch.inputs[:, :, : -self.pixels]], axis=2)


def test_traffic_signs_off_centre(shared_data):
    study = opened(
        shared_data / "models" / "gtsrb_simplecnn" / "model.onnx",
        shared_data / "images" / "gtsrb_test.zip",
        resolve(None, {}),
    )
    moved = {pixels: Predict(under=MovedRight(pixels)) for pixels in (2, 4, 6)}
    done = Rounds(study.data, study.executor()).answer(dict.fromkeys(moved.values(), ("test",)), Passes())
    for pixels, accuracy, confidence in ((2, 0.6355, 0.77), (4, 0.2651, 0.71), (6, 0.0855, 0.71)):
        outputs = done[moved[pixels]]
        assert (outputs.predictions == study.data.labels[outputs.rows]).mean() == pytest.approx(accuracy, abs=2e-3)
        assert outputs.confidence.mean() == pytest.approx(confidence, abs=0.01)


def test_traffic_signs_are_centred_and_the_network_needs_them_so(shared_data):
    audited = audit(
        shared_data / "models" / "gtsrb_simplecnn" / "model.onnx",
        shared_data / "images" / "gtsrb_test.zip",
        only=("selection",),
    )
    centred = next(finding for finding in audited.findings if finding.kind == "centred")
    assert centred.status == "found"
    assert centred.severity == "critical"
    assert centred.effect.value == pytest.approx(0.464, abs=0.01)
    assert "0.0% of the objects lie that far out" in centred.claim
    framings = next(piece for piece in centred.evidence if isinstance(piece, Table))
    already = {row[0]: row[3] for row in framings.rows}
    assert already["crop"] == "0.0% are cut by the picture's edge"
