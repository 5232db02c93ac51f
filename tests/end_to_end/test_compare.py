"""Two audits compared from the command line: what is new, fixed and flipped, whatever else the audits asked."""

import json
import shutil

import numpy as np
import pytest

import pfungst
from pfungst.cli import main
from pfungst.comparison import matched
from pfungst.findings import Finding, Report, Skipped, Verdict
from pfungst.pairing import Run, paired
from pfungst.statistics.estimate import Estimate

ROWS = 600


def world(rows, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    return rng.normal(size=(rows, 2)).astype(np.float32) + (2 * labels - 1)[:, None], labels


def scores(some, *, sure=1.0, blind=False):
    """Honest log odds are twice the sum of both columns; ``blind`` looks at the first alone, ``sure`` exaggerates."""
    margin = sure * (some[:, 0] if blind else some.sum(axis=1))
    return np.stack([-margin, margin], axis=1)


def audited(folder, name, model, data, **options):
    pfungst.audit(model, data, out=folder / name, **options)
    return folder / name


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """An honest model, and one that looks at half of what it could and is far too sure."""
    folder = tmp_path_factory.mktemp("runs")
    data = world(ROWS)
    good = audited(folder, "good", scores, data, only=("calibration",))
    worse = audited(folder, "worse", lambda some: scores(some, sure=6.0, blind=True), data, only=("calibration",))
    return good, worse


def compared(a, b, out, *more):
    code = main(["compare", str(a), str(b), "--out", str(out), *more])
    return code, json.loads((out / "compare.json").read_text())


def change(result, name):
    return next(one for one in result["changes"] if one["name"] == name)


def test_identical_runs_end_with_0_and_nothing_new(runs, tmp_path, capsys):
    code, result = compared(runs[0], runs[0], tmp_path / "out")
    assert code == 0
    assert result["schema"] == "pfungst/compare/1"
    assert result["findings"]["new"] == result["findings"]["fixed"] == result["churn"]["rows"] == []
    accuracy = change(result, "accuracy")
    assert accuracy["difference"]["value"] == 0
    assert accuracy["p_value"] == 1
    assert "NOTHING NEW" in capsys.readouterr().out
    assert "Nothing new" in (tmp_path / "out" / "compare.html").read_text()


def test_worse_model_ends_with_1_and_every_flip_is_named(runs, tmp_path, capsys):
    code, result = compared(*runs, tmp_path / "out")
    assert code == 1
    inputs, labels = world(ROWS)
    first, second = scores(inputs).argmax(1), scores(inputs, blind=True).argmax(1)
    accuracy = change(result, "accuracy")["difference"]
    assert accuracy["value"] == pytest.approx(np.mean(second == labels) - np.mean(first == labels))
    assert accuracy["high"] < 0
    gap = change(result, "calibration gap")
    assert gap["difference"]["low"] > 0.05
    assert gap["difference"]["value"] == pytest.approx(gap["b"]["value"] - gap["a"]["value"])
    flips = {one["id"]: one for one in result["churn"]["rows"]}
    assert flips.keys() == {str(row) for row in np.flatnonzero(first != second)}
    for row in (int(name) for name in flips):
        one = flips[str(row)]
        assert (one["label"], one["answer_a"], one["answer_b"]) == tuple(str(x[row]) for x in (labels, first, second))
        assert one["kind"] == ("right to wrong" if first[row] == labels[row] else "wrong to right")
    new = [one for one in result["findings"]["new"] if one["kind"] == "overconfident"]
    assert new[0]["a"]["status"] in {"absent", "inconclusive"}
    said = capsys.readouterr().out
    assert "calibration" in said
    assert "exit code 1" in said


def test_swapping_the_runs_mirrors_new_and_fixed_and_flips_signs(runs, tmp_path):
    _, forth = compared(*runs, tmp_path / "forth")
    code, back = compared(*reversed(runs), tmp_path / "back")
    assert code == 0
    assert forth["findings"]["new"]
    assert {one["id"] for one in forth["findings"]["new"]} == {one["id"] for one in back["findings"]["fixed"]}
    assert {one["id"] for one in forth["findings"]["fixed"]} == {one["id"] for one in back["findings"]["new"]}
    for one in back["findings"]["fixed"]:
        assert one["b"]["status"] in {"absent", "inconclusive", "not named"}
    for one, other in zip(forth["changes"], back["changes"], strict=True):
        ends = [other["difference"][end] for end in ("value", "high", "low")]
        assert [-one["difference"][end] for end in ("value", "low", "high")] == pytest.approx(ends)
        assert one["p_value"] == other["p_value"]
    counts = [{one["name"]: one["value"] for one in result["churn"]["kinds"]} for result in (forth, back)]
    assert counts[0]["right to wrong"] == counts[1]["wrong to right"] > 0


def test_rows_of_other_data_are_refused_whatever_their_ids(runs, tmp_path, capsys):
    renamed = tmp_path / "renamed.npz"
    inputs, labels = world(300, seed=7)
    np.savez(renamed, inputs=inputs, labels=labels, ids=np.array([f"other-{row}" for row in range(300)]))
    strangers = audited(tmp_path, "strangers", scores, str(renamed), only=("calibration",))
    unnamed = audited(tmp_path, "unnamed", scores, (inputs, labels), only=("calibration",))
    for other in (strangers, unnamed, tmp_path / "nowhere", tmp_path):
        assert main(["compare", str(runs[0]), str(other), "--out", str(tmp_path / "out")]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1
        assert not (tmp_path / "out").exists()


def test_run_without_its_answers_is_refused(runs, tmp_path, capsys):
    shutil.copytree(runs[0], tmp_path / "bare", ignore=shutil.ignore_patterns("answers"))
    assert main(["compare", str(runs[0]), str(tmp_path / "bare"), "--out", str(tmp_path / "out")]) == 2
    assert "answers" in capsys.readouterr().err


def test_a_probe_that_ran_once_is_not_comparable_and_a_part_of_the_rows_is_enough(runs, tmp_path):
    inputs, labels = world(ROWS)
    kept = np.arange(ROWS) < 400
    worse = audited(
        tmp_path, "part", lambda some: scores(some, sure=6.0, blind=True), (inputs[kept], labels[kept]),
        only=("mistakes",),
    )  # fmt: skip
    code, result = compared(runs[1], worse, tmp_path / "out", "--fail-at", "low")
    assert code == 0
    assert (result["shared"]["rows"], result["shared"]["only_a"], result["shared"]["only_b"]) == (400, 200, 0)
    lone = {(one["probe"], one["found_in"]) for one in result["findings"]["not_comparable"]}
    assert ("calibration", "A") in lone
    assert {one["probe"] for name in ("new", "fixed", "persisting") for one in result["findings"][name]} == set()
    assert result["churn"]["rows"] == []


def test_units_widen_the_intervals(tmp_path):
    inputs, labels = world(200)
    inputs, labels, patients = (np.repeat(values, 3, axis=0) for values in (inputs, labels, np.arange(200)))
    data = tmp_path / "rows.npz"
    np.savez(data, inputs=inputs, labels=labels, patient=patients)
    widths = []
    for name, task in (("alone", {}), ("together", {"columns": {"unit": "patient"}})):
        both = [
            audited(tmp_path, f"{name}-{blind}", lambda some, blind=blind: scores(some, blind=blind), str(data),
                    task=task, only=("calibration",))
            for blind in (False, True)
        ]  # fmt: skip
        _, result = compared(*both, tmp_path / name)
        accuracy = change(result, "accuracy")["difference"]
        widths.append(accuracy["high"] - accuracy["low"])
    assert result["shared"]["unit"] == "unit"
    assert accuracy["rows"] == 200
    assert widths[1] > 1.4 * widths[0]


def finding(status="found", severity="high", *, probe="shortcuts", kind="cue", subject="border", value=0.4):
    effect = Estimate(name="reliance", value=value, low=value - 0.05, high=value + 0.05, rows=100)
    return Finding(
        id=f"{probe}.{kind}:{subject}", probe=probe, kind=kind, subject=subject, status=status, effect=effect,
        severity=severity if status == "found" else "none", claim=f"About {subject}.",
    )  # fmt: skip


def report(*findings, skipped=(), probes=("shortcuts", "shift"), **data):
    return Report(
        created="2026-01-01", verdict=Verdict(generalizes="no", sentence="No."), model={}, data=data,
        settings={"probes": list(probes)}, environment={}, headline=(), findings=findings, skipped=skipped, passes=(),
    )  # fmt: skip


def test_severity_that_rose_over_the_bound_fails_and_one_that_was_there_does_not():
    mild, grave = report(finding(severity="medium")), report(finding(severity="critical"))
    assert len(matched(mild, grave).at_or_above("high")) == 1
    assert matched(grave, mild).at_or_above("medium") == ()
    assert matched(grave, grave).at_or_above("low") == ()
    assert len(matched(mild, grave).persisting) == 1


def test_place_is_judged_as_its_region_where_the_other_audit_named_none():
    named = report(finding(subject="region:left"))
    searched = report(finding("absent", subject="region", value=0.0))
    (fixed,) = matched(named, searched).fixed
    assert (fixed.b.status, fixed.b.judged_as) == ("absent", "region")
    assert matched(named, report()).fixed[0].b.status == "not named"


def test_latent_cue_that_is_now_relied_upon_is_not_fixed():
    latent, relied = report(finding(kind="latent-cue", severity="low")), report(finding())
    assert matched(latent, relied).fixed == ()
    assert [one.kind for one in matched(latent, relied).new] == ["cue"]
    assert matched(relied, latent).new == ()


@pytest.mark.parametrize(
    "found_and_other",
    [
        (finding(probe="shift", kind="fragile", subject="night"), report()),
        (finding(subject="column:site"), report(columns=[])),
        (finding(), report(skipped=(Skipped(probe="shortcuts", kind="cue", subject="border", reason="too few"),))),
        (finding(), report(skipped=(Skipped(probe="shortcuts", reason="the probe broke: X"),))),
        (finding(), report(probes=("shift",))),
    ],
    ids=["another shift was asked", "no such column", "skipped", "broke", "did not run"],
)
def test_what_one_audit_did_not_look_for_is_neither_new_nor_fixed(found_and_other):
    found, other = found_and_other
    own = report(found, columns=["site"])
    for matches, name in ((matched(own, other), "A"), (matched(other, own), "B")):
        assert matches.new == matches.fixed == matches.persisting == ()
        assert [one.found_in for one in matches.not_comparable] == [name]


def test_classes_in_another_order_and_a_relabelled_row_are_read_by_name():
    from pfungst.outputs import from_logits

    def run(classes, labels, fingerprint="x"):
        told = report(fingerprint=fingerprint)
        told = Report(**{**{n: getattr(told, n) for n in told.__struct_fields__}, "model": {"classes": classes}})
        return Run(classes[0], told, from_logits(np.eye(2)[[0, 1, 0]]), np.array(labels), ("a", "b", "c"), None)

    shared, first, second, _ = paired(run(["cat", "dog"], [0, 1, 0]), run(["dog", "cat"], [1, 0, 0]))
    assert (shared.rows, shared.relabelled) == (2, 1)
    assert list(first.labels) == ["cat", "dog"]
    assert (first.right.all(), second.right.any()) == (True, False)


def test_page_is_one_file_without_a_script_and_shows_what_the_json_says(runs, tmp_path):
    _, result = compared(*runs, tmp_path / "out")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on the path")
    noise, asked = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_context(viewport={"width": 320, "height": 800}, java_script_enabled=True).new_page()
        page.on("console", lambda message: noise.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "out" / "compare.html").resolve().as_uri())
        text = page.inner_text("body")
        width = page.evaluate("() => document.documentElement.scrollWidth")
        scripts = page.locator("script").count()
        browser.close()
    assert noise == []
    assert scripts == 0
    assert width <= 320
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    for one in (*result["findings"]["new"], *result["findings"]["fixed"]):
        assert (one["b"] if one["b"]["status"] == "found" else one["a"])["claim"] in text
