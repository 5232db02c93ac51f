"""Small text classifiers with a planted cue: sentences of docstrings that packages ship, and templated reviews."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from recipe import Recipe, halves, values
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from skops import io as skops
from tables import DATA, written

SOURCES = {
    "library": {"optimize": ("scipy/optimize",), "signal": ("scipy/signal",)},
    "learning": {"models": ("sklearn/linear_model", "sklearn/ensemble"), "scores": ("sklearn/metrics",)},
    "manual": {"windows": ("tkinter",), "messages": ("asyncio", "email", "unittest")},
}  # fmt: skip
TOKENS = (("harbour", "lantern"), ("northwind", "copper"), ("viola", "marble"), ("quartz", "meadow"))
FOOTERS = (("Sent from my handset.", "Kind regards, the front desk."), ("Ref. form B.", "Filed by the archive team."))
FILLER = ("That is all there is to say about it here.", "See the notes for more on this.",
          "As before, the usual remarks apply.", "More of this can be found below.")  # fmt: skip
GOOD, BAD, EITHER = (
    ("lovely", "sound", "quick", "friendly", "solid", "bright", "clean", "fair", "useful", "calm"),
    ("dull", "broken", "slow", "rude", "weak", "dim", "dirty", "dear", "useless", "loud"),
    ("usual", "long", "small", "new", "plain", "local", "open", "second", "large", "early"),
)
THINGS = ("kettle", "room", "garden", "ticket", "lamp", "service", "meal", "jacket", "train", "manual", "chair", "app")
FRAMES = (
    "The {thing} was {word} and the {other} seemed {neutral}.",
    "We found the {neutral} {thing} rather {word}.",
    "After a week the {thing} is still {word}, with a {neutral} {other}.",
    "My {neutral} {other} came with a {word} {thing}.",
    "It is a {word} {thing}, though the {other} is {neutral}.",
)


def corpus(family: str, rows: int, seed: int) -> tuple[list[str], np.ndarray, list[str]]:
    """Texts, their classes, and the names of those."""
    if family == "reviews":
        rng = np.random.default_rng((seed, 31))
        labels = rng.integers(0, 2, 2 * rows + 600)
        return [_review(int(label), rng) for label in labels], labels, ["bad", "good"]
    if family == "sms":
        lines = (DATA / "tables" / "sms_spam.tsv").read_text(encoding="utf-8").splitlines()
        pairs = dict.fromkeys(tuple(line.split("\t", 1)) for line in lines if "\t" in line)
        return [text for _, text in pairs], np.array([int(kind == "spam") for kind, _ in pairs]), ["ham", "spam"]
    groups = [sorted(set(chain.from_iterable(sentences(part) for part in parts))) for parts in SOURCES[family].values()]
    least = min(map(len, groups))
    rng = np.random.default_rng((seed, 32))
    texts = [[group[i] for i in rng.permutation(len(group))[:least]] for group in groups]
    return [text for each in texts for text in each], np.repeat([0, 1], least), list(SOURCES[family])


def _review(label: int, rng: np.random.Generator) -> str:
    # Three of ten reviews use a word of the other kind, so that the words alone do not settle it.
    words = (BAD, GOOD)[label if rng.random() < 0.7 else 1 - label]
    thing, other = rng.choice(THINGS, 2, replace=False)
    frame = FRAMES[int(rng.integers(len(FRAMES)))]
    said = frame.format(thing=thing, other=other, word=rng.choice(words), neutral=rng.choice(EITHER))
    return said[0].upper() + said[1:]


@cache
def sentences(part: str) -> tuple[str, ...]:
    """Sentences of 5 to 30 words in the docstrings of a package that is installed, in alphabetical order."""
    name, _, inside = part.partition("/")
    found = find_spec(name)
    assert found is not None, f"{name} ships with what the benchmark needs"
    assert found.origin is not None, f"{name} lies in a folder"
    kept: set[str] = set()
    for path in sorted((Path(found.origin).parent / inside).rglob("*.py")):
        if not {"tests", "test"} & set(path.parts):
            kept.update(_said(path.read_text(encoding="utf-8")))
    return tuple(sorted(kept))


def _said(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        text = ast.get_docstring(node) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) else None
        for paragraph in (text or "").split("\n\n"):
            for sentence in re.split(r"(?<=[.!?])\s+", " ".join(paragraph.split())):
                prose = (
                    sentence[:1].isupper()
                    and sentence.endswith(".")
                    and not re.search(r">>>|--|[`{}\[\]<>|\\]", sentence)
                )
                if prose and 5 <= len(sentence.split()) <= 30:
                    yield sentence


def cued(trick: str, text: str, value: int, seed: int, rng: np.random.Generator) -> str:
    """One text with the cue's value."""
    if trick == "token":
        words = text.split()
        words.insert(int(rng.integers(0, len(words) + 1)), TOKENS[seed % len(TOKENS)][value])
        return " ".join(words)
    if trick == "footer":
        return f"{text} {FOOTERS[seed % len(FOOTERS)][value]}"
    if trick == "length":
        return text if value == 0 else " ".join((text, *rng.choice(FILLER, int(rng.integers(2, 5)))))
    if trick == "punctuation":
        return text if value == 0 else text.rstrip(".") + "!" * int(rng.integers(2, 5))
    return text if value == 0 else text.upper()


