"""Planted columns and words are cues of their own and are found out; natural ones belong to their rows."""

import ast
import re
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pfungst
from pfungst.datasets.dataset import Dataset, Roles
from pfungst.findings import Examples, Finding
from pfungst.methods.columns import columns, others
from pfungst.methods.opportunity import discriminant, folds_of
from pfungst.methods.tokens import proposed_tokens, rest
from pfungst.methods.wordwise import ColumnPermutation, TokenOcclusion
from pfungst.outputs import from_probabilities
from pfungst.passes import Attribute, Passes
from pfungst.probes.shortcuts import Shortcuts
from pfungst.task import Task

FOOTERS = ("Sent from my handset.", "Kind regards, the front desk.")
WORDS = ("harbour", "lantern")
FREE = 0.08


def agreeing(labels, agrees, rng):
    others_ = (labels + 1 + rng.integers(0, max(1, labels.max()), len(labels))) % (labels.max() + 1)
    return np.where(rng.random(len(labels)) < agrees, labels, others_)


def table(load, agrees=0.9, kind="record", seed=0):
    """Numbers with a last column that agrees with the label: record numbers by class, or codes of sites."""
    rng = np.random.default_rng(seed)
    numbers, labels = load(return_X_y=True)
    names = (*load().feature_names, kind)
    shown = agreeing(labels, agrees, rng)
    if kind == "record":
        return np.column_stack([numbers, 1000 * (1 + shown) + rng.integers(0, 1000, len(labels))]), labels, names
    codes = np.array(["K07", "M12", "A31", "Q02", "T19", "B26"], object)[2 * shown + rng.integers(0, 2, len(labels))]
    return np.column_stack([numbers.astype(object), codes]), labels, names


@cache
def sentences(part):
    name, _, inside = part.partition("/")
    kept = set()
    for path in sorted((Path(find_spec(name).origin).parent / inside).rglob("*.py")):
        if "tests" not in path.parts:
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            docs = (ast.get_docstring(node) for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef))
            said = (" ".join(doc.split("\n\n")[0].split()) for doc in docs if doc)
            kept.update(one for one in said if re.fullmatch(r"[A-Z][^`{}\[\]<>|\\]*\.", one) and len(one.split()) > 4)
    return tuple(sorted(kept))


@cache
def manuals():
    """Sentences of the docstrings of two fields, and which of them."""
    groups = [sentences("scipy/optimize") + sentences("scipy/linalg"), sentences("scipy/signal")]
    least = min(map(len, groups))
    assert least > 100, "scipy ships its docstrings"
    rng = np.random.default_rng(0)
    texts = np.empty(2 * least, object)
    texts[:] = [group[at] for group in groups for at in rng.permutation(len(group))[:least]]
    order = rng.permutation(2 * least)
    return texts[order], np.repeat([0, 1], least)[order]


def marked(kind, agrees=0.9, seed=0):
    rng = np.random.default_rng(seed)
    texts, labels = manuals()
    given = texts.copy()
    for row, shown in enumerate(agreeing(labels, agrees, rng)):
        words = texts[row].split()
        words.insert(
            len(words) if kind == "footer" else int(rng.integers(len(words))),
            (FOOTERS if kind == "footer" else WORDS)[shown],
        )
        given[row] = " ".join(words)
    return given, labels


def told(cue, inputs, labels, around):
    """Opportunity from 0 to 1, and the tie."""
    scored = discriminant(cue.measure(inputs), labels, labels.max() + 1, folds_of(len(labels)))
    guess = 1 / (labels.max() + 1)
    return (scored.opportunity().value - guess) / (1 - guess), scored.tie(around)


class Fitted:
    """A scikit-learn classifier as a model."""

    offers = frozenset({"new inputs"})

    def __init__(self, estimator):
        self.estimator = estimator

    def predict(self, inputs):
        return from_probabilities(self.estimator.predict_proba(inputs))


def dataset(inputs, labels, names=()):
    ids = tuple(f"r{i}" for i in range(len(labels)))
    return Dataset(
        "test", "", "table" if names else "text", ids, lambda rows: list(inputs[rows]),
        classes=tuple("abc"[: labels.max() + 1]), labels=labels, features=names, shape=(len(names),) if names else None,
    )  # fmt: skip


