"""The gate: what fails, what a baseline or an acceptance lets pass, and what somebody must see to."""

from datetime import date

import msgspec
import pytest

import pfungst.probes  # noqa: F401 - fills the registry
from pfungst.accepted import Accepted
from pfungst.audit_result import Audit, read_baseline
from pfungst.audits.request import resolve
from pfungst.errors import InputError
from pfungst.findings import Finding, Report, Skipped, Verdict
from pfungst.gating import gated
from pfungst.report.json import encode
from pfungst.report.thresholds import SCALE_OF, margin
from pfungst.statistics.estimate import Estimate, severity

TODAY = date(2026, 11, 27)
SEVERITIES = ("critical", "high", "medium", "low", "none")


def finding(subject="border", weight="high", status="found", *, probe="shortcuts", kind="cue", value=0.2):
    effect = Estimate(name="reliance", value=value, low=value - 0.02, high=value + 0.02, rows=400)
    return Finding(
        id=f"{probe}.{kind}:{subject}", probe=probe, kind=kind, subject=subject, status=status, claim=f"{subject}.",
        severity=weight if status == "found" else "none", effect=effect, tolerance=0.05,
    )  # fmt: skip


def report(*findings, skipped=(), complete=True, data="rows", probes=("shortcuts", "shift")):
    return Report(
        created="2026-11-27T12:00:00+0000", complete=complete, verdict=Verdict(generalizes="no", sentence="No."),
        model={}, data={"fingerprint": data}, settings={"probes": list(probes)}, environment={}, headline=(),
        findings=findings, skipped=skipped, passes=(),
    )  # fmt: skip


def names(findings):
    return [one.subject for one in findings]


@pytest.mark.parametrize("before", SEVERITIES)
@pytest.mark.parametrize("now", SEVERITIES)
@pytest.mark.parametrize("at", SEVERITIES[:-1])
def test_found_fails_unless_the_baseline_has_it_no_less_grave(before, now, at):
    fails = report(finding(weight=now)).fails(at, baseline=report(finding(weight=before)))
    over = SEVERITIES.index(now) <= SEVERITIES.index(at)
    assert bool(fails) == (over and SEVERITIES.index(now) < SEVERITIES.index(before))


@pytest.mark.parametrize("status", ["absent", "inconclusive"])
def test_what_the_baseline_did_not_find_it_does_not_excuse(status):
    assert report(finding()).fails(baseline=report(finding(status=status)))
    assert not report(finding(status=status)).fails("low")


def test_identity_is_the_id_alone():
    moved = msgspec.structs.replace(finding(value=0.9), claim="In other words.", tolerance=0.01, p_value=0.5)
    assert not report(moved).fails(baseline=report(finding(), data="others"))
    assert report(msgspec.structs.replace(finding(), id="another")).fails(baseline=report(finding()))


def test_gate_sorts_into_failing_known_and_accepted():
    now = report(finding("a"), finding("b"), finding("c", "critical"), finding("d"), finding("e", "low"))
    before = report(finding("b"), finding("c"), finding("d"))
    gate = gated(now, accept=["shortcuts.cue:a", Accepted(finding="shortcuts.cue:d", reason="known")], baseline=before)
    assert (names(gate.failing), names(gate.known)) == (["c"], ["b"])
    assert {key: one.reason for key, one in gate.accepted.items()} == {
        "shortcuts.cue:a": "",
        "shortcuts.cue:d": "known",
    }
    assert gate.failing == now.fails("high", ["shortcuts.cue:a", "shortcuts.cue:d"], before)
    assert gate.verdict.startswith("1 at or above high that the baseline has not")


def test_baseline_says_what_it_can_do_without_and_that_undecided_is_not_fixed():
    before = report(
        *(finding(one) for one in ("fixed", "open", "milder", "unasked", "same")), finding("gone", kind="latent-cue")
    )
    now = report(
        finding("fixed", status="absent"), finding("open", status="inconclusive"), finding("milder", "medium"),
        finding("same"),
        skipped=(Skipped(probe="shortcuts", kind="cue", subject="unasked", reason="no such rows"),),
    )  # fmt: skip
    said = {one.subject: word for one, word in gated(now, baseline=before).shrinkable}
    assert said == {
        "fixed": "is fixed: it lies within the tolerance now", "open": "is undecided now, which is not fixed",
        "milder": "is medium now", "unasked": "was not looked for this time", "gone": "is not named any more",
    }  # fmt: skip


def test_other_rows_than_the_baseline_are_told():
    assert "other rows" in " ".join(gated(report(data="b"), baseline=report(data="a")).notes)
    assert gated(report(), baseline=report()).notes == ()


