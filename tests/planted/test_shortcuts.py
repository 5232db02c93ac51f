"""Power and false alarms of the Clever-Hans test, on small networks whose trick, or lack of one, is known."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks are trained with torch")

from pfungst.datasets.dataset import Dataset, Roles  # noqa: E402
from pfungst.findings import Condition, Examples, Finding, OpportunityReliance, RegionMap, Skipped  # noqa: E402
from pfungst.methods.hiding import Alone  # noqa: E402
from pfungst.outputs import from_logits  # noqa: E402
from pfungst.passes import Passes, Predict  # noqa: E402
from pfungst.probes.shortcuts import Shortcuts  # noqa: E402
from pfungst.task import task_of  # noqa: E402

_SPEC = importlib.util.spec_from_file_location("planted", Path(__file__).parents[2] / "benchmarks" / "planted.py")
planted = importlib.util.module_from_spec(_SPEC)
sys.modules["planted"] = planted
_SPEC.loader.exec_module(planted)

HONEST = range(300, 340, 2)
TRICKED = tuple(
    zip(range(400, 448, 2), ("mark", "border", "mark", "colour-cast", "brightness", "mark") * 4, strict=True)
)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def outcomes(settings):
    return [planted.outcome(planted.Setting("digits", trick, seed, agrees)) for seed, trick, agrees in settings]


@pytest.mark.slow
def test_at_most_one_of_twenty_honest_networks_is_accused():
    accused = [planted.line(one) for one in outcomes([(seed, "", 0.9) for seed in HONEST]) if one.named]
    assert len(accused) <= 1, accused


@pytest.mark.slow
def test_nine_of_ten_networks_that_learned_a_trick_are_found_and_the_trick_is_named():
    agreements = (0.97, 0.9, 0.8, 0.7)
    settings = [
        (seed, "mark" if trick == "colour-cast" and seed % 5 >= 3 else trick, agreements[index % 4])
        for index, (seed, trick) in enumerate(TRICKED)
    ]
    learned = [one for one in outcomes(settings) if one.network.learned]
    assert len(learned) >= 20
    missed = [planted.line(one) for one in learned if not one.right]
    assert len(missed) <= 0.1 * len(learned), missed
    besides = [planted.line(one) for one in learned if one.stray]
    assert len(besides) <= 0.1 * len(learned), besides
    marks = [one for one in learned if one.network.setting.trick == "mark"]
    assert sum(one.right for one in marks) >= 0.9 * len(marks)


class Reader:
    """Answers from the mean brightness of a box of pixels, by known class levels; else from nothing."""

    offers = frozenset({"new inputs"})

    def __init__(self, box, levels):
        self.box, self.levels = box, np.asarray(levels, float)

    def predict(self, inputs):
        down, across = self.box
        seen = inputs[:, down, across].mean(axis=(1, 2, 3))
        return from_logits(-np.abs(seen[:, None] - self.levels[None]) / 10)


MARK = (slice(20, 24), slice(1, 5))
LEVELS = (40, 110, 180)


def scene(rows=800, agrees=0.9, columns=None, roles=None, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    images = np.cumsum(rng.standard_normal((rows, 24, 24)), axis=2) * 5 + 110
    images[:, 6:16, 8:18] += (labels * 40)[:, None, None]
    shown = np.where(rng.random(rows) < agrees, labels, rng.integers(0, 3, rows))
    images[:, *MARK] = np.asarray(LEVELS)[shown][:, None, None]
    images = images.clip(0, 255).astype(np.uint8)[..., None]
    return Dataset(
        "test", "", "image", tuple(f"r{i}" for i in range(rows)), lambda at: list(images[at]),
        classes=("a", "b", "c"), labels=labels, shape=(24, 24, 1), columns=columns or {}, roles=roles or Roles(),
    )  # fmt: skip


def audited(model, data, probe):
    done = Passes()
    while new := [
        one for one in dict.fromkeys(probe.needs(data, done)) if one not in done and one.wants <= model.offers
    ]:
        done = done.with_({one: planted.answered(model, data, one) for one in new})
    return list(probe.judge(data, done)), done


def test_a_model_that_reads_only_the_mark_is_found_out_and_the_evidence_shows_it():
    data = scene()
    said, done = audited(Reader(MARK, LEVELS), data, Shortcuts())
    (found,) = (one for one in said if isinstance(one, Finding) and one.status == "found" and one.kind == "cue")
    assert (found.subject, found.severity) == ("region:bottom-left", "critical")
    assert found.effect.low > 0.5
    overview, suspicions, region, by_class, otherwise, hiding, examples = found.evidence
    assert "predicts the label" in dict(row[:2] for row in suspicions.rows)["region:bottom-left"]
    assert isinstance(overview, OpportunityReliance)
    assert isinstance(region, RegionMap)
    assert np.allclose(region.box, (20 / 24, 1 / 24, 24 / 24, 5 / 24))
    assert np.argmax(region.effects) == 12
    assert isinstance(examples, Examples)
    shown = {one.shown: one.under for one in done}
    for before, kept, reversed_, alone in examples.items:
        assert before.shown == ""
        assert {kept.shown, reversed_.shown, alone.shown} <= set(shown)
        assert shown[reversed_.shown].donor == "other class"
        assert shown[alone.shown] == Alone(shown[kept.shown].cue)
        assert data.ids[before.position] == before.row
    assert len(by_class.items) == 4, "three classes and the worst pair"
    values = {one.name: one for one in otherwise.items}
    assert values["answers that follow the swapped cue to its class"].low > 0.8
    assert values["accuracy from the bottom-left region alone"].low > 0.8
    assert values["accuracy lost where the cue speaks for another class, nothing edited"].low > 0.5
    assert all(one.low > 0.2 for one in hiding.items), "every fill says so"
    (condition,) = (one for one in said if isinstance(one, Condition))
    assert condition.condition == "region:bottom-left swapped"
    assert condition.accuracy.value < 0.2


def test_a_model_that_reads_only_the_object_is_not_accused_though_the_mark_is_there():
    said, _ = audited(Reader((slice(6, 16), slice(8, 18)), (115, 150, 185)), scene(), Shortcuts())
    cues = [one for one in said if isinstance(one, Finding) and one.kind == "cue"]
    assert all(one.status != "found" for one in cues if one.subject.startswith(("region", "border")))
    assert ("latent-cue", "region:bottom-left") in {(one.kind, one.subject) for one in said if isinstance(one, Finding)}


def test_verdicts_come_from_rows_that_proposed_nothing():
    _, done = audited(Reader(MARK, LEVELS), scene(), Shortcuts())
    data = scene()
    discovery, confirmation = (set(data.sample(None, half).tolist()) for half in ("discovery", "confirmation"))
    assert not discovery & confirmation
    for one, outputs in ((one, outputs) for one, outputs in done.items() if one != Predict()):
        assert one.half in {"discovery", "confirmation"}
        assert set(outputs.rows.tolist()) <= (discovery if one.half == "discovery" else confirmation)


def test_rows_of_one_unit_widen_the_interval():
    rows = 800
    unit = np.repeat(np.arange(rows // 4), 4).astype(str)
    patients = scene(columns={"patient": unit}, roles=Roles(unit="patient"))
    (found,) = (
        one
        for one in audited(Reader(MARK, LEVELS), patients, Shortcuts())[0]
        if isinstance(one, Finding) and one.status == "found" and one.kind == "cue"
    )
    assert found.effect.unit == "unit"
    assert found.effect.rows <= rows // 4


def test_a_tolerance_of_the_task_file_decides():
    lax = Shortcuts().for_task(task_of({"must_not_matter": {"region": 0.99}}))
    said, _ = audited(Reader(MARK, LEVELS), scene(), lax)
    assert not [one for one in said if isinstance(one, Finding) and one.status == "found" and one.kind == "cue"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (scene(rows=40), "labelled rows in a half"),
        (Dataset("t", "", "answers", ("a",), lambda _: [0], classes=("a", "b"), labels=np.array([0])), "pictures"),
        (Dataset("t", "", "image", ("a",), lambda _: [], classes=("a", "b")), "no labels"),
    ],
)
def test_what_cannot_be_examined_is_skipped_with_a_reason(data, words):
    probe = Shortcuts()
    assert list(probe.needs(data, Passes())) == []
    (skipped,) = probe.judge(data, Passes())
    assert isinstance(skipped, Skipped)
    assert words in skipped.reason


def test_recorded_answers_are_left_alone():
    data = scene(rows=200)
    assert list(Shortcuts().judge(data, Passes({Predict(): from_logits(np.zeros((200, 3)))}))) == []
