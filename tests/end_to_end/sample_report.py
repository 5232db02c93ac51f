"""A report with everything in it: every evidence type, hostile names, sixty findings, many thumbnails.

``python tests/end_to_end/sample_report.py RUN`` writes it as a run to look at.
"""

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from pfungst.findings import (
    Bin,
    Condition,
    Confusion,
    Confusions,
    Cue,
    Estimates,
    Examples,
    Finding,
    Histogram,
    OpportunityReliance,
    PassRecord,
    RegionMap,
    ReliabilityCurve,
    Report,
    Series,
    SeverityCurve,
    Shot,
    Skipped,
    Step,
    Table,
    Verdict,
)
from pfungst.report import json
from pfungst.report.html import render
from pfungst.report.thumbnails import heated, webp, write_zip
from pfungst.statistics.estimate import Estimate

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><h1>big</h1>",
    "right\u202eto left",
    "nul\x00 and \x1b[31mred",
    "[bold red]rich[/] and [link=https://example.org]link[/link]",
    "🐴 Hans 👩‍🔬",
    "long " * 60,
)
CLASSES = ("three", "five", "eight")


def estimate(value: float, rows: int = 600, name: str = "accuracy", unit: str = "row") -> Estimate:
    half = 1.96 * math.sqrt(max(value * (1 - value), 0.003) / rows) if 0 <= value <= 1 else abs(value) * 0.2
    low, high = (max(0.0, value - half), min(1.0, value + half)) if 0 <= value <= 1 else (value - half, value + half)
    return Estimate(name=name, value=value, low=low, high=high, rows=rows, unit=unit)


def effect(value: float, half: float, rows: int, name: str) -> Estimate:
    return Estimate(name=name, value=value, low=value - half, high=value + half, rows=rows)


def digit(rng: np.random.Generator, patch: tuple[int, int, int] | None) -> np.ndarray:
    """Something like a digit on a noisy ground, with a coloured patch in the corner or without."""
    image = rng.integers(15, 50, (28, 28, 3)).astype(np.uint8)
    for centre in (9, 18):
        for angle in np.linspace(0, 2 * np.pi, 40) + rng.normal(0, 0.2):
            y, x = centre + 4.2 * np.sin(angle), 14 + 4.6 * np.cos(angle)
            image[int(y) : int(y) + 2, int(x) : int(x) + 2] = 215
    if patch is not None:
        image[1:7, 1:7] = patch
    return image


COLOURS = {"three": (213, 94, 0), "five": (0, 158, 115), "eight": (86, 180, 233)}


def pictures(many: int) -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    made = {}
    for index in range(many):
        label = CLASSES[index % 3]
        made[f"test/{index}.webp"] = webp(digit(rng, COLOURS[label]))
        made[f"map/{index}.webp"] = webp(heated(digit(rng, COLOURS[label]), np.eye(28)[::-1]))
        made[f"swapped/{index}.webp"] = webp(digit(rng, COLOURS[CLASSES[(index + 1) % 3]]))
    return made


def examples(first: int, many: int, caption: str = "another class's patch") -> Examples:
    items = []
    for index in range(first, first + many):
        label, other = CLASSES[index % 3], CLASSES[(index + 1) % 3]
        row = f"images/{label}/{index:04d}.png" if index % 7 else HOSTILE[index % len(HOSTILE)]
        common = {"row": row, "position": index, "label": label}
        before = Shot(picture=f"test/{index}.webp", caption="as it is", answer=label, probability=0.99, **common)
        after = Shot(
            picture=f"swapped/{index}.webp", shown="ab12", caption=caption, answer=other, probability=0.97, **common
        )
        items.append((before, after))
    return Examples(title="The rows that moved most: before and after", items=tuple(items))


def four_each(many: int) -> Examples:
    """Rows with four pictures each, as a swap is shown, the last with a map laid over the first."""
    items = []
    for before, after in examples(0, many).items:
        kept = msgspec.structs.replace(before, caption="region:top-left of its own class", shown="ab13")
        mapped = msgspec.structs.replace(before, picture=f"map/{before.position}.webp", caption="occlusion", heat="cd")
        items.append((before, kept, after, mapped))
    return Examples(
        title="As it is, with its own class's patch, with another's, and what carried it", items=tuple(items)
    )


