"""The unknowns chapter on planted strangers: what it finds, what it must not find, and what a threshold promises."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

import pfungst
from pfungst.datasets.dataset import Dataset, Roles
from pfungst.findings import Estimates, Examples, Finding, Skipped, Table
from pfungst.methods.shifts import Shifted
from pfungst.outputs import Outputs
from pfungst.passes import Passes, Predict
from pfungst.probes.unknowns import Unknowns
from pfungst.statistics.thresholds import realised, threshold

CLASSES = ("ant", "bee", "cat", "dog")
WIDTH = 6
WEIGHTS = np.random.default_rng(5).normal(size=(WIDTH, 4))
CENTRES = 4 * np.eye(4, WIDTH)


def rows_of(rng, rows, away=0.0):
    """Features of four classes, ``away`` from where those lie, and the classes."""
    labels = rng.integers(0, 4, rows)
    return np.abs(CENTRES[labels] + rng.normal(size=(rows, WIDTH)) + away * np.array([0, 0, 0, 0, 1, 1])), labels


def set_of(features, labels=None, name="test", prefix="", **more):
    ids = tuple(f"{prefix or name}{row}" for row in range(len(features)))
    return Dataset(
        name, "", "table", ids, lambda rows: list(features[rows]), CLASSES, labels=labels, shape=(WIDTH,), **more
    )


def answers(data, features, rows=None, *, kept=True):
    order = data.sample(rows)
    return Outputs(
        (features[order] @ (2 * WEIGHTS)).astype(np.float32), features[order] if kept else None, order, False
    )


def audited(rng, strange, *, known=600, columns=None, seed=0, **settings):
    """What the chapter says about known rows beside these strangers."""
    features, labels = rows_of(rng, known)
    other = set_of(strange, name="ood:them", columns=columns or {}, seed=seed)
    data = set_of(features, labels, companions={"ood:them": other}, seed=seed)
    probe = Unknowns(**settings)
    done = {}
    for one in probe.needs(data, Passes()):
        done[one] = answers(data.on(one.on), strange if one.on != "test" else features, one.rows, kept=one.features)
    return list(probe.judge(data, Passes(done)))


def only(said: Sequence, kind: str) -> Finding:
    return next(one for one in said if isinstance(one, Finding) and one.kind == kind)


def evidence(finding, kind):
    return [piece for piece in finding.evidence if isinstance(piece, kind)]


def test_strangers_in_a_direction_no_logit_sees_are_told_by_a_score_of_features():
    rng = np.random.default_rng(0)
    finding = only(audited(rng, rows_of(rng, 400, away=9.0)[0]), "undetectable")
    assert finding.status == "absent"
    areas = {item.name: item.value for item in evidence(finding, Estimates)[0].items}
    assert areas["AUROC of mahalanobis"] > 0.99
    assert areas["AUROC of mahalanobis"] > areas["AUROC of max-probability"] + 0.1


def test_known_rows_passed_off_as_strangers_are_said_to_look_known():
    said = []
    for run in range(60):
        rng = np.random.default_rng(run)
        said.append(only(audited(rng, rows_of(rng, 200)[0], known=400, seed=run), "undetectable"))
    assert all(one.status != "absent" for one in said)
    alike = [one for one in said if "look like known rows" in one.claim]
    assert {(one.status, one.severity) for one in alike} == {("inconclusive", "none")}
    # Two intervals of 95 % are asked, so at most one run in twenty may claim a difference by chance.
    assert len(alike) >= 51


def test_chosen_score_is_reported_on_rows_it_was_not_chosen_on():
    intervals = []
    for run in range(60):
        rng = np.random.default_rng(1000 + run)
        finding = only(audited(rng, rows_of(rng, 120)[0], known=300, seed=run), "undetectable")
        best = finding.claim.split("rows: ")[-1].split(",")[0] if "look like" in finding.claim else ""
        areas = {item.name: item for item in evidence(finding, Estimates)[0].items}
        if best:
            intervals.append(areas[f"AUROC of {best}"].value)
    assert abs(np.mean(intervals) - 0.5) < 0.02


def test_strangers_named_like_a_class_are_left_out_and_numbers_name_nothing():
    rng = np.random.default_rng(1)
    strange = rows_of(rng, 200, away=9.0)[0]
    names = np.array(["Dog"] * 80 + ["zebra"] * 119 + ["7"], dtype=object)
    said = audited(rng, strange, columns={"own class": names})
    assert only(said, "confident").effect.rows == 120
    assert any("80 of 200 rows came with the name" in one.reason for one in said if isinstance(one, Skipped))


def test_strangers_that_repeat_known_rows_are_counted_and_shown_beside_them():
    rng = np.random.default_rng(2)
    state = rng.bit_generator.state
    known = rows_of(rng, 600)[0]
    rng.bit_generator.state = state
    strange = np.concatenate([known[:40], rows_of(np.random.default_rng(3), 160, away=9.0)[0]])
    finding = only(audited(rng, strange), "undetectable")
    assert "compared are near-duplicates of known rows" in finding.claim
    counted = int(finding.claim.split(" compared")[0].split()[-3])
    assert 20 <= counted <= 40  # those of rows that set the threshold are not compared
    assert len(evidence(finding, Examples)) == 2


def test_score_table_has_looks_first_and_both_rates_by_name():
    rng = np.random.default_rng(4)
    finding = only(audited(rng, rows_of(rng, 200, away=2.0)[0]), "undetectable")
    scores, card = evidence(finding, Table)
    assert scores.columns[2:4] == ("accepted at 95 % of known", "known rejected at 95 % of strangers")
    assert "FPR95" not in str(finding)
    assert scores.rows[0][0] == "single columns, without the model"
    areas = [float(row[1]) for row in scores.rows[1:]]
    assert areas == sorted(areas, reverse=True)
    assert any("known rows rejected, promised" in row[0] for row in card.rows)


def test_rows_of_one_unit_stand_in_one_part_only():
    rng = np.random.default_rng(6)
    features, labels = rows_of(rng, 400)
    units = np.repeat(np.arange(100), 4)
    strange = rows_of(rng, 200, away=9.0)[0]
    other = set_of(strange, name="ood:them")
    data = set_of(
        features, labels, companions={"ood:them": other}, columns={"patient": units}, roles=Roles(unit="patient")
    )
    from pfungst.probes.known_parts import known_parts

    asked = Predict(features=True, rows=4096)
    parts = known_parts(data, Passes({asked: answers(data, features)}), 4096, [])
    held = [set(units[one.rows]) for one in (parts.fit.outputs, parts.threshold, parts.report)]
    assert len(held[0] | held[1] | held[2]) == len(held[0]) + len(held[1]) + len(held[2])
    assert sum(len(one.rows) for one in (parts.fit.outputs, parts.threshold, parts.report)) == 400


def test_slightly_shifted_known_rows_that_would_be_rejected_are_told():
    rng = np.random.default_rng(7)
    features, labels = rows_of(rng, 600)
    strange = rows_of(rng, 200)[0] * 0.1
    data = set_of(features, labels, companions={"ood:them": set_of(strange, name="ood:them")})
    probe = Unknowns()
    done = {
        one: answers(data.on(one.on), strange if one.on != "test" else features, one.rows, kept=one.features)
        for one in probe.needs(data, Passes())
    }
    shifted = answers(data, features * 0.5, kept=False)
    done[Predict(under=Shifted("brightness", 1), rows=600)] = shifted
    done[Predict(under=Shifted("brightness", 3), rows=600)] = replace(shifted, logits=shifted.logits * 0)
    card = evidence(only(list(probe.judge(data, Passes(done))), "undetectable"), Table)[1]
    told = [row for row in card.rows if row[0].startswith("known rows, slightly shifted")]
    assert len(told) >= 1
    assert "brighter by 10%" in told[0][1]


def test_threshold_keeps_its_promise_within_the_printed_range():
    rng = np.random.default_rng(8)
    inside, rejected = [], []
    for _ in range(200):
        scores, new = rng.gamma(2.0, size=300), rng.gamma(2.0, size=20_000)
        share = float(np.mean(new > threshold(scores)))
        low, high = realised(300)
        inside.append(low <= share <= high)
        rejected.append(share)
    assert 0.90 <= np.mean(inside) <= 0.99
    assert np.mean(rejected) <= 0.052


@pytest.mark.parametrize(("rows", "low", "high"), [(100, 0.016, 0.099), (500, 0.033, 0.071), (1000, 0.037, 0.064)])
def test_range_of_the_realised_share(rows, low, high):
    assert realised(rows) == pytest.approx((low, high), abs=1e-3)


def test_too_few_known_rows_promise_nothing():
    with pytest.raises(pfungst.errors.InputError, match="it takes 19"):
        threshold(np.arange(18.0))
    assert threshold(np.arange(19.0)) == 18
    rng = np.random.default_rng(9)
    said = audited(rng, rows_of(rng, 100, away=9.0)[0], known=60)
    assert not [one for one in said if isinstance(one, Finding) and one.kind == "undetectable"]
    assert any("each part needs 20" in one.reason for one in said if isinstance(one, Skipped))


def test_every_score_is_fed_by_one_forward_pass_a_row():
    torch = pytest.importorskip("torch")

    class Counted(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.body, self.head, self.rows = torch.nn.Linear(64, 8), torch.nn.Linear(8, 3), 0

        def forward(self, inputs):
            self.rows += len(inputs)
            return self.head(torch.relu(self.body(inputs.flatten(1))))

    rng = np.random.default_rng(10)
    inputs, labels = rng.integers(0, 256, (320, 8, 8, 1), dtype=np.uint8), rng.integers(0, 3, 320)
    strange = rng.integers(0, 60, (192, 8, 8, 1), dtype=np.uint8)
    shown = {}
    for topic in ("calibration", "unknowns"):
        module = Counted().eval()
        task = {"task": {"classes": ["0", "1", "2"]}}
        asked = {"only": (topic,), "batch_size": 32, "ood": {"dark": strange}, "task": task}
        audit = pfungst.audit(module, (inputs, labels), **asked)
        shown[topic] = module.rows
    scores = evidence(only(audit.findings, "undetectable"), Table)[0]
    assert len(scores.rows) > 12, audit.skipped
    # Beyond what any audit shows the model: the strangers once, in batches of 32, both halves of them rounded up.
    assert shown["unknowns"] - shown["calibration"] <= 192 + 2 * 32


def test_made_strangers_are_asked_where_nobody_brought_any_and_weigh_at_most_medium():
    rng = np.random.default_rng(11)
    inputs, labels = rng.integers(0, 256, (300, 12, 12, 3), dtype=np.uint8), rng.integers(0, 4, 300)

    def sure(shown):
        brightest = np.asarray(shown).reshape(len(shown), -1).mean(axis=1)
        logits = np.zeros((len(shown), 4), np.float32)
        logits[np.arange(len(shown)), (brightest * 1000).astype(int) % 4] = 9.0
        return logits

    audit = pfungst.audit(sure, (inputs, labels), only=("unknowns",))
    made = [one for one in audit.findings if one.kind == "confident"]
    assert {one.subject for one in made} == {
        f"built-in:{kind}"
        for kind in (
            "patch-shuffled", "phase-randomised", "white-noise", "magnified", "flat-colour", "printed-words",
        )
    }  # fmt: skip
    assert {one.severity for one in made} == {"medium"}
    # As sure of its own rows, it leaves open whether these are strangers: all are asked that the halves hold.
    asked = {
        half: {one.rows for one in audit.report.passes if one.half == half} for half in ("confirmation", "discovery")
    }
    assert asked["confirmation"] == {64}
    assert {one.effect.rows for one in made} == {64 + rows for rows in asked["discovery"]}
    assert not audit.fails("high")


def test_a_model_that_shrugs_at_made_strangers_is_said_so_once():
    rng = np.random.default_rng(12)
    inputs, labels = rng.integers(0, 256, (300, 12, 12, 3), dtype=np.uint8), rng.integers(0, 4, 300)
    audit = pfungst.audit(lambda shown: np.zeros((len(shown), 4), np.float32), (inputs, labels), only=("unknowns",))
    made = [one for one in audit.findings if one.kind == "confident"]
    assert [(one.subject, one.status) for one in made] == [("built-in", "absent")]
