"""Networks that a method of attribution cannot be used on: the method is left out and said, the audit goes on."""

import numpy as np
import pytest

import pfungst
from pfungst.probe import Probe, probes

torch = pytest.importorskip("torch", reason="the networks are PyTorch modules")
from torch import nn  # noqa: E402 - only where torch is there

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (80, 8, 8, 1), dtype=np.uint8)
LABELS = np.arange(80) % 2


def network(*layers):
    torch.manual_seed(0)
    return nn.Sequential(*layers).eval()


def test_a_network_without_a_lattice_has_no_grad_cam_and_all_other_maps():
    model = network(nn.Flatten(), nn.Linear(64, 2))
    report = pfungst.audit(model, {"inputs": PICTURES, "labels": LABELS}, only=("attribution",)).report
    (skipped,) = [one for one in report.skipped if "grad-cam" in one.subject and "order" not in one.subject
                  and "shuffled" not in one.subject]  # fmt: skip
    assert "no layer whose output is a lattice" in skipped.reason
    assert {one.subject for one in report.findings if one.kind == "unfaithful"} == {
        "gradient-x-input", "integrated-gradients", "smooth-grad",
    }  # fmt: skip


def test_a_network_that_is_dead_on_some_rows_is_audited():
    model = network(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2))
    with torch.no_grad():
        model[0].bias.fill_(-100.0)
    report = pfungst.audit(model, {"inputs": PICTURES, "labels": LABELS}, only=("attribution",), batch_size=1).report
    assert not [one for one in report.skipped if one.reason.startswith("the probe broke")]


def test_a_probe_that_breaks_while_it_asks_costs_only_its_own_findings(monkeypatch):
    calibration = probes["calibration"]

    def broken(*_):
        raise RuntimeError("no such thing")

    assert issubclass(calibration, Probe)
    monkeypatch.setattr(calibration, "needs", broken)
    model = network(nn.Flatten(), nn.Linear(64, 2))
    report = pfungst.audit(model, {"inputs": PICTURES, "labels": LABELS}, only=("calibration", "mistakes")).report
    assert [one.reason for one in report.skipped if one.probe == "calibration"] == [
        "the probe broke: RuntimeError: no such thing"
    ]
    assert {one.probe for one in report.findings} == {"mistakes"}


def test_two_right_rows_settle_nothing():
    def model(rows):
        return np.stack([-rows[:, 0], rows[:, 0]], axis=1)

    rows = {"inputs": np.array([[-2.0, 0.0], [2.0, 0.0]], np.float32), "labels": np.array([0, 1])}
    assert pfungst.audit(model, rows, only=("mistakes",), outputs="logits").report.verdict.generalizes == "undecided"


def middle(pictures):
    score = pictures[:, 2:6, 2:6].mean(axis=(1, 2, 3)) / 64 - 2
    return np.stack([-score, score], axis=1)


def test_methods_of_random_masks_are_asked_where_they_are_named():
    asked = pfungst.probes.attribution(methods=("rise", "kernel-shap"), rows=6)
    report = pfungst.audit(middle, (PICTURES, LABELS), probes=[asked], outputs="logits").report
    names = {record.name for record in report.passes}
    assert {"attributed by rise", "attributed by kernel-shap"} <= names
    assert "attributed by occlusion" not in names


def test_a_method_that_does_not_exist_is_named():
    asked = pfungst.probes.attribution(methods=("lime",))
    with pytest.raises(pfungst.InputError, match="no method of attribution 'lime'; there are"):
        pfungst.audit(middle, (PICTURES, LABELS), probes=[asked], outputs="logits")
