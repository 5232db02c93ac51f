"""What carried the answers of texts and tables: planted words and columns are named, and shown to change the answer."""

import numpy as np

import pfungst


def texts(rows=160, seed=0):
    """The model answers by one word alone."""
    rng = np.random.default_rng(seed)
    words = np.array(
        ["the", "cat", "sat", "upon", "a", "mat", "and", "then", "it", "ran", "off", "to", "see", "some", "more"]
    )
    labels = np.arange(rows) % 2
    lines = []
    for label in labels:
        said = rng.choice(words, 9).tolist()
        said.insert(int(rng.integers(0, 9)), "ruler" if label else "sofa")
        lines.append(" ".join(said))
    return {"text": lines, "label": labels}


def reads_the_ruler(inputs):
    score = np.array([4.0 * ("ruler" in text) - 2.0 for text in inputs])
    return np.stack([-score, score], axis=1)


def evidence(audit):
    return {one.title: one for finding in audit.findings for one in finding.evidence}


def test_the_word_that_decides_is_named_and_its_deletion_changes_the_answer():
    audit = pfungst.audit(reads_the_ruler, texts(), only=("attribution",), outputs="logits")
    (finding,) = audit.findings
    assert (finding.kind, finding.subject, finding.status) == ("unfaithful", "token-occlusion", "absent")
    shown = evidence(audit)
    table = next(one for title, one in shown.items() if title.startswith("What carried"))
    ruled = [row for row in table.rows if row[1].startswith("1")]
    assert ruled
    assert all(row[2].startswith("“ruler”") for row in ruled)
    (flips, takes) = shown["Does changing them change the answer?"].items
    assert 0.3 < flips.value < 0.7
    assert takes.value == 1.0


def test_the_column_that_decides_is_named():
    rng = np.random.default_rng(1)
    table = {name: rng.normal(size=300) for name in ("age", "height", "code")}
    labels = (table["code"] > 0).astype(int)

    def model(rows):
        return np.stack([-3 * rows[:, 2], 3 * rows[:, 2]], axis=1)

    audit = pfungst.audit(model, {**table, "label": labels}, only=("attribution",), outputs="logits")
    (finding,) = audit.findings
    assert (finding.subject, finding.status) == ("column-permutation", "absent")
    columns = evidence(audit)["Log-odds that the columns carry, whichever way"].items
    assert columns[0].name == "code"
    assert columns[0].low > 5 * max(abs(each.value) for each in columns[1:])
