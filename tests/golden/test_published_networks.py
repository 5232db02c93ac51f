"""Accuracies measured on published networks when their files were collected (PROVENANCE.md beside the data)."""

from pathlib import Path

import numpy as np
import pytest

from pfungst.datasets.dataset import Dataset
from pfungst.load import bind, load_data, load_model
from pfungst.models.model import Model

WONG_KOLTER = """
from torch import nn

def net():
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(1568, 100), nn.ReLU(), nn.Linear(100, 10),
    )
"""


def judged(model: Model, data: Dataset, rows: int | None = None, size: int = 100) -> tuple[float, float]:
    """Accuracy and mean confidence."""
    right, stated, seen = 0, 0.0, 0
    chosen = np.arange(len(data))[:rows]
    for at in range(0, len(chosen), size):
        batch, bad = data.batch(chosen[at : at + size])
        assert not bad
        outputs = model.predict(batch.inputs)
        right += int((outputs.predictions == batch.labels).sum())
        stated += float(outputs.confidence.sum())
        seen += len(batch)
    return right / seen, stated / seen


@pytest.mark.parametrize(
    ("network", "rows", "accuracy", "confidence"),
    [
        ("cifar10_resnet20", "cifar10_test_jpeg.npz", 0.8096, 0.9341),
        ("cifar10_resnet32", "cifar10_test_jpeg.npz", 0.8292, 0.9488),
        ("cifar10_resnet20", "cifar10_test_lossless_109.npz", 0.899, 0.968),
        ("mnist_convnet_baseline", "mnist_test.npz", 0.9906, 0.9907),
        ("mnist_convnet_oe_tune", "mnist_test.npz", 0.9908, 0.9908),
        ("gtsrb_simplecnn", "gtsrb_test.zip", 0.7876, 0.8257),
        ("imagenet_mobilenetv2", "imagenette_val_300.zip", 0.7367, 0.7176),
    ],
)
def test_accuracy_and_confidence_as_in_provenance(shared_data: Path, network, rows, accuracy, confidence):
    model = load_model(shared_data / "models" / network / "model.onnx", threads=1)
    got = judged(model, bind(model, load_data(shared_data / "images" / rows)))
    assert got == pytest.approx((accuracy, confidence), abs=6e-4)


def test_quantised_network_of_fixed_batch_one(shared_data: Path):
    model = load_model(shared_data / "models" / "imagenet_mobilenetv2_int8", threads=1)
    data = bind(model, load_data(shared_data / "images" / "imagenette_val_300.zip"))
    assert len(model.classes) == 1000
    accuracy, _ = judged(model, data, rows=150, size=7)
    assert 0.6 < accuracy < 0.8


def test_wong_kolter_state_dict_through_a_factory(shared_data: Path, tmp_path: Path):
    pytest.importorskip("torch")
    (tmp_path / "network.py").write_text(WONG_KOLTER)
    folder = shared_data / "models" / "mnist_wong_kolter_linf0.1"
    model = load_model(f"{tmp_path}/network.py:net", weights=folder / "state_dict.pt", threads=1)
    data = bind(model, load_data(shared_data / "images" / "mnist_test.npz"))
    assert 1 - judged(model, data, size=500)[0] == pytest.approx(0.018, abs=5e-5)


def test_strangers_of_mnist_are_stated_at_outlier_exposures_confidence(shared_data: Path):
    for network, confidence in (("mnist_convnet_baseline", 0.7185), ("mnist_convnet_oe_tune", 0.5181)):
        model = load_model(shared_data / "models" / network, threads=1)
        data = load_data(shared_data / "images" / "notmnist_5000.npz", name="ood:letters")
        bound = bind(model, data)
        assert bound.labels is None
        assert model.predict(bound.batch(np.arange(5000))[0].inputs).confidence.mean() == pytest.approx(
            confidence, abs=6e-5
        )


@pytest.mark.parametrize(
    ("answers", "accuracy", "confidence"),
    [
        ("densenet-bc-100-cifar-100.npz", 0.7541, 0.8963),
        ("wideresnet-16-4-cifar-10.npz", 0.9109, 0.9646),
        ("lenet-5-cifar-10.npz", 0.5308, 0.6387),
        ("cifar10h_base_vgg_15_BN_64.npz", 0.9282, 0.9774),
        ("cifar10h_base_wrn_28_10.npz", 0.9582, 0.9824),
    ],
)
def test_recorded_answers_as_in_provenance(shared_data: Path, answers, accuracy, confidence):
    model = load_model(shared_data / "answers" / answers)
    data = bind(model, None)
    outputs = model.predict(data.batch(np.arange(len(data)))[0].rows)
    assert (outputs.predictions == data.labels).mean() == pytest.approx(accuracy, abs=6e-5)
    assert outputs.confidence.mean() == pytest.approx(confidence, abs=6e-5)


def test_real_tables_are_read(shared_data: Path):
    from pfungst.task import Columns, Task

    tables = shared_data / "tables"
    adult = load_data(tables / "adult.csv.gz", task=Task(columns=Columns(label="income", group=("sex",))))
    assert len(adult) == 20_000
    assert adult.classes == ("<=50K", ">50K")
    assert len(adult.features) == 14
    spam = load_data(tables / "sms_spam.tsv")
    assert (spam.modality, spam.classes) == ("text", ("ham", "spam"))
    electricity = load_data(tables / "electricity_0_29999.csv.gz")
    assert electricity.shape == (6,)
    credit = load_data(tables / "credit_givemesomecredit.zip", task=Task(columns=Columns(label="SeriousDlqin2yrs")))
    assert set(np.unique(credit.labels)) == {0, 1}