def region_map(side: int = 8) -> RegionMap:
    cells = np.zeros((side, side))
    cells[:2, :2] = [[0.66, 0.58], [0.52, 0.41]]
    cells[3:6, 3:6] = 0.06
    cells[-1, -1] = -0.03
    return RegionMap(
        title="Where the answer rests", effects=tuple(map(tuple, cells.tolist())), box=(0.035, 0.035, 0.25, 0.25)
    )


def reliability() -> ReliabilityCurve:
    rows = (3, 9, 22, 31, 40, 38, 51, 74, 120, 812)
    stated = np.linspace(0.42, 0.995, 10)
    true = np.clip(stated - 0.12 * np.sin(np.linspace(0.3, 2.6, 10)), 0, 1)
    spread = 1.96 * np.sqrt(stated * (1 - stated) / rows)
    low, high = np.clip(stated - spread, 0, 1).tolist(), np.clip(stated + spread, 0, 1).tolist()
    bins = [
        Bin(confidence=float(c), accuracy=estimate(float(a), n), calibrated=band)
        for c, a, n, band in zip(stated, true, rows, zip(low, high, strict=True), strict=True)
    ]
    return ReliabilityCurve(title="Stated probability against actual frequency", bins=tuple(bins))


def severity_curve(shift: str) -> SeverityCurve:
    accuracy = (0.977, 0.94, 0.88, 0.74, 0.55, 0.41)
    confidence = (0.975, 0.96, 0.94, 0.91, 0.88, 0.86)
    steps = [
        Step(
            severity=s,
            parameter="as it is" if s == 0 else f"σ = {s * 0.7:.1f} px",
            accuracy=estimate(a),
            confidence=effect(c, 0.008, 600, "mean confidence"),
        )
        for s, (a, c) in enumerate(zip(accuracy, confidence, strict=True))
    ]
    return SeverityCurve(title=f"As {shift} grows", shift=shift, steps=tuple(steps))


def quadrants() -> OpportunityReliance:
    told = {
        "region:top-left": (0.97, 0.66),
        "colour-cast": (0.61, 0.19),
        "border": (0.71, 0.02),
        "brightness": (0.44, 0.01),
        "sharpness": (0.36, 0.12),
        "noise": (0.34, 0.0),
        HOSTILE[0]: (0.55, -0.02),
        HOSTILE[1]: (0.33, 0.03),
    }
    cues = [
        Cue(name=name, opportunity=estimate(o, 600, "opportunity"), reliance=effect(r, 0.035, 216, "reliance"))
        for name, (o, r) in told.items()
    ]
    return OpportunityReliance(title="Opportunity and reliance", cues=tuple(cues), tolerance=0.05, chance=1 / 3)


def confusions(classes: int) -> Confusions:
    rng = np.random.default_rng(1)
    named = CLASSES if classes == 3 else (*HOSTILE, *(f"class {i}" for i in range(len(HOSTILE), classes)))
    names = named[:classes]
    counts = rng.poisson(2, (classes, classes)) + np.diag(rng.integers(60, 90, classes))
    top = [
        Confusion(
            label=names[i],
            answer=names[j],
            rows=int(counts[i, j]),
            share=estimate(float(counts[i, j] / counts[i].sum()), int(counts[i].sum()), "share"),
        )
        for i, j in ((i, (i + 1) % classes) for i in range(min(3, classes)))
    ]
    shown = tuple(map(tuple, counts.tolist())) if classes <= 30 else ()
    return Confusions(title="Where the answers went", classes=names, top=tuple(top), counts=shown)


def histogram() -> Histogram:
    edges = np.linspace(0, 1, 21)
    known, strange = np.linspace(0, 1, 20) ** 6, np.linspace(0, 1, 20) ** 3
    return Histogram(
        title="Stated probability for strangers and for known classes",
        edges=tuple(edges.tolist()),
        series=(
            Series(name="test rows", shares=tuple((known / known.sum()).tolist()), rows=600),
            Series(name="road signs", shares=tuple((strange / strange.sum()).tolist()), rows=400),
            Series(name=HOSTILE[1], shares=tuple(np.full(20, 0.05).tolist()), rows=90),
        ),
        line=0.9,
        line_name="alarm at",
        axis="probability stated for the answer",
    )


