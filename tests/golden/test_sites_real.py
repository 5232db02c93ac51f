"""Sites of real data: x-rays of two hospitals that the label names, and patients whose stain shows in vain."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pfungst
from pfungst.findings import Estimates


def some_units(units, seed=0):
    """Half of the units, as a mask of rows."""
    names = np.unique(units)
    return np.isin(units, np.random.default_rng(seed).permutation(names)[: len(names) // 2])


def thumbnails(pictures, side=20):
    many, height = pictures.shape[:2]
    boxes = np.asarray(pictures, np.float64).reshape(many, side, height // side, side, height // side)
    return boxes.mean(axis=(2, 4)).reshape(many, -1)


def stain(pictures):
    """Quantiles, spread and roughness of each colour of a cell."""
    x = np.asarray(pictures, np.float64)
    flat = x.reshape(len(x), -1, 3)
    levels = np.quantile(flat, [0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9], axis=1).transpose(1, 0, 2)
    rough = np.abs(np.diff(x, axis=1)).mean(axis=(1, 2))
    return np.concatenate([levels.reshape(len(x), -1) / 255, rough / 20, flat.std(axis=1) / 50], axis=1)


def audited(fit, measured, data, columns):
    return pfungst.audit(
        lambda rows: fit.predict_proba(measured(rows)), data, outputs="probabilities", only=("sites",),
        task={"columns": columns, "task": {"classes": [str(one) for one in fit.named]}},
    )  # fmt: skip


def areas(finding):
    return {one.name: one for one in next(x for x in finding.evidence if isinstance(x, Estimates)).items}


def of(audit, kind):
    return next(one for one in audit.findings if one.kind == kind)


@pytest.fixture(scope="module")
def xrays(shared_data):
    with np.load(shared_data / "images" / "xray_two_sites_160.npz") as held:
        return dict(held)


def two_hospitals(xrays, labels, names):
    known = some_units(xrays["patient"])
    steps = StandardScaler(), PCA(40, svd_solver="full"), LogisticRegression(C=0.05, max_iter=2000)
    fit = make_pipeline(*steps).fit(thumbnails(xrays["inputs"][known]), labels[known])
    fit.named = names
    data = {name: xrays[name][~known] for name in ("inputs", "site", "patient", "width", "height")}
    columns = {"site": ["site"], "unit": "patient"}
    return audited(fit, thumbnails, {**data, "labels": labels[~known]}, columns)


def test_hospital_and_covid_cannot_be_told_apart(xrays):
    audit = two_hospitals(xrays, xrays["labels"], xrays["classes"])
    found = of(audit, "confounded")
    assert (found.status, found.severity) == ("found", "high")
    assert "cannot separate the label from the site: no site holds rows of two classes" in found.claim
    assert "cannot be told apart from a detector of site" in found.claim
    shown = areas(found)
    assert shown["the model, all pairs of rows"].value > 0.97
    assert shown["site alone"].value == 1
    assert shown["width, height and file alone"].value > 0.97
    assert not any("one site" in name for name in shown)
    assert audit.verdict.generalizes == "undecided"


def test_nor_can_three_findings_of_which_each_comes_from_one_hospital(xrays):
    names, labels = np.unique(xrays["finding"], return_inverse=True)
    found = of(two_hospitals(xrays, labels, names), "confounded")
    assert found.status == "found"
    assert "no class is seen at two sites" in found.claim


@pytest.mark.parametrize("unit", [False, True])
def test_patients_whose_stain_shows_are_no_shortcut(shared_data, unit):
    with np.load(shared_data / "images" / "malaria_cells_48.npz") as held:
        cells = dict(held)
    known = some_units(cells["patient"])
    fit = make_pipeline(StandardScaler(), LogisticRegression(C=10, max_iter=9000))
    fit.fit(stain(cells["inputs"][known]), cells["labels"][known])
    fit.named = cells["classes"]
    data = {name: cells[name][~known] for name in ("inputs", "labels", "patient")}
    columns = {"site": ["patient"], **({"unit": "patient"} if unit else {})}
    found = of(audited(fit, stain, data, columns), "confounded")
    assert found.status == "absent"
    if not unit:
        assert "go together" in found.claim
        assert "The answer does not follow it" in found.claim
        assert found.effect.high < 0.03