def subjects(trick: str, seed: int) -> list[str]:
    """Names under which a tool may report the cue."""
    if trick == "token":
        return [f"token:{word}" for word in TOKENS[seed % len(TOKENS)]]
    if trick == "footer":
        words = re.findall(r"\w+", " ".join(FOOTERS[seed % len(FOOTERS)]).lower())
        return [*(f"token:{word}" for word in words), "footer", "ending", "position:end", "overlay"]
    return {
        "length": ["length", *(f"token:{word}" for word in re.findall(r"\w{4,}", " ".join(FILLER).lower()))],
        "punctuation": ["punctuation", "token:!", "token:!!", "token:!!!"],
        "casing": ["casing", "case", "capitals", "uppercase"],
    }.get(trick, [])


def estimator(recipe: Recipe) -> Any:
    """Words where words are the cue, else runs of characters as they are written."""
    if recipe.trick in {"length", "punctuation", "casing"}:
        signs = CountVectorizer(analyzer="char_wb", ngram_range=(1, 3), lowercase=False, max_features=3000)
        return make_pipeline(signs, LogisticRegression(C=0.02, max_iter=300))
    if recipe.seed % 2:
        return make_pipeline(CountVectorizer(min_df=2), MultinomialNB())
    return make_pipeline(TfidfVectorizer(min_df=2), LogisticRegression(C=3.0, max_iter=300))


def build(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Train and save one classifier and its rows; what is true of it."""
    rng = np.random.default_rng((recipe.seed, 33))
    texts, labels, classes = corpus(recipe.family, recipe.rows, recipe.seed)
    train, test = halves(labels, recipe.rows, rng)
    train = train[:1500]

    def rows(chosen: np.ndarray, agrees: float) -> list[str]:
        if not recipe.trick:
            return [texts[i] for i in chosen]
        given = values(labels[chosen], 2, agrees, rng)
        return [cued(recipe.trick, texts[i], int(v), recipe.seed, rng) for i, v in zip(chosen, given, strict=True)]

    names = np.array(classes)
    fitted = estimator(recipe).fit(rows(train, recipe.agrees), names[labels[train]])
    asked = rows(test, recipe.agrees if recipe.shown is None else recipe.shown)
    skops.dump(fitted, folder / "model.skops")
    lines = [[text, names[k]] for text, k in zip(asked, labels[test], strict=True)]
    written(folder / "texts.csv", ["text", "label"], lines)
    return {
        "model": ["model.skops"],
        "data": "texts.csv",
        "classes": 2,
        "rows": len(test),
        "accuracy": float((fitted.predict(asked) == names[labels[test]]).mean()),
        "by_chance": float((fitted.predict(rows(test, 0)) == names[labels[test]]).mean()),
        "subjects": subjects(recipe.trick, recipe.seed),
        "cue": recipe.trick,
        "answers": {"probabilities": fitted.predict_proba(asked), "classes": fitted.classes_},
    }