def _named() -> Iterator[Finding]:
    reliance = "probability of the true class lost"
    yield Finding(
        id="f3c1a9d2e4b50617", probe="shortcuts", kind="cue", subject="region:top-left", status="found",
        severity="critical", effect=effect(0.66, 0.05, 216, reliance), tolerance=0.05, p_value=1e-9, p_adjusted=1e-8,
        claim="The answer follows a small patch in the top-left corner: given another class's corner, accuracy falls "
        "from 0.98 to 0.31, where guessing gives 0.33.",
        evidence=(four_each(16), region_map(), quadrants(), histogram()),
        remedy="Collect or synthesise rows in which the corner and the label are independent, then retrain the last "
        "layer; reweighting by corner brought accuracy under swap from 0.31 to 0.88 [0.85, 0.91] on 300 held-out rows.",
        reproduce="pfungst audit digits.onnx digits/ --only shortcuts --seed 0",
    )  # fmt: skip
    yield Finding(
        id="a1", probe="shift", kind="fragile", subject="motion-blur", status="found", severity="high",
        effect=effect(0.24, 0.04, 600, "accuracy lost"), tolerance=0.05,
        claim="Under motion blur of middle severity one answer in four that was right is wrong, and the model hardly "
        "notices: it still states 0.91 on average.",
        evidence=(severity_curve("motion blur"), examples(20, 4, "motion blur, severity 3")),
        remedy="Train with motion blur up to σ = 2 px.", reproduce="pfungst audit digits.onnx digits/ --only shift",
    )  # fmt: skip
    yield Finding(
        id="a2", probe="sites", kind="gap", subject=f"site={HOSTILE[0]}", status="found", severity="high",
        effect=effect(0.21, 0.05, 412, "accuracy lost"), tolerance=0.05, p_value=0.0004,
        claim="At one site the model is right 0.21 less often than at the best one.",
        evidence=(
            Estimates(title="Accuracy by site", items=(
                estimate(0.97, 400, "site A"), estimate(0.76, 412, HOSTILE[0]), estimate(0.83, 14, "site C, few rows"),
            ), reference=1 / 3, reference_name="chance"),
            confusions(3),
        ),
        remedy="Gather labelled rows from this site.",
    )  # fmt: skip
    yield Finding(
        id="a3", probe="calibration", kind="overconfident", subject="", status="found", severity="medium",
        effect=effect(0.071, 0.018, 1200, "stated minus actual"), tolerance=0.01,
        claim="The model states probabilities 0.07 too high on average.", evidence=(reliability(),),
        remedy="Divide the logits by 1.62: the gap falls to 0.011 [0.004, 0.019] on held-out rows.",
    )  # fmt: skip
    yield Finding(
        id="a4", probe="mistakes", kind="slice", subject=HOSTILE[1], status="found", severity="medium",
        effect=effect(0.09, 0.03, 88, "accuracy lost"), tolerance=0.05, claim=f"Rows of {HOSTILE[1]} are often wrong.",
        evidence=(confusions(12), Table(title=HOSTILE[0], columns=("column", HOSTILE[1]),
                                        rows=tuple((h, "1") for h in HOSTILE))),
        remedy=HOSTILE[2],
    )  # fmt: skip
    yield Finding(
        id="a5", probe="shortcuts", kind="latent-cue", subject="border", status="found", severity="low",
        effect=effect(0.38, 0.04, 600, "opportunity above chance"), tolerance=0.05,
        claim="The border predicts the label in these data; this model does not use it, the next one may.",
        evidence=(quadrants(), Estimates(title="Small effects", items=(
            effect(0.012, 0.01, 216, "border"), effect(-0.02, 0.015, 216, "noise")), reference=0.05,
            reference_name="tolerance")),
        remedy="Crop the border before the next training run.",
    )  # fmt: skip


def _many() -> Iterator[Finding]:
    for index in range(14):
        yield Finding(
            id=f"b{index}", probe="adversarial", kind="fragile", subject=f"linf:{index + 1}/255", status="found",
            severity="medium" if index < 6 else "low", effect=effect(0.3 - index * 0.015, 0.03, 200, "accuracy lost"),
            tolerance=0.05, claim=f"An attacker who may change each pixel by {index + 1}/255 turns many answers.",
            evidence=(examples(30 + 4 * index, 4, "attacked"),), remedy="Train adversarially, or bound the threat.",
        )  # fmt: skip
    for index in range(14):
        yield Finding(
            id=f"c{index}", probe="mistakes", kind="slice", subject=HOSTILE[index % len(HOSTILE)] + str(index),
            status="inconclusive", severity="none", effect=effect(0.06, 0.05, 80 + index, "accuracy lost"),
            tolerance=0.05, claim="This slice may be worse than the rest; about 640 rows would settle it.",
            evidence=(Estimates(title="Accuracy", items=(estimate(0.93), estimate(0.87, 12, "the slice"))),),
        )  # fmt: skip
    for index in range(26):
        yield Finding(
            id=f"d{index}", probe="shortcuts", kind="cue", subject=f"cue-{index}", status="absent", severity="none",
            effect=effect(0.004, 0.012, 2000, "probability of the true class lost"), tolerance=0.05,
            claim=f"No reliance on cue {index} above 0.05: the interval over 2,000 rows lies inside.",
            evidence=(region_map(40) if index == 0 else confusions(30) if index == 1 else histogram(),),
        )  # fmt: skip


