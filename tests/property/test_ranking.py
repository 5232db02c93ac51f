"""What was found is ranked by weight, corrected once for all tests, and summed up in one sentence."""

import pfungst.probes  # noqa: F401 - fills the registry
from pfungst.audits.ranking import rank, verdict
from pfungst.findings import Finding, Skipped
from pfungst.statistics.estimate import Estimate


def finding(probe, kind, subject="", *, status="found", severity="high", p_value=None, value=0.5):
    effect = Estimate(name="effect", value=value, low=value - 0.1, high=value + 0.1, rows=100)
    return Finding(
        probe=probe, kind=kind, subject=subject, status=status, severity=severity, claim=f"{probe} {kind} {subject}.",
        effect=effect, p_value=p_value,
    )  # fmt: skip


def test_ids_depend_on_probe_kind_and_subject_alone():
    one = rank([finding("shift", "fragile", "noise", value=0.3)], "pfungst audit a b")[0]
    other = rank([finding("shift", "fragile", "noise", value=0.9, severity="critical")], "pfungst audit c d --seed 3")[
        0
    ]
    assert one.id == other.id
    assert one.id != rank([finding("shift", "fragile", "night")], "x")[0].id
    assert one.reproduce == "pfungst audit a b --only shift"


def test_found_comes_first_then_weight_then_cause():
    ranked = rank(
        [
            finding("shift", "fragile", "noise", status="absent", severity="none"),
            finding("calibration", "overconfident", severity="critical"),
            finding("shift", "fragile", "night", severity="critical", value=0.9),
            finding("shortcuts", "cue", "border", severity="critical", value=0.4),
            finding("unknowns", "confident", status="inconclusive", severity="none"),
        ],
        "x",
    )
    assert [one.probe for one in ranked] == ["shortcuts", "shift", "calibration", "unknowns", "shift"]


def test_what_does_not_survive_correction_is_inconclusive():
    many = [finding("mistakes", "confusion", str(k), p_value=0.02) for k in range(10)]
    ranked = rank(many, "x")
    assert {one.status for one in ranked} == {"inconclusive"}
    assert all("After correction" in one.claim for one in ranked)
    alone = rank(many[:1], "x")[0]
    assert (alone.status, alone.p_adjusted) == ("found", 0.02)


def test_verdict_is_no_where_a_grave_trick_was_found():
    said = verdict([finding("shift", "fragile", "night"), finding("shortcuts", "cue", "border")], [])
    assert said.generalizes == "no"
    assert "shortcuts cue border" in said.sentence
    assert said.sentence.endswith(" 1 more finding is high or critical.")
    more = [finding("shift", "fragile", name) for name in ("night", "fog", "rain")]
    assert verdict(more, []).sentence.endswith(" 2 more findings are high or critical.")


def test_verdict_is_yes_only_where_the_needed_chapters_are_clear_and_names_what_was_not_examined():
    clear = [finding(probe, "k", status="absent", severity="none") for probe in ("shortcuts", "shift")]
    said = verdict(clear, [Skipped(probe="unknowns", reason="no strangers")])
    assert said.generalizes == "yes"
    assert "not examined: unknowns" in said.sentence
    assert verdict(clear[:1], []).generalizes == "undecided"
    assert verdict([*clear, finding("shift", "fragile", "x", status="inconclusive")], []).generalizes == "undecided"
    assert verdict([*clear, finding("shift", "fragile", "x", severity="medium")], []).generalizes == "undecided"
    assert verdict([*clear, finding("calibration", "overconfident", severity="low")], []).generalizes == "yes"
    assert verdict([*clear, finding("calibration", "overconfident")], []).generalizes == "undecided"


def test_a_model_that_only_guesses_does_not_generalize():
    clear = [finding(probe, "k", status="absent", severity="none") for probe in ("shortcuts", "shift")]
    guessing = Estimate(name="accuracy", value=0.52, low=0.48, high=0.56, rows=600)
    said = verdict(clear, [], guessing, guess=0.5)
    assert said.generalizes == "no"
    assert "commonest label" in said.sentence
    knowing = Estimate(name="accuracy", value=0.62, low=0.58, high=0.66, rows=600)
    assert verdict(clear, [], knowing, guess=0.5).generalizes == "yes"