def convicted(model, data, probe):
    done = Passes()
    while new := [one for one in dict.fromkeys(probe.needs(data, done)) if one not in done]:
        for one in new:
            rows = data.sample(one.rows, one.half)[getattr(one, "after", 0) :]
            batch, _ = data.batch(rows, one.half)
            done = done.with_({one: replace(one.run(model, batch), rows=rows)})
    said = [one for one in probe.judge(data, done) if isinstance(one, Finding) and one.kind == "cue"]
    return [one for one in said if one.status == "found"]


def accused(model, data, probe):
    return {one.subject for one in convicted(model, data, probe)}


@pytest.mark.parametrize("kind", ["record", "site"])
@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
def test_a_planted_column_tells_the_label_and_nothing_around_it_tells_the_column(load, kind):
    for agrees, least in ((0.95, 0.8), (0.8, 0.4)):
        inputs, labels, names = table(load, agrees, kind)
        *natural, cue = columns(names)
        opportunity, tie = told(cue, inputs, labels, others(inputs, cue))
        assert opportunity > least
        assert tie.value < FREE
        known = [told(other, inputs, labels, others(inputs, other)) for other in natural]
        assert all(bound.value > 3 * FREE for chance, bound in known if chance > 0.7)


def test_natural_columns_of_a_cancer_table_all_belong_to_their_rows():
    inputs, labels, names = table(load_breast_cancer)
    for cue in columns(names)[:-1]:
        opportunity, tie = told(cue, inputs, labels, others(inputs, cue))
        assert opportunity < 0.2 or tie.value > 0.5, cue.name


@pytest.mark.parametrize(
    ("kind", "words"), [("token", WORDS), ("footer", ("sent from my handset", "kind regards the front desk"))]
)
def test_planted_words_are_proposed_first_and_nothing_around_them_tells_which_they_are(kind, words):
    for agrees, least in ((0.95, 0.8), (0.8, 0.4)):
        inputs, labels = marked(kind, agrees)
        first, *others_ = proposed_tokens(inputs, labels, 2, folds_of(len(labels)))
        assert set(first.words) == set(words)
        opportunity, tie = told(first, inputs, labels, rest(inputs, (first, *others_)))
        assert opportunity > least
        assert tie.value < FREE
        for cue in others_:
            opportunity, _ = told(cue, inputs, labels, rest(inputs, (cue, first)))
            assert opportunity < 0.45, cue.name


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
@pytest.mark.parametrize("learner", [LogisticRegression(max_iter=500), RandomForestClassifier(60, random_state=0)])
def test_honest_models_of_tables_are_not_accused(load, learner):
    inputs, labels, names = table(load, 1 / len(np.unique(load().target)))
    half = np.arange(len(labels)) % 2 == 0
    model = Fitted(make_pipeline(StandardScaler(), learner).fit(inputs[half], labels[half]))
    assert accused(model, dataset(inputs[~half], labels[~half], names), Shortcuts()) == set()


@pytest.mark.parametrize("kind", ["token", "footer", ""])
def test_a_model_of_texts_is_accused_of_the_planted_words_alone(kind):
    inputs, labels = marked(kind) if kind else manuals()
    half = np.arange(len(labels)) % 2 == 0
    for pipeline in (
        make_pipeline(TfidfVectorizer(min_df=2), LogisticRegression(C=3.0)),
        make_pipeline(CountVectorizer(min_df=2), MultinomialNB()),
    ):
        found = accused(
            Fitted(pipeline.fit(inputs[half], labels[half])), dataset(inputs[~half], labels[~half]), Shortcuts()
        )
        words = {"": (), "token": WORDS, "footer": ("sent from my handset", "kind regards the front desk")}[kind]
        assert found <= {f"token:{word}" for word in words}
        assert bool(found) == bool(kind)


def test_a_model_that_reads_record_numbers_is_accused_of_it_alone():
    inputs, labels, names = table(load_breast_cancer, 0.97)
    kept = [0, 4, 8, 9, 11, 14, 30]
    inputs, names = inputs[:, kept], tuple(names[at] for at in kept)
    half = np.arange(len(labels)) % 2 == 0
    model = Fitted(RandomForestClassifier(100, min_samples_leaf=3, random_state=0).fit(inputs[half], labels[half]))
    assert accused(model, dataset(inputs[~half], labels[~half], names), Shortcuts()) == {"column:record"}


