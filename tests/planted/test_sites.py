"""Sites: digits from two scanners, one of which got more of the odd ones; who answers by the scanner is found out."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import pfungst
from pfungst.findings import Estimates, Table
from pfungst.methods.site_features import kept
from pfungst.methods.site_pairs import moved, pair_tests
from pfungst.methods.site_tests import Sited, association
from pfungst.outputs import from_top

SIDE = 10


def scanned(rho, seed=0):
    """Digits, whether each is odd, and its scanner; B, which gets an odd one with chance rho, dims, blurs and tags."""
    pictures, digits = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    b = rng.random(len(digits)) < np.where(digits % 2, rho, 1 - rho)
    frames = np.zeros((len(digits), SIDE, SIDE))
    frames[:, 1:-1, 1:-1] = pictures.reshape(-1, 8, 8) / 16
    frames[b] = 0.8 * gaussian_filter(frames[b], (0, 0.5, 0.5))
    frames += 0.05 * rng.normal(size=frames.shape)
    frames[b, 0, :3] = 1
    return np.clip(frames, 0, 1).astype(np.float32), digits % 2, np.where(b, "B", "A")


def halves(rho):
    frames, labels, site = scanned(rho)
    order = np.random.default_rng(1).permutation(len(labels))
    return [(frames[part], labels[part], site[part]) for part in (order[:900], order[900:])]


def fitted(rho, uses):
    """Log-odds weights on pixels: of rows as they came, or of scanners drawn by chance and without the edge."""
    frames, labels, _ = halves(rho if uses else 0.5)[0]
    seen = frames if uses else frames * _inner()
    fit = LogisticRegression(max_iter=3000).fit(seen.reshape(len(seen), -1), labels)
    weights = fit.coef_[0] * (1 if uses else _inner().ravel())
    return np.stack([-weights, weights], axis=1) / 2, np.array([-1, 1]) * fit.intercept_[0] / 2


def _inner():
    inside = np.zeros((SIDE, SIDE), np.float32)
    inside[1:-1, 1:-1] = 1
    return inside


def audited(rho, uses, write=None, **options):
    weights, bias = fitted(rho, uses)
    frames, labels, site = halves(rho)[1]

    def model(rows):
        return np.asarray(rows).reshape(len(rows), -1) @ weights + bias

    chosen = model if write is None else write(weights, (1, SIDE, SIDE), bias=bias)
    data = {"inputs": frames, "labels": labels, "scanner": site}
    options = {"task": {"columns": {"site": ["scanner"]}}, "only": ("sites",), **options}
    return pfungst.audit(chosen, data, outputs="logits", **options)


def of(audit, kind):
    return next(one for one in audit.findings if one.kind == kind)


def table(finding, title):
    return next(one for one in finding.evidence if isinstance(one, Table) and title in one.title)


def areas(finding):
    return {one.name: one for one in next(x for x in finding.evidence if isinstance(x, Estimates)).items}


@pytest.mark.parametrize("rho", [0.7, 0.95])
def test_a_network_that_uses_the_tag_is_accused_and_one_blind_to_it_is_not(rho):
    used, blind = of(audited(rho, uses=True), "confounded"), of(audited(rho, uses=False), "confounded")
    assert (used.subject, used.status) == ("scanner", "found")
    assert used.severity in ({"medium", "high"} if rho < 0.8 else {"critical"})
    assert used.p_adjusted < 0.05
    assert blind.status in {"absent", "inconclusive"}
    assert blind.severity == "none"
    assert blind.status == "absent" or rho > 0.9
    for one in (used, blind):
        assert "go together" in one.claim
        shown = areas(one)
        within, across = shown["the model, pairs from one site"], shown["the model, pairs from two sites"]
        assert within.low < within.value < within.high
        assert (across.value - within.value > 0.02) == (one is used and rho > 0.9)


def test_sites_that_hold_the_classes_alike_are_nobody_s_shortcut():
    for uses in (True, False):
        one = of(audited(0.5, uses), "confounded")
        assert one.status == "absent"
        assert "not shown to go together" in one.claim


def test_answers_that_depend_on_sites_of_equal_shares_are_told_without_an_accusation():
    labels, site = np.tile([0, 0, 1, 1], 200), np.tile(["A", "B"], 400)
    scores = 2.0 * np.random.default_rng(0).normal(2 * labels - 1, 1.0)
    for heeded, told_so in ((1.5, True), (0.0, False)):
        one = of(told(scores + heeded * (site == "B"), labels, site), "confounded")
        assert one.status == "absent"
        assert ("depend on the site all the same" in one.claim) == told_so
        assert len(table(one, "Do answers depend").rows) == 2


@pytest.mark.parametrize("uses", [True, False])
def test_where_the_scanner_is_the_label_nothing_is_said_of_areas_within_scanners(uses):
    audit = audited(1.0, uses)
    one = of(audit, "confounded")
    assert (one.status, one.severity, one.tolerance) == ("found", "high", None)
    assert one.claim.startswith("These data cannot separate the label from the scanner")
    assert "collect both classes at one scanner" in one.claim
    assert not any("pairs from one site" in name for name in areas(one))
    assert "within" not in one.claim
    assert not any(isinstance(x, Table) and "Do answers depend" in x.title for x in one.evidence)
    assert {entry.kind for entry in audit.skipped if entry.probe == "sites"} >= {"gap"}
    assert audit.verdict.generalizes == "undecided"
    if uses:
        assert "cannot be told apart from a detector of scanner" in one.claim


def test_features_that_still_hold_the_tag_are_told_and_a_layer_fitted_without_a_scanner_loses(onnx_classifier):
    audit = audited(0.95, uses=True, write=onnx_classifier)
    one = of(audit, "confounded")
    assert "still tell the scanner given the label" not in one.claim  # too few rows of a label at both scanners
    audit = audited(0.7, uses=True, write=onnx_classifier)
    one = of(audit, "confounded")
    assert "still tell the scanner given the label" in one.claim
    rows = table(one, "still in the features").rows
    assert {row[-1] for row in rows} == {"kept"}
    assert {row[0] for row in rows} == {"0", "1"}
    refitted = table(of(audit, "gap"), "A last layer refitted").rows
    assert {row[0] for row in refitted} == {"A", "B"}


def test_without_features_that_part_alone_is_left_out_and_says_so():
    skipped = [entry for entry in audited(0.7, uses=True).skipped if entry.kind == "confounded"]
    assert [entry.reason for entry in skipped] == [
        "whether the site is kept in the network was not tested: the model offers no features"
    ]


def told(scores, labels, site, *, only=("sites",), **columns):
    """An audit of given log-odds of the second class."""
    data = {"inputs": scores[:, None].astype(np.float32), "labels": labels, "site": site, **columns}
    roles = {"site": ["site"], **({"unit": "unit"} if "unit" in columns else {})}

    def model(rows):
        return np.concatenate([np.zeros_like(rows), rows], axis=1)

    return pfungst.audit(model, data, outputs="logits", only=only, task={"columns": roles})


def world(rho, heeded=0.0, rows=1000, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    at = np.where(rng.random(rows) < rho, labels, 1 - labels)
    return 2 * rng.normal(2 * labels - 1, 1.0) + heeded * (2 * at - 1), labels, np.array(["A", "B"])[at]


def test_no_false_alarm_in_any_of_12_audits_and_power_in_10_of_10():
    assert not [seed for seed in range(6) if of(told(*world(0.5, 1.0, 600, seed)), "confounded").status == "found"]
    assert not [seed for seed in range(6) if of(told(*world(0.8, 0.0, 600, seed)), "confounded").status == "found"]
    for rho in (0.7, 0.95):
        heeded = np.log(rho / (1 - rho))
        runs = [of(told(*world(rho, heeded, 1000, seed)), "confounded").status for seed in range(5)]
        assert runs == ["found"] * 5


def test_tests_within_labels_reject_one_null_set_in_twenty():
    rejected = {"association": 0, "used": 0, "pairs": 0, "kept": 0}
    for seed in range(200):
        scores, labels, site = world(0.7, 0.0, 200, seed)
        rng = np.random.default_rng((seed, 1))
        logs = -np.logaddexp(0, np.stack([scores, -scores], axis=1))
        rows = Sited(logs, labels, (site == "B").astype(int), ("A", "B"))
        rejected["used"] += moved(rows, draws=99, seed=seed).p_value <= 0.05
        rejected["pairs"] += any(one.p_value <= 0.05 for one in pair_tests(rows, cell=20))
        if seed < 100:
            features = rng.normal(size=(200, 6)) + labels[:, None]
            rejected["kept"] += 2 * (kept(rows, features, cell=20, draws=99, seed=seed)[0].p_value <= 0.05)
            free = Sited(logs, labels, rng.integers(0, 2, 200), ("A", "B"))
            rejected["association"] += 2 * (association(free, seed, draws=99).p_value <= 0.05)
    for name, count in rejected.items():
        assert 2 <= count <= 20, (name, count)


def test_only_the_shares_differ():
    audit = told(*world(0.8, 0.0, 3000))
    assert of(audit, "confounded").status == "absent"
    share = of(audit, "prevalence")
    assert (share.status, share.severity) == ("found", "low")
    assert "Nothing else is shown to differ" in share.claim
    rows = {row[0]: row for row in table(share, "Shares of the classes").rows}
    for name in ("A", "B"):
        low, high = rows[name][5].split("[")[1].rstrip("]").split(", ")
        assert float(low) - 0.03 <= float(rows[name][4]) <= float(high) + 0.03
        assert rows[name][7].startswith("not rejected")


def test_shares_are_not_estimated_where_answers_depend_on_the_site():
    share = of(told(*world(0.8, 1.5, 3000)), "prevalence")
    assert "More than the shares differs" in share.claim
    assert {row[5] for row in table(share, "Shares of the classes").rows} == {""}


def test_a_site_where_the_model_errs_is_the_worst_and_its_gap_is_no_matter_of_shares():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 1500)
    site = rng.choice(["A", "B", "C"], 1500)
    odds = 2 * rng.normal(2 * labels - 1, np.where(site == "C", 4.0, 0.7))
    audit = told(odds, labels, site)
    gap = of(audit, "gap")
    assert (gap.status, gap.subject) == ("found", "site")
    assert gap.severity in {"high", "critical"}
    assert gap.effect.level == pytest.approx(1 - 0.05 / 3)  # holds for all three at once
    assert "site=C" in gap.claim
    whole, prevalence, within = next(x for x in gap.evidence if isinstance(x, Estimates) and "lost" in x.title).items
    assert whole.value == pytest.approx(prevalence.value + within.value)
    assert abs(prevalence.value) < 0.03 < within.low
    assert {one.condition for one in audit.headline} == {"as tested", "site=C", "site independent of the label"}
    assert of(audit, "confounded").status == "absent"


def test_a_gap_that_shares_explain_is_said_to_be_one():
    rng = np.random.default_rng(0)
    site = np.repeat(["A", "B"], 1500)
    labels = (rng.random(3000) < np.where(site == "A", 0.9, 0.3)).astype(int)
    odds = np.where(labels == 1, rng.normal(3, 1, 3000), rng.normal(-0.3, 1, 3000))
    gap = of(told(odds, labels, site), "gap")
    _, prevalence, within = next(x for x in gap.evidence if isinstance(x, Estimates) and "lost" in x.title).items
    assert gap.status == "found"
    assert "site=B" in gap.claim
    assert prevalence.low > 0.1
    assert within.low < 0.02


def test_a_site_with_three_positives_is_never_ranked_worst_and_one_of_few_rows_is_pooled():
    rng = np.random.default_rng(0)
    labels = np.concatenate([rng.integers(0, 2, 600), np.repeat([0, 1], [60, 3]), [0, 1, 1], [0, 0, 1]])
    site = np.repeat(["A", "B", "C", "D", "E"], [300, 300, 63, 3, 3])
    odds = 2.0 * rng.normal(2 * labels - 1, 0.5)
    odds[600:] *= -1  # all wrong at the small ones
    audit = told(odds, labels, site)
    gap = of(audit, "gap")
    assert "site=C" not in gap.claim
    names = [one.name for one in gap.evidence[0].items]
    assert set(names[:2]) == {"A", "B"}
    assert "small sites" in names[2:]


def test_pairs_from_one_small_site_are_pairs_from_one_site_and_others_are_not():
    scores, labels, site = world(0.8, 0.0, 600)
    site = np.concatenate([site[:400], np.repeat([f"small {at}" for at in range(20)], 10)])
    claim = of(told(scores, labels, site), "confounded").claim
    first, second = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    share = (site[first][:, None] == site[second]).mean()
    assert f"{share:.0%} of the pairs come from one site" in claim


def test_missing_sites_are_reported_as_their_own():
    scores, labels, site = world(0.7, 0.0, 600)
    site = np.where(np.arange(600) % 3 == 0, None, site.astype(object))
    finding = of(told(scores, labels, site), "confounded")
    assert "not recorded" in {row[0] for row in table(finding, "Rows of each site").rows}


def test_too_few_rows_say_how_many_are_needed_and_never_accuse():
    scores, labels, site = world(0.95, 3.0, 50, seed=2)
    one = of(told(scores, labels, site), "confounded")
    assert one.status in {"inconclusive", "found"}
    assert "at two sites are the least that can tell" in one.claim or "cannot separate" in one.claim


def test_rows_of_a_patient_count_once():
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.integers(0, 2, 60), 20)
    site = np.repeat(np.where(rng.random(60) < 0.7, labels[::20], 1 - labels[::20]), 20)
    odds = 2 * (2 * labels - 1) + np.repeat(1.5 * rng.normal(size=60), 20) + 0.1 * rng.normal(size=1200)
    named = np.array(["A", "B"])[site]
    alone, together = (told(odds, labels, named, **more) for more in ({}, {"unit": np.repeat(np.arange(60), 20)}))
    widths = [of(one, "confounded").effect.high - of(one, "confounded").effect.low for one in (alone, together)]
    assert widths[1] > 2 * widths[0]
    assert of(together, "confounded").effect.rows == 60


def test_ten_classes_at_two_sites():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 2000)
    site = np.where(rng.random(2000) < 0.9, labels % 2, 1 - labels % 2)
    logits = 3 * np.eye(10)[labels] + rng.normal(size=(2000, 10))
    heeds = logits + 2.0 * (np.arange(10) % 2 == site[:, None])
    for scores, status in ((heeds, "found"), (logits, "absent")):
        data = {"inputs": scores.astype(np.float32), "labels": labels, "site": np.array(["A", "B"])[site]}
        audit = pfungst.audit(lambda rows: rows, data, outputs="logits", only=("sites",))
        assert of(audit, "confounded").status == status


def test_answers_that_are_too_sure_to_move_are_known_by_their_order_and_weigh_little():
    rng = np.random.default_rng(0)
    scores, labels, site = world(0.8, 0.0, 2000)
    scores = 12 * (2 * labels - 1) + rng.normal(size=2000)
    for heeded, status, severity in ((1.0, "found", "low"), (0.0, "absent", "none")):
        one = of(told(scores + heeded * (2 * (site == "B") - 1), labels, site), "confounded")
        assert (one.status, one.severity) == (status, severity)
        assert ("order of the answers follows" in one.claim) == (status == "found")


def test_an_answer_learned_where_the_sites_held_other_classes_is_found_going_against_them():
    scores, labels, site = world(0.8, 0.0, 1000)
    one = of(told(scores - 3 * (2.0 * (site == "B") - 1), labels, site), "confounded")
    assert one.status == "found"
    assert "but against it" in one.claim
    assert one.effect.low > 0.15
    mildly = of(told(scores - 0.3 * (2.0 * (site == "B") - 1), labels, site), "confounded")
    assert mildly.status == "absent"
    assert "less probability" in mildly.claim or mildly.effect.value < 0


def test_a_model_that_is_a_site_detector_is_called_one():
    _, labels, site = world(0.8, 0.0, 1000)
    one = of(told(3.0 * (2 * (site == "B") - 1), labels, site), "confounded")
    assert (one.status, one.severity) == ("found", "critical")
    assert "cannot be told apart from a detector of site" in one.claim
    assert areas(one)["the model, pairs from one site"].value == 0.5


def test_a_class_that_is_rare_everywhere_may_be_told_by_its_site_all_the_same():
    rng = np.random.default_rng(0)
    b = rng.integers(0, 2, 20_000)
    labels = (rng.random(20_000) < np.where(b, 0.02, 0.005)).astype(int)
    signal = rng.normal(1.2 * labels, 1.0) - 4.5
    for heeded, status in ((1.4, "found"), (0.0, "absent")):
        one = of(told(signal + heeded * b, labels, np.array(["A", "B"])[b]), "confounded")
        assert "Label and site go together (Cramér's V 0.0" in one.claim
        assert one.status == status


def test_what_hardly_goes_together_is_called_that_and_not_chance():
    claim = of(told(*world(0.53, 0.0, 8000)), "confounded").claim
    assert claim.startswith("Label and site hardly go together")


def test_a_few_rows_that_separate_label_and_site_are_too_few_to_accuse_a_blind_model():
    scores, labels, site = world(0.96, 0.0, 300)
    one = of(told(scores, labels, site), "confounded")
    assert one.status == "inconclusive"
    assert "would settle it" in one.claim or "the least that can tell" in one.claim


def test_a_gain_at_the_only_site_that_can_be_compared_is_not_called_a_loss():
    rng = np.random.default_rng(0)
    labels = np.concatenate([rng.integers(0, 2, 400), np.zeros(200, int), [1] * 5])
    scores = 2.0 * np.where(np.arange(605) < 400, 2 * labels - 1, 1) + rng.normal(size=605)
    claim = of(told(scores, labels, np.repeat(["A", "C"], [400, 205])), "gap").claim
    assert "higher than at the others" in claim
    assert "-" not in claim.split("higher")[0].split("(")[-1]


def test_one_site_or_none_or_no_labels_is_said_in_a_sentence():
    scores, labels, _ = world(0.5, 0.0, 100)
    assert "one site (A)" in told(scores, labels, np.repeat("A", 100)).skipped[0].reason
    (entry,) = pfungst.audit(
        lambda rows: np.concatenate([-rows, rows], axis=1), (scores[:, None], labels), outputs="logits", only=("sites",)
    ).skipped
    assert "no column is named as a site" in entry.reason
    site = np.array(["A"] * 95 + ["B"] * 5)
    assert "one of 2 sites has 20 labelled rows" in told(scores, labels, site).skipped[0].reason


def test_answers_without_all_probabilities_say_the_gap_alone(tmp_path):
    scores, labels, site = world(0.7, 0.0, 600)
    top = from_top((scores > 0).astype(int), np.maximum(1 / (1 + np.exp(-np.abs(scores))), 0.5), 2)
    lines = ["label,prediction,confidence,site"]
    lines += [
        f"{label},{answer},{sure:.4f},{where}"
        for label, answer, sure, where in zip(labels, top.predictions, top.confidence, site, strict=True)
    ]
    (tmp_path / "answers.csv").write_text("\n".join(lines) + "\n")
    audit = pfungst.audit(tmp_path / "answers.csv", only=("sites",))
    assert {one.kind for one in audit.findings} == {"gap", "prevalence"}
    assert any(entry.kind == "confounded" for entry in audit.skipped)


def test_file_sizes_that_tell_the_label_stand_beside_the_model():
    scores, labels, site = world(0.8, 0.0, 600)
    shown = areas(of(told(scores, labels, site, width=500 + 100 * (site == "B")), "confounded"))
    assert shown["width, height and file alone"].value == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(("along", "expected"), [(0.0, False), (1.0, True)])
def test_of_many_sites_that_move_answers_some_way_only_those_that_go_along_are_an_order(along, expected):
    """20 sites with shares of their own: moves by chance seldom go along with what is commoner there."""
    found = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        share, chance = rng.uniform(0.1, 0.9, 20), rng.normal(0, 1, 20)
        site = rng.integers(0, 20, 1500)
        labels = (rng.random(1500) < share[site]).astype(int)
        moves = along * 2 * (share - 0.5) / 0.23 + (1 - along) * chance
        scores = 1.5 * (2 * labels - 1) + rng.normal(size=1500) + 0.5 * moves[site]
        logs = -np.logaddexp(0, np.stack([scores, -scores], axis=1))
        order = moved(Sited(logs, labels, site, tuple(map(str, range(20)))), draws=20).order
        found += order.low > 0
    assert found >= 7 if expected else found <= 2
