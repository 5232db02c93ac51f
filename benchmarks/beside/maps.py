"""Attribution maps beside Captum: the same windows, points and layer, one network, pictures of 224 pixels."""

from collections.abc import Iterator

import numpy as np
import torch

from beside.measured import Plan, Row, Task, compared, near, running
from beside.networks_of_layers import residual, weights
from beside.peer import Package
from pfungst.arrays import Array
from pfungst.datasets.dataset import Batch
from pfungst.methods.attributions import GradCam, GradientTimesInput, IntegratedGradients, plain_picture, pooled
from pfungst.methods.cues import like, unit
from pfungst.methods.occlusion import Occlusion
from pfungst.models.torch import Origin, torch_model
from pfungst.task import Task as Meant

CAPTUM = Package("captum", "captum", "measures")
SIDE, ROWS, WINDOWS, POINTS, AT_ONCE = 224, 1, 7, 50, 10
PASSES = "both are the same passes; ours also asks for the answer, and integrated gradients for that to a black picture"


def rows(plan: Plan) -> Iterator[Row]:
    """Occlusion, integrated gradients, gradient times input, Grad-CAM."""
    with running(CAPTUM) as peer:
        yield from compared("maps", CAPTUM, peer, tasks(plan), plan)


def tasks(plan: Plan) -> Iterator[Task]:
    """Each with as many windows or points on both sides."""
    net = residual()
    model = torch_model(net, Meant(), Origin("residual"), threads=1)
    inputs = np.random.default_rng(0).integers(0, 256, (ROWS, SIDE, SIDE, 3), dtype=np.uint8)
    # One picture stands for many: smooth, as photographs are.
    inputs = torch.nn.functional.avg_pool2d(torch.from_numpy(inputs.transpose(0, 3, 1, 2)).float(), 9, 1, 4)
    seen = (inputs.round() / 255).contiguous()
    whole = (seen * 255).round().to(torch.uint8).numpy().transpose(0, 2, 3, 1).copy()
    batch = Batch(("a",), np.arange(ROWS), whole, np.full(ROWS, -1))
    targets = model.predict(whole).predictions
    base = unit(like(plain_picture(whole), whole)).transpose(0, 3, 1, 2)
    given: dict[str, Array] = {**weights(net), "x": seen.numpy(), "base": base, "targets": targets}  # type: ignore[dict-item]
    on = f"{ROWS} picture of {SIDE} px, 18 layers"
    side, points = SIDE // WINDOWS, plan.rows(POINTS, AT_ONCE)

    def pooled_too(tolerance: float) -> object:
        close = near(tolerance, "map")
        return lambda mine, theirs: close(mine, {"answer": pooled(theirs["answer"])})

    yield Task(
        "occlusion", f"{on}, {WINDOWS**2} windows", lambda: Occlusion(cells=WINDOWS, finer=0)(model, batch).values,
        "occlusion", given, pooled_too(1e-3), {"side": side, "at_once": 16}, PASSES,
    )  # fmt: skip
    method = IntegratedGradients(points=points, gap=float("inf"), chunk=AT_ONCE)
    yield Task(
        "integrated gradients", f"{on}, {points} points", lambda: method(model, batch).values,
        "integrated", given, pooled_too(1e-2), {"points": points, "at_once": AT_ONCE},
        PASSES,
    )  # fmt: skip
    yield Task(
        "gradient x input",
        on,
        lambda: GradientTimesInput()(model, batch).values,
        "gradient",
        given,
        pooled_too(1e-3),
        why=PASSES,
    )
    yield Task("Grad-CAM", on, lambda: GradCam()(model, batch).values, "grad-cam", given, near(1e-3, "map"), why=PASSES)
