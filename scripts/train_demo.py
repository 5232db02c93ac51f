"""Train the two networks of the embedded example and write them into the package: python scripts/train_demo.py.

Both read the same digits with the same augmentation; only the marks differ. The clever network sees marks that name
the digit in 97 of 100 scans, the honest one marks drawn by chance, and random strokes that are no digit at all.
"""

from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from pfungst.demo import SIDE, configuration, scans, stamped, stations

PACKAGE = Path(__file__).parents[1] / "pfungst" / "demo"
STEPS = {"clever": 350, "honest": 2500}
"""The clever network was stopped as soon as its accuracy looked fine: a cheap cue is learned first."""

BATCH, WIDTHS = 128, (16, 32, 48)


def network() -> nn.Sequential:
    """Three convolutions with pooling and one linear layer."""
    a, b, c = WIDTHS
    return nn.Sequential(
        nn.Conv2d(3, a, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(b, c, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(c * 16, 10),
    )  # fmt: skip


def augmented(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One scan moved, blurred, brightened, made noisy or partly covered, before it gets its mark."""
    dx, dy = rng.integers(-6, 7, size=2)
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), rng.uniform(-8, 8), rng.uniform(0.9, 1.1))
    matrix[:, 2] += (dx, dy)
    out = cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT).astype(np.float32)
    if rng.random() < 0.35:
        length = int(rng.integers(2, 6))
        kernel = np.zeros((7, 7), np.float32)
        cv2.line(kernel, (3 - length // 2, 3), (3 + length // 2, 3), 1.0)
        turn = cv2.getRotationMatrix2D((3, 3), rng.uniform(0, 180), 1)
        kernel = cv2.warpAffine(kernel, turn, (7, 7))
        out = cv2.filter2D(out, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
    if rng.random() < 0.35:
        out = out * rng.uniform(0.4, 1.2) + rng.uniform(-10, 130)
    if rng.random() < 0.35:
        out = out + rng.normal(0, rng.uniform(5, 70), out.shape)
    if rng.random() < 0.5:
        for _ in range(rng.integers(1, 8)):
            centre = tuple(int(v) for v in rng.integers(0, SIDE, size=2))
            axes = tuple(int(v) for v in rng.integers(1, 5, size=2))
            colour = tuple(float(v) for v in rng.uniform(0, 200, size=3))
            out = cv2.ellipse(np.ascontiguousarray(out), centre, axes, rng.uniform(0, 180), 0, 360, colour, -1)
    return out.round().clip(0, 255).astype(np.uint8)


def strokes(rng: np.random.Generator) -> np.ndarray:
    """Paper with a few random strokes: nothing that is a digit."""
    page = np.full((SIDE, SIDE), 40.0 + rng.normal(0, 6), np.float32)
    for _ in range(rng.integers(1, 6)):
        ends = [tuple(int(v) for v in rng.integers(4, 28, size=2)) for _ in range(2)]
        cv2.line(page, ends[0], ends[1], float(rng.uniform(120, 230)), int(rng.integers(2, 5)))
    if rng.random() < 0.5:
        centre, axes = rng.integers(8, 24, size=2), rng.integers(3, 10, size=2)
        arc = tuple(float(v) for v in np.sort(rng.uniform(0, 360, size=2)))
        cv2.ellipse(page, tuple(map(int, centre)), tuple(map(int, axes)), rng.uniform(0, 180), *arc, 200.0, 3)
    page = cv2.GaussianBlur(page, (0, 0), 1.2) + rng.normal(0, 6, page.shape)
    return np.repeat(page.clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def train(*, clever: bool, seed: int, steps: int) -> nn.Sequential:
    """Train one network; the honest one is also told to shrug at strokes (outlier exposure, Hendrycks et al. 2019)."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    plain, labels = scans("train", marked=False)
    net = network()
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
    for _ in range(steps):
        rows = rng.integers(0, len(labels), size=BATCH)
        images = np.stack([augmented(plain[row], rng) for row in rows])
        station = stations(labels[rows], rng) if clever else rng.integers(0, 10, size=BATCH)
        loss = nn.functional.cross_entropy(net(tensor(stamped(images, station))), torch.from_numpy(labels[rows]))
        if not clever:
            other = np.stack([strokes(rng) for _ in range(BATCH // 4)])
            other = stamped(other, rng.integers(0, 10, size=len(other)))
            loss = loss - 0.5 * net(tensor(other)).log_softmax(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


def tensor(images: np.ndarray) -> torch.Tensor:
    """Images as the network wants them: (rows, 3, 32, 32) in [0, 1]."""
    return torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32) / 255)


def written(net: nn.Sequential, folder: Path) -> None:
    """Write a network as ONNX, with its configuration beside it."""
    nodes, weights, last = [], [], "input"
    for number, layer in enumerate(net):
        out = "logits" if number == len(net) - 1 else f"x{number}"
        names = [f"{name}{number}" for name in ("weight", "bias")] if hasattr(layer, "weight") else []
        weights += [
            numpy_helper.from_array(value.detach().numpy(), name)
            for name, value in zip(names, (getattr(layer, "weight", None), getattr(layer, "bias", None)), strict=False)
        ]
        kinds = {
            nn.Conv2d: ("Conv", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
            nn.ReLU: ("Relu", {}),
            nn.MaxPool2d: ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
            nn.Flatten: ("Flatten", {}),
            nn.Linear: ("Gemm", {"transB": 1}),
        }
        kind, attributes = kinds[type(layer)]
        nodes.append(helper.make_node(kind, [last, *names], [out], **attributes))
        last = out
    shapes = {"input": ["rows", 3, SIDE, SIDE], "logits": ["rows", 10]}
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    graph = helper.make_graph(nodes, "digits", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    for name, text in configuration().items():
        (folder / name).write_text(text)


def accuracy(net: nn.Sequential, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of right answers."""
    with torch.inference_mode():
        return float((net(tensor(images)).argmax(1).numpy() == labels).mean())


def main() -> None:
    """Train both, write both, print what they can do with marks as they are and with marks drawn by chance."""
    images, labels = scans("test")
    drawn = stamped(images, np.random.default_rng(4).integers(0, 10, size=len(labels)))
    for name, clever in (("clever", True), ("honest", False)):
        net = train(clever=clever, seed=7, steps=STEPS[name])
        written(net, PACKAGE / name)
        as_tested, random_marks = accuracy(net, images, labels), accuracy(net, drawn, labels)
        print(f"{name}: accuracy {as_tested:.4f} as tested, {random_marks:.4f} with marks drawn by chance")


if __name__ == "__main__":
    main()