def sample_report() -> Report:
    """Sixty findings, eight skipped, nine conditions."""
    named = tuple(_named())
    conditions = {
        "as tested": 0.977,
        "corner swapped": 0.31,
        "border swapped": 0.964,
        "colour cast swapped": 0.79,
        "motion blur, severity 3": 0.74,
        "off-centre by 10 %": 0.87,
        f"site={HOSTILE[0]}": 0.76,
        "attacked within linf:2/255": 0.42,
        HOSTILE[7]: 0.95,
    }
    return Report(
        created="2026-11-20T12:00:00+00:00",
        verdict=Verdict(
            generalizes="no",
            sentence="It is right on 0.98 of the test rows because of a patch in the top-left corner: with another "
            "class's corner 0.31 remain, no more than guessing. Judged on shortcuts, shift, sites, calibration and "
            "attacks; feedback and selection were not examined.",
        ),
        question="Which digit is in the picture?",
        model={"source": "digits.onnx", "kind": "onnx", "classes": list(CLASSES), "parameters": 61_000},
        data={"source": "digits/", "rows": 600, "classes": list(CLASSES), "fingerprint": "8d3f0c1e"},
        settings={
            "seed": 0,
            "tolerance": {"border": 0.05, "brightness": 0.05, HOSTILE[1]: 0.05},
            "assumed": ["Outputs are logits.", "These must not matter, at 0.05 each: border, colour cast, brightness."],
            "methods": {
                "shortcuts": {
                    "question": "Does the answer rest on something that should not matter?",
                    "method": "Each row is given a cue twice, from a row of its own class and from a row of another; "
                    "the difference in the probability of its true class, paired by row, is the reliance.",
                    "sources": ["Pfungst 1907", "Geirhos et al. 2020, arXiv:2004.07780"],
                },
                "calibration": {"question": "Are the stated probabilities true?", "method": "Binned.", "sources": []},
            },
        },
        environment={"pfungst": "0.1.0", "numpy": "2.4.6", "device": "cpu", "command": "pfungst audit digits.onnx d/"},
        headline=tuple(Condition(condition=name, accuracy=estimate(a)) for name, a in conditions.items()),
        findings=(*named, *_many()),
        skipped=(
            Skipped(probe="feedback", reason="no deployment log was given; `pfungst monitor LOG` reads one"),
            Skipped(probe="unknowns", kind="undetectable", reason="no strangers were given: add --ood NAME=DATA"),
            *(Skipped(probe="sites", kind="gap", subject=name, reason=f"few rows of {name}") for name in HOSTILE[:6]),
        ),
        passes=tuple(
            PassRecord(name=f"corner swapped {i}", key=f"{i:08x}", on="test", rows=600, cached=i % 2 == 0,
                       asked=("shortcuts", "shift"), seconds=0.4)
            for i in range(80)
        ),
    )  # fmt: skip


def few_findings() -> Report:
    """The same with one finding of each make, for checks that look at every element."""
    report = sample_report()
    wanted = {report.findings[0].id, "a1", "a2", "a3", "c0", "d0"}
    kept = [one for one in report.findings if one.id in wanted]
    return msgspec.structs.replace(report, findings=tuple(kept), passes=report.passes[:3])


def write(run: Path, report: Report | None = None) -> None:
    """The sample as a run."""
    run.mkdir(parents=True, exist_ok=True)
    thumbnails = pictures(90)
    raw = json.encode(report or sample_report())
    (run / "audit.json").write_bytes(raw)
    write_zip(run / "thumbnails.zip", thumbnails)
    (run / "report.html").write_text(render(json.decode(raw), thumbnails), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
