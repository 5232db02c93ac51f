"""A folder of photographs as users have them: wolves on snow, huskies on grass, and models that learned either."""

import cv2
import numpy as np
import pytest

import pfungst

torch = pytest.importorskip("torch", reason="the networks are trained with torch")
from torch import nn  # noqa: E402 - only where torch is there

SIDE = 64
ROWS = 200
AGREES = 0.92
ASKED = {"task": {"task": {"classes": ["husky", "wolf"]}}, "outputs": "logits"}


def photograph(kind, snow, rng):
    """A long dark animal (wolf) or one with a pale face (husky), with grain, on smooth snow or rough grass."""
    ground = np.array([225, 228, 235]) if snow else np.array([70, 120, 50])
    picture = rng.normal(ground, 3 if snow else 22, (SIDE, SIDE, 3))
    at = (int(rng.integers(24, 40)), int(rng.integers(26, 38)))
    shade = int(rng.integers(60, 110))
    body = (int(rng.integers(11, 15)), int(rng.integers(8, 11)))
    cv2.ellipse(picture, at, body, float(rng.integers(0, 180)), 0, 360, (shade, shade, shade), -1)
    if kind == "husky":
        face, pale = (int(rng.integers(2, 5)), int(rng.integers(2, 5))), int(rng.integers(185, 245))
        cv2.ellipse(picture, at, face, float(rng.integers(0, 180)), 0, 360, (pale, pale, pale), -1)
    picture += rng.normal(0, 4, picture.shape)
    return picture.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("photographs")
    for kind in ("husky", "wolf"):
        (root / kind).mkdir()
        for number in range(ROWS // 2):
            snow = (kind == "wolf") == (rng.random() < AGREES)
            picture = photograph(kind, snow, rng)
            cv2.imwrite(str(root / kind / f"{number:03}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return root


def trained(agrees, steps):
    """A network shown photographs whose ground goes with the animal in a share of them, in every light."""
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    kinds = np.arange(1200) % 2
    snow = (kinds == 1) == (rng.random(1200) < agrees)
    shown = np.stack([photograph(("husky", "wolf")[kind], white, rng) for kind, white in zip(kinds, snow, strict=True)])
    pictures = torch.from_numpy(shown.transpose(0, 3, 1, 2).copy()).float() / 255
    labels = torch.from_numpy(kinds)
    network = nn.Sequential(
        nn.Conv2d(3, 12, 5, 2, 2), nn.ReLU(), nn.Conv2d(12, 24, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(24, 32, 3, 2, 1), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(128, 2),
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for step in range(steps):
        rows = torch.from_numpy(np.random.default_rng(step).integers(0, len(kinds), 64))
        light = 0.6 + 0.8 * torch.rand(64, 3, 1, 1)
        loss = nn.functional.cross_entropy(network((pictures[rows] * light).clamp(0, 1)), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def found(audit, kind):
    return {one.subject for one in audit.findings if one.kind == kind and one.status == "found"}


def test_the_ground_and_the_size_of_the_files_are_named(folder):
    audit = pfungst.audit(trained(0.98, 60), folder, only=("shortcuts",), **ASKED)
    assert found(audit, "cue") & {"border", "background"}
    assert "file:size" in found(audit, "latent-cue")
    assert audit.report.verdict.generalizes == "no"


def test_a_model_that_looks_at_the_animal_is_only_warned_of_the_ground(folder):
    audit = pfungst.audit(trained(0.5, 400), folder, only=("shortcuts",), **ASKED)
    assert not found(audit, "cue")
    assert found(audit, "latent-cue") & {"border", "background"}
    assert "file:size" in found(audit, "latent-cue")
