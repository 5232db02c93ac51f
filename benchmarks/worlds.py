"""Worlds of real data: python benchmarks/worlds.py [--data FOLDER] [--only xrays cells credit spam].

``xrays``: a small convolutional network is trained to tell COVID in x-rays that come, all of them, from one hospital,
and audited on the other patients; beside it stand linear models of the whole picture (20 x 20), of its border (3
pixels, 40 components), and of its mean and spread (with squares), cross-fitted by patient. ``cells``: blood cells whose
stain shows the patient in vain. ``credit``: applicants who game their model, at Perdomo's strengths. ``spam``: recall
after good words were added, with the model fitted anew after each round or never, and what hiding costs.
"""

import argparse
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from torch import nn

import pfungst
from pfungst.arrays import Array, FloatArray
from pfungst.feedback import GoodWords, LinearGaming, critical_strength, gaming_cost, simulate

STRATEGIC = (0, 5, 7)
WORDS = (0, 1, 3, 5, 10)


def some_units(units: Array) -> Array:
    """Half of the units, as a mask of rows."""
    names = np.unique(units)
    return np.isin(units, np.random.default_rng(0).permutation(names)[: len(names) // 2])


def network(channels: int) -> nn.Sequential:
    """Convolutions over a picture (of one channel: shrunk to a quarter), and the largest answers over places."""
    return nn.Sequential(
        nn.AvgPool2d(4 if channels == 1 else 1), nn.Conv2d(channels, 16, 5, 2), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(128, 2),
    )  # fmt: skip


def trained(pictures: Array, labels: Array, epochs: int) -> nn.Sequential:
    """A network fitted to pictures (rows, height, width[, channels]) of 0 to 255."""
    torch.manual_seed(0)
    rows = as_tensor(pictures)
    model = network(rows.shape[1])
    steps = torch.optim.Adam(model.parameters(), 3e-3)
    truth = torch.from_numpy(labels.astype(np.int64))
    for _ in range(epochs):
        for some in torch.randperm(len(rows)).split(32):
            steps.zero_grad()
            nn.functional.cross_entropy(model(turned(rows[some])), truth[some]).backward()
            steps.step()
    return model.eval()


def turned(rows: torch.Tensor) -> torch.Tensor:
    """Rows upside down or mirrored, by lot: neither tells anything of a cell or a lung's disease."""
    for side in (2, 3):
        if torch.rand(()) < 0.5:
            rows = rows.flip(side)
    return rows


def as_tensor(pictures: Array) -> torch.Tensor:
    """Pictures as channels first, in [0, 1]."""
    rows = pictures if pictures.ndim == 4 else pictures[..., None]
    return torch.from_numpy(np.ascontiguousarray(rows.transpose(0, 3, 1, 2))).float() / 255


def audited(model: nn.Sequential, data: dict[str, Array], columns: dict[str, Any]) -> None:
    """Print what the chapter on sites says of a network."""

    def answers(pictures: Array) -> Array:
        with torch.no_grad():
            return np.asarray(model(as_tensor(np.asarray(pictures))).numpy())

    audit = pfungst.audit(answers, data, outputs="logits", only=("sites",), task={"columns": columns})
    for one in audit.findings:
        print(f"{one.kind} {one.subject}: {one.status}, {one.severity}. {one.claim}")
    print(audit.verdict.sentence)


def area(measured: FloatArray, held: dict[str, Array], *steps: Any) -> float:
    """AUC of a linear model, cross-fitted by patient."""
    model = make_pipeline(StandardScaler(), *steps, LogisticRegression(C=0.05, max_iter=3000))
    said = cross_val_predict(
        model, measured, held["labels"], groups=held["patient"], cv=GroupKFold(5), method="predict_proba"
    )
    return float(roc_auc_score(held["labels"], said[:, 1]))


def xrays(folder: Path) -> None:
    """Two hospitals, one of which has all the COVID cases."""
    with np.load(folder / "images" / "xray_two_sites_160.npz") as file:
        held = dict(file)
    x = held["inputs"].reshape(-1, 160, 160).astype(np.float64)
    whole = x.reshape(-1, 20, 8, 20, 8).mean(axis=(2, 4)).reshape(len(x), -1)
    edges = x[:, :3], x[:, -3:], x[:, 3:-3, :3], x[:, 3:-3, -3:]
    border = np.concatenate([edge.reshape(len(x), -1) for edge in edges], axis=1)
    plain = np.stack([x.mean(axis=(1, 2)), x.std(axis=(1, 2))], axis=1)
    squares = PolynomialFeatures(2, include_bias=False), StandardScaler()
    print("AUC of linear models, cross-fitted by patient (recorded with the data: .986, .970, .945)")
    print(f"whole {area(whole, held):.3f}, border alone {area(border, held, PCA(40, svd_solver='full')):.3f}", end=", ")
    print(f"mean and spread {area(plain, held):.3f}, with squares {area(plain, held, *squares):.3f}")
    known = some_units(held["patient"])
    model = trained(held["inputs"][known], held["labels"][known], epochs=12)
    rest = {name: held[name][~known] for name in ("inputs", "labels", "site", "patient", "width", "height")}
    audited(model, rest, {"site": ["site"], "unit": "patient"})


def cells(folder: Path) -> None:
    """Blood cells: the patient shows in the stain and does not help."""
    with np.load(folder / "images" / "malaria_cells_48.npz") as file:
        held = dict(file)
    known = some_units(held["patient"])
    model = trained(held["inputs"][known], held["labels"][known], epochs=20)
    rest = {name: held[name][~known] for name in ("inputs", "labels", "patient")}
    audited(model, rest, {"site": ["patient"]})


def credit(folder: Path) -> None:
    """Perdomo et al. 2020: accuracy once the world moved and once fitted anew, and gaps in norms of theta_S."""
    with zipfile.ZipFile(folder / "tables" / "credit_givemesomecredit.zip") as held:
        text = io.StringIO(held.read("credit_data.csv").decode())
    rows = np.genfromtxt(text, delimiter=",", skip_header=1, missing_values="NA")[:, 1:]
    rows = rows[np.isfinite(rows).all(axis=1)]
    x = (rows[:, 1:] - rows[:, 1:].mean(axis=0)) / rows[:, 1:].std(axis=0)
    kept = np.concatenate([np.flatnonzero(rows[:, 0] == 1), np.flatnonzero(rows[:, 0] == 0)[:10_000]])
    x, y = x[kept], rows[kept, 0].astype(int)
    newton = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10)
    print("| eps | verdict | gap, rounds 1 and 2 | accuracy once moved | once fitted anew |\n|---|---|---|---|---|")
    for eps in (0.01, 1, 100, 1000):
        found = simulate(
            newton, x, y, LinearGaming(STRATEGIC, eps), rounds=4, loss=lambda said, labels: (said > 0.5) != labels
        )
        theta = np.array([np.append(model.coef_, model.intercept_) for model in found.models])
        gaps = np.linalg.norm(np.diff(theta, axis=0), axis=1) / np.linalg.norm(theta[0, list(STRATEGIC)])
        right = 1 - found.moved[0].value, 1 - found.retrained[0].value
        print(f"| {eps} | {found.verdict} | {gaps[0]:.2g}, {gaps[1]:.1g} | {right[0]:.4f} | {right[1]:.4f} |")
    print(f"norm of the first theta {np.linalg.norm(theta[0]):.4f}")
    limit = critical_strength(newton, x, y, lambda eps: LinearGaming(STRATEGIC, eps), (0.01, 100), draws=5)
    print(limit.sentence)
    print(gaming_cost(found.models[0], x, immutable=[at for at in range(x.shape[1]) if at not in STRATEGIC]).estimate)


class Cut:
    """Spam is what scores above 99.5 % of the ham it was fitted to."""

    def __init__(self, model: Any, inputs: Any, labels: Array) -> None:
        self.model, self.coef_ = model, model.coef_
        self.intercept_ = 0.0
        self.intercept_ = -float(np.quantile(self.score(inputs)[labels == 0], 0.995))

    def score(self, inputs: Any) -> FloatArray:
        """How far beyond the cut a message lies."""
        return np.asarray(inputs @ self.coef_[0]).ravel() + self.intercept_

    def predict(self, inputs: Any) -> FloatArray:
        """1 is spam."""
        return (self.score(inputs) > 0).astype(float)


def spam(folder: Path) -> None:
    """Recall of spam that adds good words, three deals of the messages to six rounds."""
    lines = (folder / "tables" / "sms_spam.tsv").read_text(encoding="utf-8").splitlines()
    kinds, texts = zip(*(line.split("\t", 1) for line in lines), strict=True)
    x, y = CountVectorizer(min_df=2).fit_transform(texts), (np.array(kinds) == "spam").astype(int)

    def fit(inputs: Any, labels: Array) -> Cut:
        return Cut(LogisticRegression().fit(inputs, labels), inputs, labels)

    def recall(words: int, policy: str) -> FloatArray:
        played = [
            simulate(
                fit, x, y, GoodWords(words), policy, 5, parts=6, loss=lambda said, true: said[true == 1], seed=seed
            )
            for seed in range(3)
        ]
        return np.mean([[one.value for one in each.moved] for each in played], axis=0)

    print("| words | policy | recall by round |\n|---|---|---|")
    for words in WORDS:
        for policy in ("never", "every", "pooled"):
            print(f"| {words} | {policy} | {' '.join(f'{one:.2f}' for one in recall(words, policy))} |", flush=True)
    model = fit(x, y)
    caught = x[(model.predict(x) == 1) & (y == 1)]
    for share in (0.1, 0.5, 0.9):
        one = gaming_cost(model, caught, cost="words", share=share).estimate
        print(f"{one.name}: {one:.0f}; {one.rows} caught messages, best words first")


def main() -> None:
    """Print what each world shows."""
    worlds: dict[str, Callable[[Path], None]] = {"xrays": xrays, "cells": cells, "credit": credit, "spam": spam}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("PFUNGST_DATA", "../shared/data"))
    parser.add_argument("--only", nargs="*", default=list(worlds), choices=list(worlds))
    asked = parser.parse_args()
    for name in asked.only:
        print(f"\n## {name}\n", flush=True)
        worlds[name](Path(asked.data))


if __name__ == "__main__":
    main()