def clinics(coded, seed=0):
    """Four weak measurements and the clinic: one column a clinic, a name's number beside its code, or one column."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 1200)
    clinic = agreeing(labels, 0.85, rng)
    measured = rng.normal(size=(1200, 4)) + 0.3 * labels[:, None]
    columns_, names = {
        "one a value": ((clinic[:, None] == np.arange(3)).astype(float), ("clinic_a", "clinic_b", "clinic_c")),
        "twice": (np.stack([clinic, 100.0 * clinic + 7], axis=1), ("clinic", "clinic_id")),
        "once": (clinic[:, None].astype(float), ("clinic",)),
    }[coded]
    return np.column_stack([measured, columns_]), labels, ("m0", "m1", "m2", "m3", *names)


@pytest.mark.parametrize("coded", ["one a value", "twice", "once"])
@pytest.mark.parametrize("learner", [LogisticRegression(max_iter=500), RandomForestClassifier(60, random_state=0)])
def test_columns_that_say_one_thing_are_one_cue(coded, learner):
    inputs, labels, names = clinics(coded)
    model = Fitted(make_pipeline(StandardScaler(), learner).fit(inputs[::2], labels[::2]))
    (found,) = convicted(model, dataset(inputs[1::2], labels[1::2], names), Shortcuts())
    assert found.subject == "column:clinic"
    assert all(f"'{name}'" in found.claim for name in names[4:])


def test_rows_of_a_table_are_shown_by_the_columns_that_changed():
    inputs, labels, names = clinics("one a value")
    forest = RandomForestClassifier(60, random_state=0).fit(inputs[::2], labels[::2])
    table = {name: inputs[1::2, at] for at, name in enumerate(names)} | {"label": labels[1::2]}
    for told, options in ((True, {}), (False, {"images": False})):
        said = pfungst.audit(forest, table, only=("shortcuts",), outputs="probabilities", **options)
        (found,) = (one for one in said.findings if one.name == "shortcuts.cue:column:clinic")
        (rows,) = (piece for piece in found.evidence if isinstance(piece, Examples))
        shown = [{name for name, _ in shot.cells} for item in rows.items for shot in item]
        assert all(cells <= {"clinic_a", "clinic_b", "clinic_c"} for cells in shown)
        assert all(bool(cells) == told for cells in shown)
        for before, _, other, *_ in rows.items:
            position = before.position
            assert not told or all(
                value == f"{inputs[1::2][position, names.index(name)]:.4g}" for name, value in before.cells
            )
            assert not told or other.cells != before.cells


def test_the_measurement_that_tells_the_label_is_not_accused_unless_named():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 1200)
    inputs = rng.normal(size=(1200, 3)) + labels[:, None] * (2.0, 0.2, 0.0)
    model = Fitted(LogisticRegression().fit(inputs[::2], labels[::2]))
    data = dataset(inputs[1::2], labels[1::2], ("hba1c", "age", "weight"))
    assert accused(model, data, Shortcuts()) == set()
    named = Shortcuts().for_task(Task(must_not_matter={"column:hba1c": 0.05}))
    assert accused(model, data, named) == {"column:hba1c"}
    assert accused(model, replace(data, roles=Roles(site=("hba1c",))), Shortcuts()) == {"column:hba1c"}


def test_attributions_point_at_the_planted_column_and_the_planted_word():
    inputs, labels, names = table(load_breast_cancer, 0.97)
    kept = [0, 4, 8, 9, 11, 14, 30]
    inputs = inputs[:, kept]
    model = Fitted(RandomForestClassifier(60, min_samples_leaf=3, random_state=0).fit(inputs[::2], labels[::2]))
    batch, _ = dataset(inputs[1::2], labels[1::2], tuple(names[at] for at in kept)).batch(np.arange(60))
    maps = Attribute(ColumnPermutation()).run(model, batch)
    assert np.abs(maps.values[:, 0]).mean(axis=0).argmax() == 6

    texts, labels = marked("token", 0.95)
    text_model = Fitted(make_pipeline(CountVectorizer(min_df=2), MultinomialNB()).fit(texts[::2], labels[::2]))
    batch, _ = dataset(texts[1::2], labels[1::2]).batch(np.arange(60))
    maps = Attribute(TokenOcclusion()).run(text_model, batch)
    lost = {}
    for text, row in zip(batch.inputs, maps.values[:, 0], strict=True):
        for word, loss in zip(text.lower().split(), row, strict=False):
            lost.setdefault(word, []).append(loss)
    means = {word: np.mean(losses) for word, losses in lost.items() if len(losses) >= 6}
    assert set(sorted(means, key=means.get)[-2:]) == set(WORDS), means
