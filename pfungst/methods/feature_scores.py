"""Scores of strangeness from the features: the input of the last layer, beside that of known rows."""

import numpy as np
from scipy.special import logsumexp

from pfungst.arrays import FloatArray
from pfungst.methods.known import Known
from pfungst.methods.unknownness import features_of, needs, unknownness_scores
from pfungst.outputs import Outputs

__all__ = ["unknownness_scores"]

SCALED_BY = 0.15
"""Share of the features whose sum SCALE divides by."""

KEPT = 0.10
"""Share of the features that ASH-S keeps."""


@unknownness_scores
@needs("features", "head", "true logits", "all classes")
def react(outputs: Outputs, known: Known) -> FloatArray:
    """Energy after clipping the features at the 90th percentile of the known rows' (Sun 2021, arXiv:2111.12797)."""
    clipped = np.minimum(features_of(outputs), known.clip)
    return np.asarray(-logsumexp(known.layer.logits(clipped), axis=1))


@unknownness_scores
@needs("features", "head", "true logits", "all classes", "features of 0 or more")
def scale(outputs: Outputs, known: Known) -> FloatArray:
    """Energy of features times exp(their sum over that of their largest 15 %) (Xu 2024, arXiv:2310.00227)."""
    f, ratio, _ = _sharpened(outputs, SCALED_BY)
    return np.asarray(-logsumexp(known.layer.logits(f * np.exp(ratio)[:, None]), axis=1))


@unknownness_scores
@needs("features", "head", "true logits", "all classes", "features of 0 or more")
def ash_s(outputs: Outputs, known: Known) -> FloatArray:
    """Energy of the largest 10 % of the features, scaled like SCALE, without the rest (ASH, arXiv:2209.09858)."""
    f, ratio, least = _sharpened(outputs, KEPT)
    kept = np.where(f >= least[:, None], f, 0) * np.exp(ratio)[:, None]
    return np.asarray(-logsumexp(known.layer.logits(kept), axis=1))


def _sharpened(outputs: Outputs, share: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The features, their sum over that of the largest ``share`` (at most 1 / share), and the least of those."""
    f = features_of(outputs).astype(np.float64)
    count = max(1, f.shape[1] - round(f.shape[1] * (1 - share)))
    largest = np.partition(f, f.shape[1] - count, axis=1)[:, -count:]
    top = largest.sum(axis=1)
    ratio = np.divide(f.sum(axis=1), top, out=np.ones(len(f)), where=top > 0)
    return f, np.minimum(ratio, 1 / share), largest.min(axis=1)


@unknownness_scores
@needs("features", "labels")
def mahalanobis(outputs: Outputs, known: Known) -> FloatArray:
    """Least squared Mahalanobis distance to a class, with one covariance for all (Lee 2018, arXiv:1807.03888)."""
    return np.asarray(known.gaussians.squared_distances(features_of(outputs)).min(axis=1), np.float64)


@unknownness_scores
@needs("features", "labels")
def relative_mahalanobis(outputs: Outputs, known: Known) -> FloatArray:
    """Mahalanobis less the same distance to the mean of all known rows (RMD, Ren 2021, arXiv:2106.09022)."""
    f = features_of(outputs)
    apart = known.gaussians.squared_distances(f).min(axis=1).astype(np.float64)
    return np.asarray(apart - known.gaussians.overall_distances(f))


@unknownness_scores
@needs("features")
def knn(outputs: Outputs, known: Known) -> FloatArray:
    """Distance to the 50th nearest known row, all features scaled to length 1 (Sun 2022, arXiv:2204.06507)."""
    return np.asarray(known.neighbours.distance(features_of(outputs)), np.float64)


@unknownness_scores
@needs("features", "head", "true logits", "all classes")
def vim(outputs: Outputs, known: Known) -> FloatArray:
    """Norm of the features outside the known rows' main subspace, plus energy (Wang 2022, arXiv:2203.10807).

    The subspace has half the width; the norm is scaled so that it is on average a known row's largest logit.
    """
    return known.virtual_logit.score(features_of(outputs), outputs.log_sum_exp)


@unknownness_scores
@needs("features", "true logits", "all classes")
def nnguide(outputs: Outputs, known: Known) -> FloatArray:
    """Energy times the mean of the 100 largest cosine times known row's log-sum-exp (Park 2023, arXiv:2309.14888)."""
    guidance = known.neighbours.guidance(features_of(outputs), known.outputs.log_sum_exp)
    return np.asarray(-outputs.log_sum_exp * guidance)


@unknownness_scores
@needs("features", "head", "all classes")
def fdbd(outputs: Outputs, known: Known) -> FloatArray:
    """Minus the mean distance to other classes' borders over that to the mean of features (Liu 2024, arXiv:2312.11536).

    The distance to a border is abs(z_y - z_c) / norm(w_y - w_c), y the answer.
    """
    z, weights, answer = outputs.logits.astype(np.float64), known.layer.weights, outputs.predictions
    squares = (weights**2).sum(axis=1)
    between = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * weights @ weights.T, 0))[answer]
    gaps = np.abs(z[np.arange(len(z)), answer][:, None] - z)
    to_borders = np.divide(gaps, between, out=np.zeros_like(gaps), where=between > 0).sum(axis=1)
    far = np.linalg.norm(features_of(outputs) - known.centre, axis=1)
    return np.asarray(-to_borders / max(1, z.shape[1] - 1) / np.maximum(far, np.finfo(np.float64).tiny))


@unknownness_scores
@needs("features", "labels")
def she(outputs: Outputs, known: Known) -> FloatArray:
    """Minus the product of the features with the mean of known rows rightly answered alike (SHE, Zhang 2023, ICLR)."""
    return np.asarray(-(features_of(outputs) * known.patterns[outputs.predictions]).sum(axis=1))


@unknownness_scores
@needs("features", "all classes")
def gradnorm(outputs: Outputs, known: Known) -> FloatArray:
    """Minus norm1(f) norm1(p - 1/C): the last layer's gradient towards even odds (Huang 2021, arXiv:2110.00218)."""
    del known
    uneven = np.abs(outputs.probabilities - 1 / outputs.classes).sum(axis=1)
    return np.asarray(-np.abs(features_of(outputs).astype(np.float64)).sum(axis=1) * uneven)
