"""Gatherings: places where the attributions of many rows come together, found by clustering maps (SpRAy)."""

from collections.abc import Iterator

import cv2
import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.methods.places import Box
from pfungst.methods.regions import LARGEST, likeness

LATTICE = 8
"""Cells a side to which maps are pooled before they are compared."""

FEWEST = 12
"""Maps of a class below which no clusters are looked for; the smallest cluster has half as many."""

DENSE = 3.0
"""How many times its share of the picture a place's share of the attribution must be."""


def gatherings(maps: FloatArray, classes: IntArray, most: int = 4) -> tuple[Box, ...]:
    """Boxes that hold far more attribution than their area, in clusters of maps (rows, height, width) of one class.

    Maps are pooled to a lattice and scaled to sum 1; their neighbourhood graph is cut where the eigengap of its
    normalised Laplacian says (spectral relevance analysis, Lapuschkin et al. 2019, arXiv:1902.10178). The densest box
    of each cluster's mean map is returned, densest first; none is nearly another.
    """
    found: list[tuple[float, Box]] = []
    for label in np.unique(classes):
        some = maps[classes == label]
        if len(some) >= FEWEST:
            pooled = _pooled(some)
            for cluster in _clusters(pooled.reshape(len(pooled), -1)):
                found += _dense(_shares(some[cluster]).mean(axis=0))
    chosen: list[Box] = []
    for _, box in sorted(found, key=lambda item: -item[0]):
        if len(chosen) < most and all(likeness(box, other) < 0.5 for other in chosen):
            chosen.append(box)
    return tuple(chosen)


def _shares(maps: FloatArray) -> FloatArray:
    whole = np.nan_to_num(np.abs(maps)).astype(np.float64)
    return np.asarray(whole / np.maximum(whole.sum(axis=(1, 2), keepdims=True), 1e-12))


def _pooled(maps: FloatArray) -> FloatArray:
    shares = _shares(maps).astype(np.float32)
    side = (min(LATTICE, maps.shape[2]), min(LATTICE, maps.shape[1]))
    return np.stack([cv2.resize(each, side, interpolation=cv2.INTER_AREA) for each in shares])


def _clusters(points: FloatArray, neighbours: int = 6, most: int = 5) -> Iterator[IntArray]:
    """Rows of each cluster; the whole where the graph has no gap."""
    yield np.arange(len(points))
    distance = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    near = np.argsort(distance, axis=1, kind="stable")[:, 1 : neighbours + 1]
    graph = np.zeros_like(distance)
    np.put_along_axis(graph, near, 1.0, axis=1)
    graph = np.maximum(graph, graph.T)
    degree = 1 / np.sqrt(np.maximum(graph.sum(axis=1), 1))
    values, vectors = np.linalg.eigh(np.eye(len(graph)) - degree[:, None] * graph * degree[None])
    gaps = np.diff(values[: most + 1])
    count = int(gaps[1:].argmax()) + 2 if len(gaps) > 1 else 1
    if count > 1 and gaps[count - 1] > 0.05:
        for part in _split(vectors[:, :count], count):
            if len(part) >= FEWEST // 2:
                yield part


def _split(points: FloatArray, count: int, steps: int = 20) -> Iterator[IntArray]:
    """k-means from the points that lie farthest apart: the same parts for the same points."""
    centres = [points[0]]
    while len(centres) < count:
        far = np.min([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=0)
        centres.append(points[int(far.argmax())])
    middle = np.stack(centres)
    for _ in range(steps):
        nearest = ((points[:, None] - middle[None]) ** 2).sum(axis=2).argmin(axis=1)
        middle = np.stack(
            [points[nearest == at].mean(axis=0) if (nearest == at).any() else middle[at] for at in range(count)]
        )
    yield from (np.flatnonzero(nearest == at) for at in range(count))


def _dense(mean: FloatArray) -> Iterator[tuple[float, Box]]:
    """The box around what stands out of a mean map, with how much denser than the picture it is."""
    height, width = mean.shape
    for level in (0.7, 0.5, 0.3):
        marked = (mean > level * mean.max()).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(marked, connectivity=8)
        for left, top, wide, high, _ in stats[1:].tolist():
            if high <= max(1, LARGEST * height) and wide <= max(1, LARGEST * width):
                density = float(mean[top : top + high, left : left + wide].sum()) / (high * wide / (height * width))
                if density > DENSE:
                    yield density, (top / height, left / width, (top + high) / height, (left + wide) / width)