def test_acceptance_holds_through_its_last_day_and_then_warns():
    entry = Accepted(finding="shortcuts.cue:border", reason="until the new scanner", until=TODAY)
    now = report(finding())
    assert not gated(now, accept=[entry], today=TODAY).failing
    after = gated(now, accept=[entry], today=date(2026, 11, 28))
    assert after.failing
    assert after.warnings == (
        "shortcuts.cue:border is not accepted any more; it was until 2026-11-27: until the new scanner",
    )
    assert gated(now, accept=[entry, "shortcuts.cue:border"], today=date(2027, 1, 1)).warnings == ()


def test_acceptance_that_matches_nothing_is_noted():
    gate = gated(report(finding(status="absent")), accept=["shortcuts.cue:border", "shift.fragile:fog"])
    assert [one.finding for one in gate.idle] == ["shortcuts.cue:border", "shift.fragile:fog"]
    assert len(gate.notes) == 2


def test_finding_about_the_whole_model_is_accepted_with_and_without_colon():
    now = report(finding("", probe="calibration", kind="overconfident"))
    assert not now.fails(accept=["calibration.overconfident"])
    assert not now.fails(accept=["calibration.overconfident:"])


def test_task_file_takes_names_and_tables():
    gate = {"accept": ["shift.fragile:fog", {"finding": "shortcuts.cue:border", "until": date(2027, 1, 31)}]}
    read = resolve({"gate": gate}, {}).task.gate.accept
    assert read == ("shift.fragile:fog", Accepted(finding="shortcuts.cue:border", until=date(2027, 1, 31)))


@pytest.mark.parametrize(
    "name_and_meant",
    [
        ("shortcut.cue:border", "'shortcuts.cue'"), ("shortcuts.cues", "'shortcuts.cue'"), ("border", "there are "),
        ("shift.fragil:fog", "'shift.fragile'"), ("", "there are "),
    ],
)  # fmt: skip
@pytest.mark.parametrize("table", [False, True])
def test_what_no_probe_can_find_is_refused_with_what_was_meant(name_and_meant, table):
    name, meant = name_and_meant
    with pytest.raises(InputError, match=meant):
        resolve({"gate": {"accept": [{"finding": name} if table else name]}}, {})


@pytest.mark.parametrize(
    "entry", [{"finding": "shift.fragile", "untill": TODAY}, {"reason": "none"}, {"finding": "a", "until": "soon"}, 3]
)
def test_acceptance_that_is_misspelled_is_refused(entry):
    with pytest.raises(InputError, match="gate"):
        resolve({"gate": {"accept": [entry]}}, {})


def test_audit_takes_a_baseline_as_audit_report_folder_or_file(tmp_path):
    audit, before = (Audit(report(finding()), {}) for _ in range(2))
    (tmp_path / "audit.json").write_bytes(encode(before.report))
    assert audit.fails()
    for baseline in (before, before.report, tmp_path, str(tmp_path / "audit.json")):
        assert not audit.fails(baseline=baseline)


def test_baseline_that_cannot_serve_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_baseline(tmp_path / "nowhere")
    (tmp_path / "audit.json").write_bytes(encode(report(complete=False)))
    with pytest.raises(InputError, match="no finished audit"):
        read_baseline(tmp_path)


def test_margin_is_the_distance_from_the_nearer_end_to_the_gate():
    assert margin(finding(value=0.16, weight="medium"), "high") == "0.010 short of high (0.15)"
    assert margin(finding(value=0.40, weight="critical"), "high") == "0.230 beyond high (0.15)"
    assert margin(finding(value=-0.40, weight="critical"), "critical") == "0.080 beyond critical (0.3)"


def test_margin_is_silent_where_another_rule_weighed_or_nothing_was_found():
    assert margin(finding(value=0.9, weight="medium", probe="adversarial", kind="fragile"), "high") == ""
    assert margin(finding(probe="mistakes", kind="label-error"), "high") == ""
    assert margin(finding(status="absent"), "high") == ""


@pytest.mark.parametrize("at", SEVERITIES[:-1])
def test_margin_and_gate_never_disagree(at):
    for scale, kind in {scale: kind for kind, scale in SCALE_OF.items()}.items():
        for value in (0.03, 0.05, 0.07, 0.12, 0.13, 0.17, 0.2, 0.32, 0.62, 0.9):
            probe, _, name = kind.partition(".")
            one = finding(probe=probe, kind=name, value=value)
            one = msgspec.structs.replace(one, severity=severity(one.effect, scale, 0.05))
            assert (" beyond " in f" {margin(one, at)} ") == bool(report(one).fails(at)), (kind, value)
